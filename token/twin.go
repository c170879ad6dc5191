package token

import (
	"context"
	"errors"
)

// mostTwins bounds the keys of a token that are asked for a signature because another one tells the same public half.
const mostTwins = 16

// compareTwins has private keys that tell one public half answer a challenge each: of several objects one is chosen to leave or to
// sign for all, and one whose public attributes are another key's would hide the good ones. What an object tells of itself is taken
// back where it answers otherwise and a twin of it answers right; where none does, it is the token that does not sign. Only a lost
// connection is an error.
func (a *asking) compareTwins(ctx context.Context, l *linker) error {
	asked, learnt := 0, false
	for _, key := range l.privateKeys {
		own := key.own()
		public, twins := own.public, l.holdersOf(own.public).privates
		if !own.known || len(twins) < 2 || twins[0] != key {
			continue
		}
		var liars []*Object
		shown := false
		for _, twin := range twins {
			if asked++; asked > mostTwins || !a.main.answersUnasked(twin) {
				continue
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			answer, err := a.apart[0].challenge(twin, public)
			if Lost(err) {
				return err
			}
			if err != nil {
				continue
			}
			switch err := answer.verify(public); {
			case err == nil:
				shown = true
			case errors.Is(err, ErrOtherKey):
				liars = append(liars, twin)
			}
		}
		for _, liar := range liars {
			if shown {
				liar.RefutedPublicKeys = append(liar.RefutedPublicKeys, public.SPKI)
				liar.readPublicKey()
				learnt = true
			}
		}
	}
	if learnt {
		l.addPrivateKeys()
	}
	return nil
}
