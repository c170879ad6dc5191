package token

import (
	"context"
	"errors"
	"slices"

	"p11bridge/token/pki"
)

// Inventory is everything that a token tells without giving up a secret: plain values, good without the token.
// Every object that was enumerated is in it.
type Inventory struct {
	Module     ModuleInfo  `json:"module"`
	Token      Info        `json:"token"`
	LoggedIn   bool        `json:"logged_in"`
	Mechanisms []Mechanism `json:"mechanisms"`
	Objects    []*Object   `json:"objects"`

	linker *linker // of the objects, once they are complete
}

// Index prepares an inventory whose objects do not change any more for many questions.
func (inventory *Inventory) Index() {
	for _, o := range inventory.Objects {
		if o.Class == CKOPrivateKey || o.Class == CKOPublicKey {
			o.readPublicKey()
		}
	}
	inventory.linker = newLinker(inventory.Objects)
}

// Inventory reads the token's description, mechanisms and objects, as far as the session's login state shows them.
// Attributes that a token does not tell are in the result with the return value that it gave instead.
func (s *Session) Inventory(ctx context.Context) (*Inventory, error) {
	info, err := s.module.tokenInfo(s.Slot.ID) // anew: the login changes the flags
	if err != nil {
		return nil, err
	}
	mechanisms, err := s.module.mechanisms(s.Slot.ID)
	if err != nil {
		return nil, err
	}
	objects, err := s.Objects(ctx)
	if err != nil {
		return nil, err
	}
	l := newLinker(objects)
	if err := s.compareTwins(ctx, l); err != nil {
		return nil, err
	}
	if err := s.settle(ctx, l); err != nil {
		return nil, err
	}
	return &Inventory{Module: s.module.Info, Token: *info, LoggedIn: s.LoggedIn, Mechanisms: mechanisms, Objects: objects, linker: l}, nil
}

// mostUnhinted bounds the keys of a token that are asked for a signature although nothing has their CKA_ID: a card may need a
// second for each.
const mostUnhinted = 16

// settle finds out by a challenge whose a private key is that does not tell its public half. One signature, or one agreement,
// answers for all certificates and public keys on the token, whatever their CKA_ID. A key that may do neither without more ado,
// or with which the token would do neither, stays unsettled; only a lost connection is an error.
func (s *Session) settle(ctx context.Context, l *linker) error {
	unhinted, learnt := 0, false
	for _, key := range l.privateKeys {
		if key.own().known || !key.answersUnasked() {
			continue
		}
		hinted := l.hintsFor(key)
		public, possible := hinted.first(key)
		if !possible {
			if unhinted++; unhinted > mostUnhinted {
				continue
			}
			public, possible = (&hints{halves: l.halves}).first(key)
		}
		if !possible {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		answer, err := s.challengeApart(key, public)
		if Lost(err) {
			return err
		}
		if err != nil {
			key.NoChallenge = err.Error()
			continue
		}
		key.answer = answer
		if hinted.learn(key) || (&hints{halves: l.halves}).learn(key) { // the hinted first: of the others there may be as many as keys
			learnt = true
		} else {
			key.refute(hinted.halves)
		}
	}
	if learnt {
		l.addPrivateKeys()
	}
	return nil
}

// challengeApart has a key answer in a session of its own, which ends with it: a signature that failed may leave an operation open
// that nothing else ends, and a search or the next signature in the same session would fail for it. A token that gives no
// further session is asked in this one.
func (s *Session) challengeApart(key *Object, public pki.PublicKey) (response, error) {
	apart, err := s.Slot.OpenSession(ReadOnly)
	if Lost(err) {
		return nil, err
	}
	if err != nil {
		return s.challenge(key, public)
	}
	answer, err := apart.challenge(key, public)
	if closing := apart.Close(); err == nil && Lost(closing) {
		err = closing
	}
	return answer, err
}

// answersUnasked reports whether the key answers a challenge without a further question to the person.
func (o *Object) answersUnasked() bool {
	return (o.Attributes.Bool(CKASign) != False || o.derives()) && o.Attributes.Bool(CKAAlwaysAuthenticate) != True
}

// hintsFor are the public keys with a private key's CKA_ID.
func (l *linker) hintsFor(key *Object) *hints {
	if h := l.hints[string(key.ID())]; h != nil && len(key.ID()) > 0 {
		return h
	}
	return &hints{}
}

// first is one of the public keys that the private key may have, judged by key type and by curve.
func (h *hints) first(key *Object) (pki.PublicKey, bool) {
	i := slices.IndexFunc(h.halves, func(half *pki.PublicKey) bool { return couldBe(key, *half) })
	if i < 0 {
		return pki.PublicKey{}, false
	}
	return *h.halves[i], true
}

// learn notes which of the public keys fits what the key answered, if one does.
func (h *hints) learn(key *Object) bool {
	for n := range h.halves {
		i := (h.taken + n) % len(h.halves)
		public := h.halves[i]
		if !couldBe(key, *public) || key.answer.verify(*public) != nil {
			continue
		}
		key.ProvenPublicKey = public.SPKI
		key.readPublicKey()
		if i >= h.taken {
			h.halves[i], h.halves[h.taken] = h.halves[h.taken], public
			h.taken++
		}
		return true
	}
	return false
}

// refute notes which of the public keys with the key's CKA_ID do not fit what it answered.
func (o *Object) refute(hinted []*pki.PublicKey) {
	for _, public := range hinted {
		if couldBe(o, *public) && errors.Is(o.answer.verify(*public), ErrOtherKey) {
			o.RefutedPublicKeys = append(o.RefutedPublicKeys, public.SPKI)
		}
	}
}
