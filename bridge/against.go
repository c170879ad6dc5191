package bridge

import (
	"context"
	"errors"

	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

// NoKeyError means that an object has no private key on its token, or none that is visible. It carries the reasons.
type NoKeyError struct{ Verdict verdict.Verdict }

// Error says so.
func (e *NoKeyError) Error() string { return "the object has no private key on the token" }

// Against holds a valid copy against a key on a token: the token signs a challenge, the copy's certificate verifies it. Where the key
// cannot be asked, the public half that the token tells of it decides, as it does for a backup's state. ShownBy says which of the two it
// was. A copy of another key becomes invalid, with the reason. uri names the key. The error is a *NoKeyError, a *token.CannotShowError
// where the key cannot be asked and the token tells no public half of it, or comes from the token.
func (v *VerifyResult) Against(ctx context.Context, session *token.Session, identity token.Identity, judged verdict.Verdict, uri string) error {
	if identity.PrivateKey == nil {
		return &NoKeyError{judged}
	}
	key, public := identity.PrivateKey, v.Certificate.PublicKey
	err := session.Holds(ctx, key, public)
	stated, known := token.PublicKeyOf(key)
	var unable *token.CannotShowError
	switch {
	case err == nil:
		v.ShownBy = token.LinkedBySignature
	case known && stated.Equal(public) && errors.As(err, &unable):
		v.ShownBy, v.Unasked = token.LinkedByPublicKey, unable.Err
	case !errors.Is(err, token.ErrOtherKey):
		return err
	default:
		v.Valid = false
		v.Reasons = append([]verdict.Reason{verdict.Because(verdict.BackupOfAnotherKey, verdict.Fact{Name: "uri", Value: uri}, verdict.Fact{Name: "certificate_key", Value: verdict.KeyText(v.Certificate.PublicKey)},
			verdict.Fact{Name: "private_key", Value: verdict.ObjectKeyText(identity.PrivateKey)})}, v.Reasons...)
	}
	return nil
}
