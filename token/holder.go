package token

import (
	"context"
	"errors"
	"slices"

	"p11bridge/token/pki"
)

// CouldHave tells whether a private key's type and curve, as far as the token tells them, fit a public key.
func (o *Object) CouldHave(public pki.PublicKey) bool { return couldBe(o, public) }

// Holder finds the private key of a public key on the token, and says how it was shown to be that: by what the key tells, by
// a signature over a fresh challenge, or by CKA_ID alone where the key could not be asked. It is LinkedByNone where no private
// key is the one. Where none was found and a key that it may be could not be asked for the token's sake, the error is what the
// token answered: no key is ruled out by that.
func (s *Session) Holder(ctx context.Context, inventory *Inventory, public pki.PublicKey) (*Object, Link, error) {
	if len(public.SPKI) == 0 {
		return nil, LinkedByNone, nil
	}
	var byID *Object
	var silent []*Object
	for _, identity := range inventory.Identities() {
		switch key := identity.PrivateKey; {
		case key == nil:
		case identity.Proven() && identity.Public.Equal(public):
			return key, identity.LinkedBy, nil
		case identity.LinkedBy == LinkedByID && identity.Public.Equal(public):
			silent, byID = append([]*Object{key}, silent...), key // the likeliest first: a signature may cost a card a second
		case !couldBe(key, public) || key.refuted(public) || slices.Contains(silent, key):
		default:
			if own, known := PublicKeyOf(key); known && own.Equal(public) {
				return key, key.linkOfOwn(), nil
			} else if !known {
				silent = append(silent, key)
			}
		}
	}
	var failed error
	for _, key := range silent {
		err := s.ask(ctx, key, public)
		var unable *CannotShowError
		switch {
		case err == nil:
			return key, LinkedBySignature, nil
		case ctx.Err() != nil || Lost(err):
			return nil, LinkedByNone, err
		case errors.Is(err, ErrOtherKey):
			if key == byID {
				byID = nil
			}
		case !errors.As(err, &unable) && failed == nil:
			failed = err
		}
	}
	switch {
	case failed != nil:
		return nil, LinkedByNone, failed
	case byID != nil:
		return byID, LinkedByID, nil
	}
	return nil, LinkedByNone, nil
}

// ask is Prove for a key that is not to ask the person for a PIN; what it answered before stands for it.
func (s *Session) ask(ctx context.Context, key *Object, public pki.PublicKey) error {
	switch {
	case key.answer != nil:
		return key.answer.verify(public)
	case key.Attributes.Bool(CKAAlwaysAuthenticate) == True:
		return &CannotShowError{PIN: true}
	}
	return s.Prove(ctx, key, public)
}

// linkOfOwn says how the public half of a key that is known was found out.
func (o *Object) linkOfOwn() Link {
	if len(o.ProvenPublicKey) > 0 {
		return LinkedBySignature
	}
	return LinkedByPublicKey
}
