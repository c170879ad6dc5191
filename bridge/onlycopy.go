package bridge

import (
	"context"
	"errors"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

// onlyCopy is a file that may be the only copy of a key as soon as that is destroyed. Its contents are in memory.
type onlyCopy struct {
	saved    *archive.SavedFile
	contents []byte
	moved    func(path string, notice verdict.Reason) // is told where the contents were written once more
}

// keep looks at the file after the key was destroyed. Where its contents are no longer there, they are written once more.
func (c *onlyCopy) keep() error {
	found := c.saved.Check()
	if found == nil || c.saved.Holds() {
		return nil
	}
	path, err := c.saved.PutBack(c.contents)
	if err != nil {
		return errors.Join(found, err)
	}
	c.moved(path, verdict.Because(verdict.FilePutBack, verdict.Fact{Name: "file", Value: path}, verdict.Fact{Name: "problem", Value: found.Error()}))
	return nil
}

// destroyKept destroys a key, which a search has found. The only copy, and its sealed password where it has one, are looked at with nothing
// but C_DestroyObject to follow, and once more after it, while their contents are still here; there are none where no copy is known.
// Then the token is listed again: C_DestroyObject may answer CKR_OK and do nothing.
func (r ExportRequest) destroyKept(ctx context.Context, session *token.Session, search *token.KeySearch, copies []*onlyCopy) (KeyState, error) {
	for _, copied := range copies {
		if err := copied.saved.Check(); err != nil {
			return stateFor(err), err
		}
	}
	destroyed := session.DestroyKey(r.Identity.PrivateKey)
	var lost error
	for _, copied := range copies {
		lost = errors.Join(lost, copied.keep())
	}
	state, err := listAgain(context.WithoutCancel(ctx), session, search, destroyed)
	if lost != nil && state != KeyStillThere {
		return KeyLost, lost
	}
	return state, err
}

// stateFor is the state of a key that nothing was done to, since the file is not as it was or could not be looked at.
func stateFor(err error) KeyState {
	var saved *archive.SavedError
	if errors.As(err, &saved) && saved.Fault != archive.SavedUncertain {
		return KeyKeptForFile
	}
	return KeyKept
}
