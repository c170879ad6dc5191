package bridge

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

// ExportAllRequest says how the pending items are to be exported.
type ExportAllRequest struct {
	// Each holds what all exports have in common; its session, inventory, identity, verdict and target are set for each.
	Each      ExportRequest
	Directory string
	DraftName string           // the beginning of the names of this run's unfinished files
	Placing   func(string)     // as Target's; may be nil
	Now       func() time.Time // nil: time.Now

	// Began and Ended, where they are not nil, are told of every item that is worked on, by several goroutines at once.
	Began, Ended func(*Item)
}

// validate takes what is needed where nothing is named, and refuses what cannot be, before any token is touched. What an item has
// of its own is validated when its turn comes.
func (r ExportAllRequest) validate() (ExportAllRequest, error) {
	if err := needs("export all", part{"directory", r.Directory == ""}); err != nil {
		return r, err
	}
	var err error
	if r.Each, err = r.Each.validateFile(); err != nil {
		return r, fmt.Errorf("export all: %w", err)
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	for _, callback := range []*func(*Item){&r.Began, &r.Ended} {
		if *callback == nil {
			*callback = func(*Item) {}
		}
	}
	return r, nil
}

// InterruptedError means that the context ended before every item was done. What was done is whole.
type InterruptedError struct{ Done, Total int }

// Error counts.
func (e *InterruptedError) Error() string {
	return fmt.Sprintf("interrupted after %d of %d", e.Done, e.Total)
}

// Unwrap lets it count as a cancelled context.
func (e *InterruptedError) Unwrap() error { return context.Canceled }

// ExportAll exports the pending items, each by Export and with its record, on as many cores as there are and as many
// sessions as the token gives: the password's derivations take nearly all of the time, the token's calls very little. An
// item that fails does not keep the others; a directory that can no longer be written to does, and a token that is gone
// keeps those that are on it. At the end no item is pending, unless the error is an *InterruptedError. Other errors are of
// sessions that did not close.
func ExportAll(ctx context.Context, r ExportAllRequest, items []*Item) error {
	r, err := r.validate()
	if err != nil {
		return err
	}
	var problems []error
	for {
		queue := r.next(items)
		if len(queue) == 0 || ctx.Err() != nil {
			break
		}
		problems = append(problems, r.exportQueue(ctx, queue, items))
	}
	done := countItems(items, func(item *Item) bool { return item.Outcome == Exported && item.Result.Verified() })
	left := countItems(items, func(item *Item) bool { return item.Outcome == Pending })
	if ctx.Err() != nil && left > 0 {
		written := countItems(items, func(item *Item) bool { return item.Outcome == Exported })
		return errors.Join(append([]error{&InterruptedError{Done: done, Total: written + left}}, problems...)...)
	}
	return errors.Join(problems...)
}

func countItems(items []*Item, is func(*Item) bool) int {
	n := 0
	for _, item := range items {
		if is(item) {
			n++
		}
	}
	return n
}

// next is what is to be exported next: of each certificate one item. A second key that is shown to be the certificate's is settled
// by the backup that the first one got, if it got one. A key that is not shown to be so has to leave, too, before anybody knows.
func (r ExportAllRequest) next(items []*Item) []*Item {
	made, chosen := map[string]*Item{}, map[string]bool{}
	for _, item := range items {
		if item.Outcome == Exported && item.Result.Verified() {
			made[item.Record.Certificate.SHA256] = item
		}
	}
	var queue []*Item
	for _, item := range items {
		certificate := item.certificate()
		twin := made[certificate]
		switch {
		case certificate == "" || item.Outcome != Pending && item.Outcome != Refused:
		case twin != nil && archive.Shown(item.Identity) && !item.Mismatched():
			path := filepath.Join(r.Directory, twin.Name+archive.RecordExtension)
			item.Outcome, item.Backup = UpToDate, &archive.Backup{RecordPath: path, Record: twin.Record, File: archive.FileIntact}
		case item.Outcome == Pending && !chosen[certificate]:
			chosen[certificate] = true
			queue = append(queue, item)
		}
	}
	return queue
}

// Mismatched reports whether the key may leave, and was shown to be another one than the certificate's: it has no backup.
func (item *Item) Mismatched() bool {
	return item.Outcome == Refused && item.Verdict.Mismatched()
}

// exportQueue exports the queue, one token after the other. all are the items of the whole run.
func (r ExportAllRequest) exportQueue(ctx context.Context, queue, all []*Item) error {
	var tokens []*token.Session
	queues := map[*token.Session][]*Item{}
	for _, item := range queue {
		session := item.Token.Session
		if queues[session] == nil {
			tokens = append(tokens, session)
		}
		queues[session] = append(queues[session], item)
	}
	var problems []error
	for _, session := range tokens {
		r.Each.shared = issuersOn(queues[session][0].Token.Inventory, r.Each.Pool)
		unwritable, err := r.exportToken(ctx, session, queues[session], all)
		problems = append(problems, err)
		if unwritable != nil {
			fail(all, unwritable)
			break
		}
	}
	return errors.Join(problems...)
}

// exportToken works on one token's items. unwritable is the reason for which no further file can be written.
func (r ExportAllRequest) exportToken(interrupted context.Context, main *token.Session, queue, all []*Item) (unwritable, err error) {
	ctx, stop := context.WithCancelCause(interrupted)
	defer stop(nil)
	keys, ofKey := byKey(queue), map[*token.Object][]*Item{}
	for _, items := range byKey(all) {
		ofKey[items[0].Identity.PrivateKey] = items
	}
	sessions := r.sessionsFor(main, len(keys))
	turns := newTurns(sessions)
	for _, items := range keys {
		if ctx.Err() != nil {
			break
		}
		turns.start(func(turn *turn[*token.Session]) {
			r.exportKey(ctx, stop, turn, items, ofKey[items[0].Identity.PrivateKey])
		})
	}
	turns.finish()
	for _, session := range sessions[1:] {
		err = errors.Join(err, session.Close())
	}
	cause := context.Cause(ctx)
	switch {
	case cause == nil || interrupted.Err() != nil:
		return nil, err
	case token.Lost(cause):
		fail(slices.DeleteFunc(slices.Clone(all), func(item *Item) bool { return item.Token.Session != main }), cause)
		return nil, err
	}
	return cause, err
}

// byKey puts the items of one private key together, in their order: a key with two certificates has two backups.
func byKey(queue []*Item) [][]*Item {
	var keys [][]*Item
	at := map[*token.Object]int{}
	for _, item := range queue {
		i, known := at[item.Identity.PrivateKey]
		if !known {
			i = len(keys)
			at[item.Identity.PrivateKey] = i
			keys = append(keys, nil)
		}
		keys[i] = append(keys[i], item)
	}
	return keys
}

// exportKey works on the items of one key. A key that is to be destroyed is so with its last backup, if all the others that it
// has, in this round or another, are there and proven.
func (r ExportAllRequest) exportKey(ctx context.Context, stop context.CancelCauseFunc, turn *turn[*token.Session], queue, ofKey []*Item) {
	for _, item := range queue {
		if ctx.Err() != nil {
			return
		}
		last := !slices.ContainsFunc(ofKey, func(other *Item) bool { return other != item && !other.backed() })
		r.Began(item)
		r.exportItem(ctx, turn, item, last)
		if item.Result != nil && item.Result.KeyDeleted {
			keyIsGone(ofKey)
		}
		if reason := endsAll(item.Err); reason != nil {
			stop(reason)
		}
		r.Ended(item)
	}
}

// keyIsGone says of all backups of one key that it is no longer on the token.
func keyIsGone(ofKey []*Item) {
	for _, item := range ofKey {
		if item.Result != nil {
			item.Result.KeyDeleted = true
		}
	}
}

// backed reports whether there is a proven backup.
func (item *Item) backed() bool {
	return item.Outcome == UpToDate || item.Outcome == Exported && item.Result.Verified()
}

// sessionsFor is a session for every worker: the one that is there, and as many more as cores, work and token allow.
// Read-only sessions count against CK_TOKEN_INFO.ulMaxSessionCount alone; destroying a key takes a read-write session
// beside. A token that gives fewer than it says, because others hold some, makes fewer workers.
func (r ExportAllRequest) sessionsFor(main *token.Session, work int) []*token.Session {
	workers := min(runtime.GOMAXPROCS(0), work)
	if !main.Slot.Concurrent() {
		workers = 1
	}
	most, mostWriting := int(main.Slot.Token.MaxSessions), int(main.Slot.Token.MaxRWSessions)
	if r.Each.DeleteKey {
		if mostWriting > 0 {
			workers = min(workers, mostWriting)
		}
		most /= 2
	}
	if main.Slot.Token.MaxSessions > 0 {
		workers = min(workers, most)
	}
	sessions := []*token.Session{main}
	for len(sessions) < workers {
		session, err := main.Slot.OpenSession(token.ReadOnly)
		if err != nil {
			break
		}
		sessions = append(sessions, session)
	}
	return sessions
}

// exportItem exports one item and writes its record. A cancelled item stays pending.
func (r ExportAllRequest) exportItem(ctx context.Context, turn *turn[*token.Session], item *Item, mayDelete bool) {
	target := archive.Target{Path: filepath.Join(r.Directory, item.Name+archive.BackupExtension), DraftName: r.DraftName, Placing: r.Placing}
	older, err := r.olderOf(ctx, turn, item, target)
	if err != nil {
		item.end(ctx, err)
		return
	}
	settle := func() error { return nil }
	if r.Each.Sealing != nil {
		if settle, err = older.makeRoom(item); err != nil {
			item.end(ctx, err)
			return
		}
	}
	one := r.Each
	one.turn, one.Session, one.Inventory, one.Identity, one.Verdict = turn, turn.with, item.Token.Inventory, item.Identity, item.Verdict
	one.Target, one.olderPassword = target, older.password
	one.Target.Replaces = older.file
	one.DeleteKey = r.Each.DeleteKey && mayDelete
	one.recording = &recording{target: recordTarget(target), now: r.Now(), named: func(result *ExportResult, record *archive.Record) {
		item.Outcome, item.Result, item.Record = Exported, result, record
		if r.Each.Sealing == nil {
			older.leave(result)
		}
	}}
	_, err = Export(ctx, one)
	item.end(ctx, errors.Join(err, settle()))
}

// end notes what became of an item that was worked on.
func (item *Item) end(ctx context.Context, err error) {
	var refused *RefusedError
	var came *archive.FileError
	var restricted *MethodRefusedError
	switch {
	case err == nil:
	case item.Outcome == Exported: // the key that was to be destroyed is there still, or nobody knows
		item.Err = err
	case errors.As(err, &refused):
		item.Outcome, item.Verdict = Refused, refused.Verdict
	case errors.As(err, &restricted):
		item.Outcome, item.Untried = Refused, true
		item.Verdict.Reasons = append([]verdict.Reason{restricted.Reason}, item.Verdict.Reasons...)
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))):
	case errors.As(err, &came) && came.Fault == archive.FileExists && !errors.As(err, new(*archive.SavedError)):
		item.Outcome, item.Err = Failed, notOwn(came.Path, CauseNotLookedAt)
	default:
		item.Outcome, item.Err = Failed, err
	}
}

// endsAll gives the failure if the next item would meet it as well.
func endsAll(err error) error {
	var file *archive.FileError
	if errors.As(err, &file) && slices.Contains([]archive.FileFault{archive.NotWritable, archive.NoDirectory, archive.FileVolatile}, file.Fault) || token.Lost(err) {
		return err
	}
	return nil
}

func fail(items []*Item, err error) {
	for _, item := range items {
		if item.Outcome == Pending {
			item.Outcome, item.Err = Failed, err
		}
	}
}
