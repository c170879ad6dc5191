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

// mostAsked bounds how many keys of one file a key on a token is held against by a challenge.
const mostAsked = 16

// ask holds a key that does not show whose it is against the other keys of the file, and turns to the one that it is. The error is token.ErrOtherKey where
// it is none of them.
func (v *VerifyResult) ask(ctx context.Context, session *token.Session, key *token.Object) error {
	asked := 0
	for _, other := range v.Keys {
		if other.Certificate == nil || other.Certificate.PublicKey.Equal(v.Certificate.PublicKey) {
			continue
		}
		if asked++; asked > mostAsked {
			break
		}
		err := session.Holds(ctx, key, other.Certificate.PublicKey)
		if err == nil {
			v.turnTo(other.Certificate.PublicKey)
		}
		if err == nil || !errors.Is(err, token.ErrOtherKey) {
			return err
		}
	}
	return token.ErrOtherKey
}

// Against holds a valid copy against a key on a token. Of a file with several keys it is the one that is the token's key. The token signs a
// challenge, the copy's certificate verifies it. Where the key cannot be asked, the public half that the token tells of it decides, as it does for
// a backup's state. ShownBy says which of the two it was. A copy of another key becomes invalid, with the reason. uri names the key. The error is a *NoKeyError, a *token.CannotShowError
// where the key cannot be asked and the token tells no public half of it, or comes from the token.
func (v *VerifyResult) Against(ctx context.Context, session *token.Session, identity token.Identity, judged verdict.Verdict, uri string) error {
	if identity.PrivateKey == nil {
		return &NoKeyError{judged}
	}
	key := identity.PrivateKey
	v.turnTo(identity.Public)
	stated, known := token.PublicKeyOf(key)
	err := session.Holds(ctx, key, v.Certificate.PublicKey)
	if errors.Is(err, token.ErrOtherKey) && !known {
		err = v.ask(ctx, session, key)
	}
	public := v.Certificate.PublicKey
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
