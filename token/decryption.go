package token

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"p11bridge/token/cryptoki"
	"p11bridge/token/pki"
)

// decryption is one way to have a token decrypt a challenge. hash is that of RSAES-OAEP, zero for RSAES-PKCS1-v1_5.
type decryption struct {
	mechanism cryptoki.Mechanism
	hash      crypto.Hash
}

// decryptions are the ways in which an RSA key may decrypt, the usual one first (PKCS#11 v3.1 §6.1.6, §6.1.8). A key may be
// restricted to one of them by CKA_ALLOWED_MECHANISMS, and a token in FIPS mode knows RSAES-OAEP alone.
var decryptions = []decryption{
	{mechanism: cryptoki.Mechanism{Type: pkcs11.CKM_RSA_PKCS}},
	{cryptoki.Mechanism{Type: pkcs11.CKM_RSA_PKCS_OAEP, OAEP: &cryptoki.OAEP{Hash: pkcs11.CKM_SHA_1, MGF: pkcs11.CKG_MGF1_SHA1}}, crypto.SHA1},
	{cryptoki.Mechanism{Type: pkcs11.CKM_RSA_PKCS_OAEP, OAEP: &cryptoki.OAEP{Hash: pkcs11.CKM_SHA256, MGF: pkcs11.CKG_MGF1_SHA256}}, crypto.SHA256},
}

// encrypt makes the challenge that the key is to decrypt.
func (d decryption) encrypt(public pki.PublicKey, message []byte) ([]byte, error) {
	if d.hash == 0 {
		return public.Encrypt(rand.Reader, message)
	}
	return public.EncryptOAEP(rand.Reader, d.hash, message)
}

// proveByDecryption has an RSA key decrypt a challenge (PKCS#11 v3.1 §5.10). An error of the token shows nothing: many
// keys that are not the right one answer CKR_ENCRYPTED_DATA_INVALID, and so does a token that is at a loss.
func (s *Session) proveByDecryption(key *Object, public pki.PublicKey, cannot *CannotShowError) error {
	message := make([]byte, challengeSize)
	if _, err := rand.Read(message); err != nil {
		return fmt.Errorf("make a challenge: %w", err)
	}
	for i, way := range decryptions {
		ciphertext, err := way.encrypt(public, message)
		if err != nil {
			return fmt.Errorf("make a challenge: %w", err)
		}
		clear, err := s.decryptWith(key, way, ciphertext)
		var answer *Error
		switch {
		case err == nil && bytes.Equal(clear, message):
			return nil
		case err == nil:
			return fmt.Errorf("%w: it decrypts to something else", ErrOtherKey)
		case !errors.As(err, &answer) || Lost(err):
			return err
		case answer.Judges() || answer.Code == pkcs11.CKR_ENCRYPTED_DATA_INVALID:
		case i == 0:
			return err
		default: // the way before was answered
			return cannot
		}
		cannot = cannot.with(CKM(way.mechanism.Type), answer)
	}
	return cannot
}

func (s *Session) decryptWith(key *Object, way decryption, ciphertext []byte) (clear []byte, err error) {
	err = s.use(key, "C_DecryptInit", "C_Decrypt", CKM(way.mechanism.Type),
		func() error { return s.module.functions.DecryptInit(s.handle, way.mechanism, key.handle) },
		func() (err error) { clear, err = s.module.functions.Decrypt(s.handle, ciphertext); return err })
	return clear, err
}
