package guide

import (
	"context"

	"p11bridge/cmd/messages"
)

// check is what a verification is asked for.
type check struct {
	openedCopy
	token *heldToken // whose key the copy is compared with, nil for none
	key   identity
}

// checkCopy leads to `verify`.
func (c *conversation) checkCopy(ctx context.Context) error {
	k := &check{openedCopy: openedCopy{conversation: c}}
	defer k.wipe()
	return walk(ctx, k.chooseFile, k.open, k.chooseAgainst, k.verify)
}

// chooseAgainst asks whether the copy is to be compared with the key on a token, where the same certificate is on one.
func (k *check) chooseAgainst(ctx context.Context) (bool, error) {
	k.token = nil
	if !k.judged.valid() || len(k.judged.Keys) != 1 {
		return false, nil
	}
	found, ok, err := k.look(ctx)
	if err != nil || !ok {
		return false, err
	}
	for _, t := range found.Tokens {
		for _, i := range t.Identities {
			if i.Certificate == nil || i.Certificate.SHA256 != k.judged.Keys[0].CertificateSHA256 {
				continue
			}
			answer, err := k.pick(ctx, "guide.against.title", "", messages.Args{"Token": messages.Own(t.title(k.App))}, 0, "guide.against.no", "guide.against.yes")
			if err == nil && answer == 1 {
				k.token, k.key = &t, i
			}
			return true, err
		}
	}
	return false, nil
}

func (k *check) verify(ctx context.Context) (bool, error) {
	arguments := []string{"verify", k.file}
	if k.token != nil {
		arguments = k.token.onToken(append(arguments, "--against", k.token.objectName(k.key))...)
	}
	if _, err := k.run(ctx, arguments, k.given()); err != nil {
		return true, err
	}
	return true, k.show(arguments)
}
