package token

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"p11bridge/token/cryptoki"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// agreementCurves are the curves on which a key can be asked to agree on a secret here.
var agreementCurves = map[string]ecdh.Curve{"P-256": ecdh.P256(), "P-384": ecdh.P384(), "P-521": ecdh.P521()}

// agreedChallenge is the secret that a private key agreed on with a fresh key of this process.
type agreedChallenge struct {
	ours  *ecdh.PrivateKey
	curve string
	value []byte
}

// challengeToDerive has an EC key agree on a secret with a fresh key of this process (PKCS#11 v3.1 §5.18.5, §6.3.17). What is
// derived is a session object that is read and destroyed right after; it protects nothing.
func (s *Session) challengeToDerive(key *Object, public pki.PublicKey, cannot *CannotShowError) (response, error) {
	curve, known := agreementCurves[public.Curve]
	if !known {
		return nil, cannot
	}
	ours, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a challenge: %w", err)
	}
	point := ours.PublicKey().Bytes()
	encoded, err := asn1.Marshal(point)
	if err != nil {
		return nil, fmt.Errorf("make a challenge: %w", err)
	}
	for _, form := range [][]byte{point, encoded} { // tokens take the point as it is, or as CKA_EC_POINT has it
		derived, err := s.derive(key, form, (public.Bits+7)/8)
		var answer *Error
		switch {
		case err == nil:
			return &agreedChallenge{ours, public.Curve, derived}, nil
		case !errors.As(err, &answer) || !answer.Judges():
			return nil, err
		}
		cannot = cannot.with(CKM(pkcs11.CKM_ECDH1_DERIVE), answer)
	}
	return nil, cannot
}

// verify implements response: the same secret comes of the public key where the private key is its other half.
func (c *agreedChallenge) verify(public pki.PublicKey) error {
	point, err := public.Point()
	if err != nil || public.Algorithm != "EC" || public.Curve != c.curve {
		return &CannotShowError{}
	}
	theirs, err := c.ours.Curve().NewPublicKey(point)
	if err != nil {
		return &CannotShowError{Err: err}
	}
	agreed, err := c.ours.ECDH(theirs)
	if err != nil {
		return &CannotShowError{Err: err}
	}
	defer secret.Wipe(agreed)
	if !bytes.Equal(c.value, agreed) {
		return fmt.Errorf("%w: it derives something else", ErrOtherKey)
	}
	return nil
}

// derive has the token agree with a public point, and reads what came of it.
func (s *Session) derive(key *Object, point []byte, length int) (value []byte, err error) {
	template := []*pkcs11.Attribute{
		ulong(CKAClass, uint(CKOSecretKey)), ulong(CKAKeyType, uint(pkcs11.CKK_GENERIC_SECRET)),
		boolean(pkcs11.CKA_TOKEN, false), boolean(pkcs11.CKA_SENSITIVE, false), boolean(pkcs11.CKA_EXTRACTABLE, true),
		ulong(Attribute(pkcs11.CKA_VALUE_LEN), uint(length)),
	}
	agreed, err := s.makeForSession("C_DeriveKey", CKM(pkcs11.CKM_ECDH1_DERIVE).String(), CKOSecretKey, func() (pkcs11.ObjectHandle, error) {
		return s.module.functions.DeriveKey(s.handle, cryptoki.Mechanism{Type: pkcs11.CKM_ECDH1_DERIVE, ECDH1Public: point}, key.handle, template)
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if discarded := s.Discard(agreed); err == nil {
			err = discarded
		}
	}()
	return s.readPart(agreed, CKAValue)
}
