package token

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"p11bridge/token/pki"
)

// mostUnhinted bounds the keys of a token that are asked for a signature although nothing has their CKA_ID: a card may need a
// second for each.
const mostUnhinted = 16

// question is a private key that does not tell its public half, with one that it may have and those that its CKA_ID hints at.
type question struct {
	key    *Object
	public pki.PublicKey
	hinted *hints

	answer response
	err    error
}

// settle finds out by a challenge whose a private key is that does not tell its public half. One signature, or one agreement,
// answers for all certificates and public keys on the token, whatever their CKA_ID. A key that may do neither without more ado,
// or with which the token would do neither, stays unsettled; only a lost connection is an error. Where there are several sessions the keys
// are asked over all of them at once. Which key is asked what is settled before, and what an answer says of which key after it, in the order
// of the keys: so the result is the same over one session.
func (a *asking) settle(ctx context.Context, l *linker) error {
	questions := l.questions(a.main)
	if err := a.ask(ctx, questions); err != nil {
		return err
	}
	learnt := false
	for _, q := range questions {
		if q.err != nil {
			q.key.NoChallenge = q.err.Error()
			if Vanished(q.err) {
				a.vanished = append(a.vanished, q.key)
			}
			continue
		}
		q.key.answer, q.key.Answered = q.answer, true
		if q.hinted.learn(q.key) || (&hints{halves: l.halves}).learn(q.key) { // the hinted first: of the others there may be as many as keys
			learnt = true
		} else {
			q.key.refute(q.hinted.halves)
		}
	}
	if learnt {
		l.addPrivateKeys()
	}
	return nil
}

// questions are what the keys are to be asked.
func (l *linker) questions(s *Session) []*question {
	var questions []*question
	unhinted := 0
	for _, key := range l.privateKeys {
		if key.own().known || !s.answersUnasked(key) {
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
		if possible {
			questions = append(questions, &question{key: key, public: public, hinted: hinted})
		}
	}
	return questions
}

// ask asks the questions, over as many sessions as there are. The first lost connection ends all of it, and is the error.
func (a *asking) ask(ctx context.Context, questions []*question) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var running sync.WaitGroup
	for _, one := range a.apart {
		running.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(questions) || ctx.Err() != nil {
					return
				}
				q := questions[i]
				if q.answer, q.err = one.challenge(q.key, q.public); Lost(q.err) {
					stop(q.err)
				}
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// answersUnasked reports whether the key answers a challenge without a further question to the person.
func (s *Session) answersUnasked(key *Object) bool {
	return (key.Attributes.Bool(CKASign) != False || key.derives()) && !s.wantsPIN(key)
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
