package token

import (
	"context"
	"errors"
	"slices"

	"p11bridge/token/pki"
)

// ruledOut is the one rule of which private key a public key is not of: own, the public half that is known of the private key,
// decides where there is one; otherwise its type and its curve, and what it signed for an earlier question.
func (o *Object) ruledOut(own, public pki.PublicKey) bool {
	if len(own.SPKI) > 0 {
		return own.Differs(public)
	}
	return !couldBe(o, public) || o.refuted(public)
}

// MayHaveCertificate reports whether a certificate on the token may be that of a private key whose public half nothing tells. An answer to a challenge
// was held against all of them.
func (inventory *Inventory) MayHaveCertificate(key *Object) bool {
	return !key.Answered && slices.ContainsFunc(inventory.Objects, func(o *Object) bool {
		return o.Certificate != nil && !key.ruledOut(pki.PublicKey{}, o.Certificate.PublicKey)
	})
}

// Holds finds out whether a private key is the one of a public key. It asks a key that nothing rules out to answer a fresh challenge,
// whatever the key tells of itself; the errors are those of Prove.
func (s *Session) Holds(ctx context.Context, key *Object, public pki.PublicKey) error {
	own, _ := PublicKeyOf(key)
	if key.ruledOut(own, public) {
		return ErrOtherKey
	}
	return s.Prove(ctx, key, public)
}

// Holder finds the private key of a public key on the token, and says how it was shown to be that: by what the key tells, by
// a signature over a fresh challenge, or by CKA_ID alone where the key could not be asked. It is LinkedByNone where no private
// key is shown to be the one; a key that it may be, and that could not be asked, is given all the same. Where none was found and a key that it may be could not be asked for the token's sake, the error is what the
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
		case slices.Contains(silent, key):
		default:
			own, _ := PublicKeyOf(key)
			if own.Equal(public) {
				return key, key.linkOfOwn(), nil
			}
			if !key.ruledOut(own, public) {
				silent = append(silent, key)
			}
		}
	}
	var failed error
	var possible *Object
	couldAnswer := false // possible could, if it were given the PIN
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
		case errors.As(err, &unable):
			if possible == nil || unable.PIN && !couldAnswer {
				possible, couldAnswer = key, unable.PIN
			}
		case failed == nil:
			failed = err
		}
	}
	switch {
	case failed != nil:
		return nil, LinkedByNone, failed
	case byID != nil:
		return byID, LinkedByID, nil
	}
	return possible, LinkedByNone, nil
}

// HeldBy finds out whether a private key that a person named is the one of a public key: by what it tells, else by a signature over a fresh challenge,
// for which a key may ask for a PIN (Session.Authenticate). It is LinkedByNone where the key could not be asked, and may be the one. The error is
// ErrOtherKey where it is another one, or comes from the token or the context.
func (s *Session) HeldBy(ctx context.Context, key *Object, public pki.PublicKey) (Link, error) {
	if own, known := PublicKeyOf(key); known && own.Equal(public) {
		return key.linkOfOwn(), nil
	}
	err := s.Holds(ctx, key, public)
	var unable *CannotShowError
	switch {
	case err == nil:
		return LinkedBySignature, nil
	case errors.As(err, &unable):
		return LinkedByNone, nil
	}
	return LinkedByNone, err
}

// ask is Prove for a key that is not to ask the person for a PIN; what it answered before stands for it.
func (s *Session) ask(ctx context.Context, key *Object, public pki.PublicKey) error {
	switch {
	case key.answer != nil:
		return key.answer.verify(public)
	case s.wantsPIN(key):
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
