package bridge

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"runtime"
	"sync"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/secret"
)

// CheckAllRequest says how the copies of a directory are to be checked.
type CheckAllRequest struct {
	// Password gives the passwords that are tried on a copy, one after the other: the first for n = 0, and nil where there is no other. It is
	// called only for a copy that has a password, by several goroutines at once. A *SealedError is that copy's failure; any other ends the run.
	Password func(c *CheckedCopy, n int) (*secret.Text, error)
	// Tokens are throw-away tokens that every copy is restored to: each call empties the token and gives a session of it, read-write and
	// logged in. As many copies are checked at once as there are tokens. Without any, the copies are checked in memory.
	Tokens []func(context.Context) (*token.Session, error)
	Now    time.Time // zero: the time of the call
	Random io.Reader // nil: crypto/rand

	// Began and Ended, where they are not nil, are told of every copy, by several goroutines at once.
	Began, Ended func(*CheckedCopy)
}

// validate takes what is needed where nothing is named.
func (r CheckAllRequest) validate() CheckAllRequest {
	if r.Now.IsZero() {
		r.Now = time.Now()
	}
	r.Random = randomOr(r.Random)
	if r.Password == nil {
		r.Password = func(*CheckedCopy, int) (*secret.Text, error) { return nil, needs("check all", part{"password", true}) }
	}
	for _, callback := range []*func(*CheckedCopy){&r.Began, &r.Ended} {
		if *callback == nil {
			*callback = func(*CheckedCopy) {}
		}
	}
	return r
}

// CheckAll opens every copy, compares it with its record and, where there are tokens, restores each of its keys to one, where it signs.
// A copy that fails does not keep the others. At the end none is pending, unless the error is an *InterruptedError. Other errors are of
// the password.
func CheckAll(ctx context.Context, r CheckAllRequest, copies []*CheckedCopy) error {
	r = r.validate()
	tokens := r.Tokens
	if len(tokens) == 0 {
		tokens = make([]func(context.Context) (*token.Session, error), min(runtime.GOMAXPROCS(0), max(1, len(copies))))
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	turns := newTurns(tokens)
	for _, c := range copies {
		if ctx.Err() != nil {
			break
		}
		turns.start(func(turn *turn[func(context.Context) (*token.Session, error)]) {
			r.Began(c)
			if err := r.check(ctx, c, turn.with); err != nil {
				stop(err)
			}
			turn.worked()
			r.Ended(c)
		})
	}
	turns.finish()
	cause := context.Cause(ctx)
	var password *checkPasswordError
	switch pending := pendingChecks(copies); {
	case errors.As(cause, &password):
		return password.err
	case cause != nil && pending > 0:
		return &InterruptedError{Done: len(copies) - pending, Total: len(copies)}
	}
	return nil
}

func pendingChecks(copies []*CheckedCopy) int {
	n := 0
	for _, c := range copies {
		if c.Outcome == CheckPending {
			n++
		}
	}
	return n
}

// OwnPasswordError means that the password of one copy is not to be had, where each copy has its own: the next one may have.
type OwnPasswordError struct{ Err error }

// Error is the cause's.
func (e *OwnPasswordError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *OwnPasswordError) Unwrap() error { return e.Err }

// checkPasswordError ends the whole run: the next copy would meet it as well.
type checkPasswordError struct{ err error }

func (e *checkPasswordError) Error() string { return e.err.Error() }

func (e *checkPasswordError) Unwrap() error { return e.err }

// check finds out about one copy. One that was interrupted stays pending. The error ends the run.
func (r CheckAllRequest) check(ctx context.Context, c *CheckedCopy, empty func(context.Context) (*token.Session, error)) error {
	file, there := r.readCopy(c)
	if !there {
		return nil
	}
	for n := 0; ; n++ {
		request, none := r.verifyRequest(c, file, n)
		reasonsSoFar := c.Reasons
		c.Reasons = nil
		var err error
		if empty == nil {
			err = r.verifyCopy(ctx, c, request)
		} else {
			err = r.restoreCopy(ctx, c, request, empty)
		}
		if none() { // what came of the password before stands
			c.Reasons = reasonsSoFar
			return nil
		}
		if err := r.settle(ctx, c, err); err != nil || !c.wrongPassword() {
			return err
		}
		if c.Backup != nil { // its SHA-256 is right, so that it is not damaged
			c.Outcome = CheckLocked
		}
	}
}

// settle notes what came of opening a copy.
func (r CheckAllRequest) settle(ctx context.Context, c *CheckedCopy, err error) error {
	var password *checkPasswordError
	var invalid *InvalidCopyError
	var unjudged *UnjudgedError
	switch {
	case err == nil:
		r.holdAgainstRecord(c)
	case errors.As(err, &password):
		return password
	case ctx.Err() != nil:
		c.Keys = nil
	case errors.As(err, &invalid):
		c.Outcome, c.Reasons = CheckInvalid, invalid.Reasons
	case errors.As(err, &unjudged):
		c.Outcome, c.Reasons = CheckUnjudged, unjudged.Reasons
	default:
		c.Outcome, c.Err = CheckFailed, err
	}
	return nil
}

// readCopy reads the file, which must be the one of its record.
func (r CheckAllRequest) readCopy(c *CheckedCopy) (file []byte, there bool) {
	found := verdict.Fact{Name: "file", Value: c.Path}
	if c.Backup != nil && c.Backup.File == archive.FileMissing {
		c.Outcome, c.Reasons = CheckMissing, []verdict.Reason{verdict.Because(verdict.BackupFileMissing, found, verdict.Fact{Name: "created", Value: c.Backup.Record.Created})}
		return nil, false
	}
	file, err := archive.ReadRegular(c.Path, MaxFileSize)
	if c.Backup == nil {
		if err != nil {
			c.Outcome, c.Err = CheckFailed, &fs.PathError{Op: "read", Path: c.Path, Err: err}
		}
		return file, err == nil
	}
	if err != nil || archive.Digest(file) != c.Backup.Record.SHA256 {
		evidence := []verdict.Fact{found, {Name: "sha256", Value: c.Backup.Record.SHA256}}
		if err != nil {
			evidence = append(evidence, verdict.Fact{Name: "problem", Value: err.Error()})
		}
		c.Outcome, c.Reasons = CheckChanged, []verdict.Reason{verdict.Because(verdict.BackupFileChanged, evidence...)}
		return nil, false
	}
	if b := c.Backup; b.PasswordLost() {
		c.Outcome = CheckMissing
		if b.Password == archive.FileChanged {
			c.Outcome = CheckChanged
		}
		c.Reasons = []verdict.Reason{b.PasswordReason()}
		return nil, false
	}
	return file, true
}

// errNoOtherPassword ends the trying of passwords.
var errNoOtherPassword = errors.New("no other password is known")

// verifyRequest asks for the password with the number n. none tells that there was none.
func (r CheckAllRequest) verifyRequest(c *CheckedCopy, file []byte, n int) (request VerifyRequest, none func() bool) {
	missing := false
	password := sync.OnceValues(func() (*secret.Text, error) {
		password, err := r.Password(c, n)
		switch missing = err == nil && password == nil; {
		case missing:
			return nil, errNoOtherPassword
		case errors.As(err, new(*SealedError)) || errors.As(err, new(*OwnPasswordError)):
			return nil, err
		case err != nil:
			return nil, &checkPasswordError{err}
		}
		return password, nil
	})
	sealed := c.Backup != nil && c.Backup.Record.Sealed != nil
	return VerifyRequest{File: file, Now: r.Now, Sealed: sealed, Password: password, later: true}, func() bool { return missing && n > 0 }
}

// verifyCopy opens the copy with its keys in memory.
func (r CheckAllRequest) verifyCopy(ctx context.Context, c *CheckedCopy, request VerifyRequest) error {
	v, err := Verify(ctx, request)
	if err == nil {
		err = v.failure()
	}
	if err != nil {
		return err
	}
	c.Outcome, c.Reasons, c.Keys = CheckVerified, append(c.Reasons, v.Reasons...), nil
	for _, key := range v.Keys {
		c.Keys = append(c.Keys, CheckedKey{Name: key.Title(), Certificate: key.Certificate})
	}
	return nil
}

// restoreCopy restores every key of the copy to a token of its own. What the token cannot hold, or not sign with, is checked in memory.
func (r CheckAllRequest) restoreCopy(ctx context.Context, c *CheckedCopy, request VerifyRequest, empty func(context.Context) (*token.Session, error)) error {
	copies, err := OpenCopies(ctx, request)
	var not *NotRestoredError
	if errors.As(err, &not) {
		c.KeysLeft = true
		return r.verifyCopy(ctx, c, request) // which gives the reason
	}
	if err != nil {
		return err
	}
	c.KeysLeft = KeysAreLeft(copies)
	for _, one := range copies {
		done, err := r.restoreKey(ctx, c, one, empty)
		switch {
		case errors.As(err, &not):
			c.Reasons = not.Reasons
			return r.verifyCopy(ctx, c, request)
		case err != nil:
			return err
		case !done.Verified():
			c.Reasons = done.Notices
			return r.verifyCopy(ctx, c, request)
		}
		if len(c.Keys) == 0 {
			c.Reasons = done.Notices
		}
		c.Keys = append(c.Keys, CheckedKey{Name: one.Title(), Certificate: done.Certificate, Method: done.Method, Mechanism: done.Mechanism, Proof: done.Proof})
	}
	c.Outcome = CheckRestored
	if c.KeysLeft { // what is not restored is not called so
		c.Outcome = CheckVerified
	}
	for _, left := range copies[0].left {
		c.Keys = append(c.Keys, CheckedKey{Name: left.Title(), Certificate: left.Certificate})
	}
	return nil
}

func (r CheckAllRequest) restoreKey(ctx context.Context, c *CheckedCopy, one *Copy, empty func(context.Context) (*token.Session, error)) (done *RestoreResult, err error) {
	session, err := empty(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	inventory, err := session.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	request := RestoreRequest{Session: session, Inventory: inventory, Copy: one, Random: r.Random, later: true}
	if c.Backup != nil {
		request.Record = c.Backup.Record
	}
	return Restore(ctx, request)
}

// holdAgainstRecord compares what is in the copy with what its record says is in it.
func (r CheckAllRequest) holdAgainstRecord(c *CheckedCopy) {
	if c.Backup == nil {
		return
	}
	record := c.Backup.Record
	for _, key := range c.Keys {
		if key.Certificate != nil && key.Certificate.SHA256() == record.Certificate.SHA256 && archive.Digest(key.Certificate.PublicKey.SPKI) == record.PublicKeySHA256 {
			return
		}
	}
	c.Outcome = CheckInvalid
	c.Reasons = []verdict.Reason{verdict.Because(verdict.BackupNotAsRecorded, verdict.Fact{Name: "file", Value: c.Path},
		verdict.Fact{Name: "record", Value: c.Backup.RecordPath}, verdict.Fact{Name: "certificate_sha256", Value: record.Certificate.SHA256})}
}

// NoteDrill writes into the records of the copies that were restored when that was. A record that was replaced meanwhile is left alone.
// The share of the directory is kept from other runs that write there. The error is an *archive.FileError.
func NoteDrill(directory string, shard archive.Shard, copies []*CheckedCopy, now time.Time) (err error) {
	reserved, err := archive.Reserve(directory, shard)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reserved.Release()) }()
	for _, c := range copies {
		if c.Outcome != CheckRestored || c.Backup == nil {
			continue
		}
		record, err := archive.ReadRecord(c.Backup.RecordPath)
		if err != nil || record.SHA256 != c.Backup.Record.SHA256 {
			continue
		}
		record.LastDrill = now.UTC().Format(time.RFC3339)
		if err := record.Write(archive.Target{Path: c.Backup.RecordPath, Force: true}); err != nil {
			return err
		}
	}
	return nil
}
