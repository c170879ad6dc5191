package token

import (
	"crypto/aes"
	"fmt"

	"github.com/miekg/pkcs11"

	"p11bridge/token/cryptoki"
)

// Shroud has the token encrypt a private key under an AES-256 key with CKM_AES_CBC_PAD and the IV (PKCS#11 v3.1 §6.13.5):
// the ciphertext of a PBES2 EncryptedPrivateKeyInfo. The private key is never in this process. The AES key becomes a
// session object and is destroyed right after; a read-only session is enough. The error is a *WrapError where the token
// would not, and an *AnswerError where what it wrapped cannot be a ciphertext.
func (s *Session) Shroud(key *Object, kek, iv []byte) ([]byte, error) {
	shroud := &oneTimeAES{CKMAESCBCPad, kek}
	wrapped, err := s.wrapWith(shroud.template(), []cryptoki.Mechanism{{Type: uint(CKMAESCBCPad), Parameter: iv}}, key)
	if err == nil && len(wrapped)%aes.BlockSize != 0 {
		err = &AnswerError{Function: "C_WrapKey", Fault: AnswerWrapped, Err: fmt.Errorf("CKR_OK with %s, and %d bytes are no ciphertext", CKMAESCBCPad, len(wrapped))}
	}
	if err == nil {
		return wrapped, nil
	}
	code, known := CodeOf(err)
	if !known || connectionLost(code) {
		return nil, err
	}
	attempt := Attempt{Mechanism: CKMAESCBCPad, Function: functionOf(err), Code: code}
	return nil, &WrapError{Attempts: []Attempt{attempt}, AboutKey: attempt.RefusesKey()}
}

// Destroy destroys an object (PKCS#11 v3.1 §5.7.3). An object on the token takes a read-write session. CKR_OK need not mean
// that it is gone; Remaining tells.
func (s *Session) Destroy(o *Object) error { return s.destroy(o.handle, o.Class.String()) }

// DestroyKey is Destroy for a private key that had been there before the run: an observer that wants to know is told of it before.
func (s *Session) DestroyKey(key *Object) error {
	if observer, wants := s.module.observer.(ChangeObserver); wants {
		observer.Destroying(s.Slot.Token.URI().With(key).String())
	}
	return s.Destroy(key)
}

func (s *Session) destroy(handle pkcs11.ObjectHandle, what string) error {
	return s.call("C_DestroyObject", what, func() error { return s.module.functions.DestroyObject(s.handle, handle) })
}
