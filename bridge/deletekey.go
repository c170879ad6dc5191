package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// KeyState is what is known of a key that was to be destroyed.
type KeyState string

// The states after a deletion that failed.
const (
	KeyKept        KeyState = "kept"         // nothing was done to it
	KeyKeptForFile KeyState = "file-altered" // nothing was done to it, because the file is no longer the one that was proven
	KeyStillThere  KeyState = "still-there"  // the token was asked to destroy it, and lists it
	KeyUnknown     KeyState = "unknown"      // the token was asked to destroy it, and does not tell what it did
	KeyNotFound    KeyState = "not-found"    // nothing was done to it, and it is not where it was: somebody else may have destroyed it
	KeyLost        KeyState = "lost"         // it is destroyed, the file is gone, and could not be written again
)

// DeletionError means that a key was exported and not destroyed, that this could not be found out, or that the file was lost
// meanwhile. But for KeyKeptForFile and KeyLost the file is placed.
type DeletionError struct {
	File  string
	Key   string // its URI
	State KeyState
	Err   error
}

// Error says what is known.
func (e *DeletionError) Error() string { return fmt.Sprintf("delete the key: %s: %v", e.State, e.Err) }

// keyURI names an identity's private key.
func keyURI(inventory *token.Inventory, identity token.Identity) string {
	return inventory.Token.URI().With(identity.PrivateKey).String()
}

// deleteKey destroys the exported private key, and nothing else. The file has its final name and is on disk by then; it is
// read again by that name and proven anew, because from here on it may be the only copy. Another session is opened for
// the deletion alone, since exporting needs none that writes. All that takes time, in which others may touch the file: so it is
// looked at again with nothing but C_DestroyObject to follow, and once more after it, while its contents are still here. Then
// the token is listed again: C_DestroyObject may answer CKR_OK and do nothing. The error is a *DeletionError, which wraps
// nothing: no other method is to be tried for a key that has left.
func (r ExportRequest) deleteKey(ctx context.Context, made *provenFile) error {
	state, err := r.destroyKey(ctx, made)
	if state == KeyKept && (token.Vanished(err) || errors.Is(err, CauseOtherObject)) { // somebody else was there
		state = KeyNotFound
	}
	if err != nil {
		return &DeletionError{File: made.result.File, Key: keyURI(r.Inventory, r.Identity), State: state, Err: err}
	}
	made.result.KeyDeleted = true
	return nil
}

func (r ExportRequest) destroyKey(ctx context.Context, made *provenFile) (state KeyState, err error) {
	if twins(r.Identity) > 0 {
		return KeyKept, CauseThereTwice
	}
	for _, copied := range made.onlyCopies() {
		if err := copied.saved.Check(); err != nil {
			return stateFor(err), err
		}
	}
	file, err := archive.ReadRegular(r.Target.Path, MaxFileSize)
	if err != nil {
		return KeyKept, fmt.Errorf("read the placed file: %w", err)
	}
	if !bytes.Equal(file, made.encoded) {
		return KeyKeptForFile, archive.NotProven("the placed file is not what was proven")
	}
	again := *made.result
	secret.Forget(func() { err = r.proveFile(ctx, file, made, &again, nil) })
	r.erase(err == nil)
	if err != nil {
		return KeyKept, err
	}
	if !again.Verified() {
		return KeyKept, archive.NotProven("by its structure alone")
	}
	if err := ctx.Err(); err != nil {
		return KeyKept, context.Cause(ctx)
	}
	session, err := r.Session.Slot.OpenSession(token.ReadWrite)
	if err != nil {
		return KeyKept, err
	}
	defer func() {
		if closing := session.Close(); err == nil && closing != nil {
			state, err = KeyUnknown, closing
		}
	}()
	session.Authenticate, session.LoggedIn = r.Session.Authenticate, r.Session.LoggedIn
	key := r.Identity.PrivateKey
	reread, err := session.Reread(key)
	if err != nil {
		return KeyKept, err
	}
	if !reread.SameAs(key) {
		return KeyKept, CauseOtherObject // its handle stands for something else by now
	}
	if err := r.provenOf(ctx, session, made.result.Certificate.PublicKey); err != nil {
		return KeyKept, err
	}
	search, err := session.SearchFor(ctx, key)
	if err != nil {
		return KeyKept, err
	}
	return r.destroyKept(ctx, session, search, made.onlyCopies())
}

// onlyCopies are the file as the only copy of the key, and the sealed password without which it is none. The result says where they were
// written once more.
func (made *provenFile) onlyCopies() []*onlyCopy {
	keep := func(saved *archive.SavedFile, contents []byte, moved *string) *onlyCopy {
		return &onlyCopy{saved, contents, func(path string, notice verdict.Reason) {
			*moved = path
			made.result.Notices = append(made.result.Notices, notice)
		}}
	}
	copies := []*onlyCopy{keep(made.saved, made.encoded, &made.result.File)}
	if made.savedPassword != nil {
		copies = append(copies, keep(made.savedPassword, made.sealed, &made.result.SealedFile))
	}
	return copies
}

// provenOf shows that the key that is about to be destroyed is the one in the file: by its signature. A key that may not sign
// was carried out under its own handle and turned out to be the one that its objects on the token tell of.
func (r ExportRequest) provenOf(ctx context.Context, session *token.Session, public pki.PublicKey) error {
	key := r.Identity.PrivateKey
	if key.Attributes.Bool(token.CKASign) == token.False && r.Identity.Public.Equal(public) {
		return nil
	}
	if err := session.Prove(ctx, key, public); err != nil {
		return fmt.Errorf("the key on the token could not be shown to be the one in the file: %w", err)
	}
	return nil
}

// listAgain finds out what became of the key. What C_DestroyObject answered only matters where the list does not tell.
func listAgain(ctx context.Context, session *token.Session, search *token.KeySearch, destroyed error) (KeyState, error) {
	gone, err := search.Gone(ctx, session)
	switch {
	case err != nil:
		return KeyUnknown, errors.Join(destroyed, err)
	case gone && destroyed != nil:
		return KeyUnknown, destroyed
	case gone:
		return "", nil
	case destroyed == nil:
		destroyed = CauseStillListed
	}
	return KeyStillThere, destroyed
}
