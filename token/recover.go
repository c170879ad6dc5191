package token

import (
	"crypto/rand"
	"errors"
	"fmt"

	"p11bridge/token/pki"
)

// errUnrecovered means that no public key fits what a private key signed.
var errUnrecovered = errors.New("signatures that no public key verifies")

// Recoverable reports whether RecoverPublicKey may find the key's public half: two ECDSA signatures leave one public key possible, and those of
// Ed25519 many.
func (o *Object) Recoverable() bool {
	keyType, known := o.KeyType()
	algorithm, _, bits, err := pki.ECParams(o.Attributes.Bytes(CKAECParams))
	return known && keyType == CKKEC && err == nil && algorithm == "EC" && bits > 0 && o.Attributes.Bool(CKASign) != False
}

// RecoverPublicKey finds the public half of an EC key that nothing on the token tells, from two signatures that the key makes. For a key that wants the
// PIN for each use that is two logins more. The error is a *CannotShowError where the token does not sign so, or comes from the token.
func (s *Session) RecoverPublicKey(key *Object) (pki.PublicKey, error) {
	params := key.Attributes.Bytes(CKAECParams)
	algorithm, curve, bits, err := pki.ECParams(params)
	switch {
	case err != nil:
		return pki.PublicKey{}, fmt.Errorf("the curve of the key: %w", err)
	case !key.Recoverable():
		return pki.PublicKey{}, &CannotShowError{}
	case s.wantsPIN(key) && s.Authenticate == nil:
		return pki.PublicKey{}, &CannotShowError{PIN: true}
	}
	half := pki.PublicKey{Algorithm: algorithm, Curve: curve, Bits: bits}
	var messages, signatures [2][]byte
	var schemes [2]pki.Scheme
	for i := range messages {
		messages[i] = make([]byte, challengeSize)
		if _, err := rand.Read(messages[i]); err != nil {
			return pki.PublicKey{}, fmt.Errorf("make a challenge: %w", err)
		}
		if signatures[i], schemes[i], err = s.Sign(key, half, messages[i]); err != nil {
			return pki.PublicKey{}, err
		}
	}
	public, err := pki.RecoverECPublicKey(params, messages, signatures, schemes)
	if errors.Is(err, pki.ErrSignature) {
		err = &AnswerError{Function: "C_Sign", Fault: AnswerSignature, Err: errUnrecovered}
	}
	return public, err
}
