package token

import (
	"context"
	"crypto/rand"
	"fmt"

	"p11bridge/token/pki"
)

// CouldHave tells whether a private key's type and curve, as far as the token tells them, fit a public key.
func (o *Object) CouldHave(public pki.PublicKey) bool { return couldBe(o, public) }

// Holder finds the private key of a public key on the token: by what the objects tell, and for keys of which nothing tells
// the public half by a signature over a fresh challenge. It is false where there is none, and where a key that nothing tells
// of will not sign. The error is for a lost connection and a cancelled context.
func (s *Session) Holder(ctx context.Context, inventory *Inventory, public pki.PublicKey) (key *Object, found bool, err error) {
	var silent []*Object
	for _, identity := range inventory.Identities() {
		switch key := identity.PrivateKey; {
		case key == nil:
		case identity.Public.Equal(public):
			return key, true, nil
		case len(identity.Public.SPKI) == 0 && couldBe(key, public) && key.Attributes.Bool(CKASign) == True &&
			key.Attributes.Bool(CKAAlwaysAuthenticate) != True:
			silent = append(silent, key)
		}
	}
	for _, key := range silent {
		if err := ctx.Err(); err != nil {
			return nil, false, context.Cause(ctx)
		}
		challenge := make([]byte, challengeSize)
		if _, err := rand.Read(challenge); err != nil {
			return nil, false, fmt.Errorf("make a challenge: %w", err)
		}
		signature, scheme, err := s.Sign(key, public, challenge)
		if code, told := CodeOf(err); told && connectionLost(code) {
			return nil, false, err
		}
		if err == nil && public.Verify(challenge, signature, scheme) == nil {
			return key, true, nil
		}
	}
	return nil, false, nil
}
