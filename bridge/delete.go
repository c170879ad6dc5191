package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

// DeleteRequest says which private key is to be destroyed. Its certificate and its public key object stay.
type DeleteRequest struct {
	Session   *token.Session // logged in where the token asks for it; it need not write
	Inventory *token.Inventory
	Identity  token.Identity
	Verdict   verdict.Verdict // empty: judged from the inventory

	Copy *KnownCopy // nil where no copy is to be shown
}

// validate judges where no verdict is given, and refuses what cannot be, before the token is touched. Without a private key there is
// nothing to be destroyed.
func (r DeleteRequest) validate() (DeleteRequest, error) {
	err := needs("delete", part{"session", r.Session == nil}, part{"inventory", r.Inventory == nil}, part{"judged copy", r.Copy != nil && r.Copy.Result == nil})
	if err != nil {
		return r, err
	}
	if r.Verdict.Empty() {
		r.Verdict = verdict.Judge(r.Inventory, r.Identity, time.Now())
	}
	if r.Identity.PrivateKey == nil {
		return r, &NoKeyError{r.Verdict}
	}
	return r, nil
}

// KnownCopy is a file that is to be shown to be a copy of a key before that is destroyed.
type KnownCopy struct {
	Path          string // where it is: somewhere else once Delete had to write it again
	Contents      []byte // as they were judged
	Result        *VerifyResult
	AllowVolatile bool // the file may be gone after the next start of the machine

	// Notices are what is to be known of the file once the key is destroyed: that it was written again, or stands where it may not last.
	Notices []verdict.Reason

	saved *archive.SavedFile
	moved bool
}

// NewKnownCopy remembers which file was judged. The error is a *archive.SavedError where another one stands there by now, or one
// that is no regular file.
func NewKnownCopy(path string, contents []byte, judged *VerifyResult) (*KnownCopy, error) {
	saved, err := archive.Remember(path, contents)
	if err != nil {
		return nil, err
	}
	return &KnownCopy{Path: path, Contents: contents, Result: judged, saved: saved}, nil
}

// Moved reports whether the file was taken away or altered while the key was being destroyed, and was written again.
func (c *KnownCopy) Moved() bool { return c != nil && c.moved }

func (c *KnownCopy) onlyCopies() []*onlyCopy {
	if c == nil {
		return nil
	}
	return []*onlyCopy{{c.saved, c.Contents, func(path string, notice verdict.Reason) {
		c.Path, c.moved = path, true
		c.Notices = append(c.Notices, notice)
	}}}
}

// ErrNotDestroyable means that the token does not allow a key to be destroyed (CKA_DESTROYABLE is false, PKCS#11 v3.1 §4.4).
var ErrNotDestroyable = errors.New("the key may not be destroyed")

// KeyRemainsError means that a key was to be destroyed and is still there, that what became of it is not known, or that its copy
// was lost meanwhile.
type KeyRemainsError struct {
	State KeyState
	Key   string // its URI, once the token was asked
	File  string // of the copy
	Err   error
}

// Error says what is known.
func (e *KeyRemainsError) Error() string {
	return fmt.Sprintf("delete the key: %s: %v", e.State, e.Err)
}

// Unwrap gives what the token answered.
func (e *KeyRemainsError) Unwrap() error { return e.Err }

// Deletion is a request that was checked. Nothing else can destroy a key.
type Deletion struct{ request DeleteRequest }

// Check finds out whether the key may be destroyed, and whether the copy is one of this very key; it destroys nothing. A copy
// that is none is in its VerifyResult, and no error: Delete refuses it. The error is a *NoKeyError, ErrWriteProtected, ErrNotDestroyable, a
// *token.CannotShowError, a *archive.FileError for a copy on a medium that does not last, or comes from the token.
func (r DeleteRequest) Check(ctx context.Context) (*Deletion, error) {
	r, err := r.validate()
	if err != nil {
		return nil, err
	}
	key := r.Identity.PrivateKey
	if r.Inventory.Token.Flags.Has(token.CKFWriteProtected) {
		return nil, ErrWriteProtected
	}
	may, err := r.Session.Destroyable(key)
	if err != nil {
		return nil, err
	}
	if may == token.False {
		return nil, ErrNotDestroyable
	}
	if r.Copy == nil || !r.Copy.Result.Valid {
		return &Deletion{r}, nil
	}
	medium, err := archive.CheckLasting(r.Copy.Path)
	if err != nil && !r.Copy.AllowVolatile {
		return nil, err
	}
	if medium != "" {
		r.Copy.Notices = append(r.Copy.Notices, verdict.Because(verdict.FileMayNotLast, verdict.Fact{Name: "file_system", Value: string(medium)}))
	}
	if err := r.Copy.Result.Against(ctx, r.Session, r.Identity, r.Verdict, keyURI(r.Inventory, r.Identity)); err != nil {
		return nil, err
	}
	return &Deletion{r}, nil
}

// Delete destroys the key in a session of its own, as an export does that deletes: the object is read anew; a copy must
// be the file that was judged right before C_DestroyObject and after it, or is written again; the token is listed anew. The error is
// archive.ErrNotProven for a copy that is none, a *KeyRemainsError where the token was asked, or where the copy kept it from that; any
// other means that nothing was done to the key.
func (d *Deletion) Delete(ctx context.Context) (err error) {
	r := d.request
	if r.Copy != nil && !r.Copy.Result.Valid {
		return archive.NotProven("the file that was named as a copy")
	}
	session, err := r.Session.Slot.OpenSession(token.ReadWrite)
	if err != nil {
		return err
	}
	defer func() {
		if closing := session.Close(); err == nil && closing != nil {
			err = &KeyRemainsError{KeyUnknown, keyURI(r.Inventory, r.Identity), r.copyPath(), closing}
		}
	}()
	key := r.Identity.PrivateKey
	reread, err := session.Reread(key)
	if err != nil {
		return err
	}
	if !reread.SameAs(key) {
		return CauseOtherObject
	}
	one := ExportRequest{Session: session, Inventory: r.Inventory, Identity: r.Identity}
	search, err := session.SearchFor(ctx, key)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if state, err := one.destroyKept(ctx, session, search, r.Copy.onlyCopies()); err != nil {
		return &KeyRemainsError{state, keyURI(r.Inventory, r.Identity), r.copyPath(), err}
	}
	return nil
}

// Twins counts the other objects on the token that hold the same private key. They stay when the key's object is destroyed.
func (r DeleteRequest) Twins() int { return twins(r.Identity) }

func twins(identity token.Identity) int {
	n := 0
	for _, o := range identity.Copies {
		if o.Class == token.CKOPrivateKey {
			n++
		}
	}
	return n
}

func (r DeleteRequest) copyPath() string {
	if r.Copy == nil {
		return ""
	}
	return r.Copy.Path
}
