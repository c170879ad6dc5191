package bridge

import (
	"crypto/rand"
	"errors"
	"fmt"

	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// errOtherKey means that a signature was made, by a key other than the one that was meant.
var errOtherKey = errors.New("the signature is of another key")

// proveHeld has the token sign a fresh challenge with a private key and verifies the signature with a public key. The error is
// errOtherKey where they do not belong together, and anything else where that could not be found out.
func proveHeld(session *token.Session, key *token.Object, public pki.PublicKey) error {
	challenge := make([]byte, 32)
	if _, err := rand.Read(challenge); err != nil {
		return fmt.Errorf("make a challenge: %w", err)
	}
	signature, scheme, err := session.Sign(key, public, challenge)
	if err != nil {
		return err
	}
	if err := public.Verify(challenge, signature, scheme); err != nil {
		return fmt.Errorf("%w: %w", errOtherKey, err)
	}
	return nil
}

// NoKeyError means that an object has no private key on its token, or none that is visible. It carries the reasons.
type NoKeyError struct{ Verdict verdict.Verdict }

// Error says so.
func (e *NoKeyError) Error() string { return "the object has no private key on the token" }

// ErrCannotShow means that a key may not sign (CKA_SIGN is false), and so cannot show whose copy a file is.
var ErrCannotShow = errors.New("the key may not sign a challenge")

// Against holds a valid copy against a key on a token: the token signs a challenge, the copy's certificate verifies it. A copy
// of another key becomes invalid, with the reason. uri names the key. The error is a *NoKeyError, ErrCannotShow, or
// comes from the token where the key could not be asked.
func (v *Verification) Against(session *token.Session, identity token.Identity, judged verdict.Verdict, uri string) error {
	if identity.PrivateKey == nil {
		return &NoKeyError{judged}
	}
	key, public := identity.PrivateKey, v.Certificate.PublicKey
	told, is := token.PublicKeyOf(key)
	var err error
	switch {
	case !key.CouldHave(public), is && !told.Equal(public):
		err = errOtherKey
	case key.Attributes.Bool(token.CKASign) == token.False:
		err = ErrCannotShow
	default:
		err = proveHeld(session, key, public)
	}
	if !errors.Is(err, errOtherKey) {
		return err
	}
	v.Valid = false
	v.Reasons = append([]verdict.Reason{verdict.Because(verdict.BackupOfAnotherKey, verdict.Fact{Name: "uri", Value: uri}, verdict.Fact{Name: "certificate_key", Value: verdict.KeyText(v.Certificate.PublicKey)},
		verdict.Fact{Name: "private_key", Value: verdict.ObjectKeyText(identity.PrivateKey)})}, v.Reasons...)
	return nil
}
