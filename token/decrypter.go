package token

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"

	"github.com/miekg/pkcs11"

	"p11bridge/token/cryptoki"
	"p11bridge/token/pki"
)

// Decrypter is a private RSA key on the token as a crypto.Decrypter, by C_DecryptInit and C_Decrypt (PKCS#11 v3.1 §5.10, §6.1.6,
// §6.1.8). crypto11 has one as well, and it is not used: the binding under it believes the length that a module answers, and leaves
// what was decrypted in C memory.
type Decrypter struct {
	session *Session
	key     *Object
	public  pki.PublicKey
}

// Decrypter gives the key as a crypto.Decrypter. Session.Authenticate gives the PIN once more for a key with CKA_ALWAYS_AUTHENTICATE.
func (s *Session) Decrypter(key *Object, public pki.PublicKey) *Decrypter {
	return &Decrypter{s, key, public}
}

// Public implements crypto.Decrypter: the key as crypto/x509 has it, nil for one that is no RSA key.
func (d *Decrypter) Public() crypto.PublicKey {
	key, err := x509.ParsePKIXPublicKey(d.public.SPKI)
	if err != nil || d.public.Algorithm != "RSA" {
		return nil
	}
	return key
}

// oaepHashes are the digests of RSAES-OAEP by their mechanism and their mask generation function (PKCS#11 v3.1 §6.1.7).
var oaepHashes = map[crypto.Hash]cryptoki.OAEP{
	crypto.SHA1:   {Hash: pkcs11.CKM_SHA_1, MGF: pkcs11.CKG_MGF1_SHA1},
	crypto.SHA224: {Hash: pkcs11.CKM_SHA224, MGF: pkcs11.CKG_MGF1_SHA224},
	crypto.SHA256: {Hash: pkcs11.CKM_SHA256, MGF: pkcs11.CKG_MGF1_SHA256},
	crypto.SHA384: {Hash: pkcs11.CKM_SHA384, MGF: pkcs11.CKG_MGF1_SHA384},
	crypto.SHA512: {Hash: pkcs11.CKM_SHA512, MGF: pkcs11.CKG_MGF1_SHA512},
}

// Decrypt implements crypto.Decrypter: RSAES-OAEP without a label for *rsa.OAEPOptions, else RSAES-PKCS1-v1_5. The caller wipes what it
// gives. The error is an *Error where the token would not, which says as much of the ciphertext as of the key.
func (d *Decrypter) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) (clear []byte, err error) {
	mechanism := cryptoki.Mechanism{Type: pkcs11.CKM_RSA_PKCS}
	if oaep, is := opts.(*rsa.OAEPOptions); is {
		parameters, known := oaepHashes[oaep.Hash]
		if oaep.MGFHash != 0 {
			mask, knownMask := oaepHashes[oaep.MGFHash]
			parameters.MGF, known = mask.MGF, known && knownMask
		}
		if !known || len(oaep.Label) > 0 {
			return nil, &pki.UnsupportedError{Algorithm: fmt.Sprintf("RSAES-OAEP with %s", oaep.Hash)}
		}
		mechanism = cryptoki.Mechanism{Type: pkcs11.CKM_RSA_PKCS_OAEP, OAEP: &parameters}
	}
	s := d.session
	err = s.use(d.key, "C_DecryptInit", "C_Decrypt", CKM(mechanism.Type),
		func() error { return s.module.functions.DecryptInit(s.handle, mechanism, d.key.handle) },
		func() (err error) { clear, err = s.module.functions.Decrypt(s.handle, ciphertext); return err })
	return clear, err
}
