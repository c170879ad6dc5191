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

// Against holds a valid copy against a key on a token: the token signs a challenge, the copy's certificate verifies it. A copy
// of another key becomes invalid, with the reason. uri names the key. The error is a *NoKeyError, a *token.CannotShowError where
// the key cannot be asked, or comes from the token.
func (v *VerifyResult) Against(ctx context.Context, session *token.Session, identity token.Identity, judged verdict.Verdict, uri string) error {
	if identity.PrivateKey == nil {
		return &NoKeyError{judged}
	}
	key, public := identity.PrivateKey, v.Certificate.PublicKey
	if err := session.Holds(ctx, key, public); !errors.Is(err, token.ErrOtherKey) {
		return err
	}
	v.Valid = false
	v.Reasons = append([]verdict.Reason{verdict.Because(verdict.BackupOfAnotherKey, verdict.Fact{Name: "uri", Value: uri}, verdict.Fact{Name: "certificate_key", Value: verdict.KeyText(v.Certificate.PublicKey)},
		verdict.Fact{Name: "private_key", Value: verdict.ObjectKeyText(identity.PrivateKey)})}, v.Reasons...)
	return nil
}
