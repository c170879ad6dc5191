package bridge

import (
	"context"
	"io"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

// mostTried bounds how many keys Try tries: a token on which nothing was backed up yet may hold very many, and its first export tries
// them all.
const mostTried = 1000

// Try settles by a wrap whether the keys can leave that need a first backup by what their token lists: a listed mechanism is no proof, and
// export --all would meet the refusal. What comes out of a wrap is thrown away. The error comes from the token.
func Try(ctx context.Context, tokens []OpenToken, status *archive.BackupStatus, random io.Reader) error {
	sessions := map[*token.Inventory]*token.Session{}
	for _, t := range tokens {
		sessions[t.Inventory] = t.Session
	}
	tried := 0
	for i := range status.Keys {
		key := &status.Keys[i]
		session := sessions[key.Inventory]
		if !key.Untried() || session == nil || tried == mostTried {
			continue
		}
		tried++
		judged, err := try(ctx, session, key.Inventory, key.Identity.PrivateKey, key.Verdict, random)
		if err != nil {
			return err
		}
		if judged.Has(verdict.WrapFailed) { // it has no backup, whatever a token that fails answers
			continue
		}
		key.Tried(judged)
	}
	return nil
}

// try is the verdict on a key after its ways out were tried, as an export takes them. The error comes from the token.
func try(ctx context.Context, session *token.Session, inventory *token.Inventory, key *token.Object, judged verdict.Verdict, random io.Reader) (verdict.Verdict, error) {
	attempts, err := session.ProbeUntil(ctx, key, inventory.Mechanisms, judged.Method == verdict.MethodShroud, random)
	if err != nil {
		return judged, err
	}
	return verdict.Tried(inventory, key, judged, attempts), nil
}
