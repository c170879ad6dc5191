package bridge

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

// Outcome is what becomes of one identity when all are exported.
type Outcome string

// The outcomes.
const (
	Pending    Outcome = "pending"     // to be exported
	Exported   Outcome = "exported"    // written and placed, with its record
	UpToDate   Outcome = "up-to-date"  // its backup is there, unchanged
	Refused    Outcome = "refused"     // it cannot leave; the verdict says why
	Failed     Outcome = "failed"      // it could not be exported this time; Err says why
	WithoutKey Outcome = "without-key" // nothing to back up: a certificate or a public key alone
)

// OpenToken is a token with a session in which it was read.
type OpenToken struct {
	Session   *token.Session
	Inventory *token.Inventory
}

// Item is one identity on its way through an export of all.
type Item struct {
	Token    OpenToken
	Identity token.Identity
	Verdict  verdict.Verdict
	Outcome  Outcome
	Name     string          // of its files, without ending; empty where it gets none
	Backup   *archive.Backup // for UpToDate: the one that is there
	Receipt  *Receipt        // for Exported
	Record   *archive.Record // for Exported
	Err      error           // for Failed; for Exported a *DeletionError

	replaces bool  // a file of that name is there and not to be relied on
	same     *Item // an identity with the same certificate, whose backup serves this one too
}

// PlanExport decides what is to be done with every identity on the tokens: nothing where the archive has an intact backup
// of the same certificate and key, whatever token it came from. With remake a backup is made anew all the same. Nothing is
// left out of the result.
func PlanExport(tokens []OpenToken, backups *archive.Archive, remake bool, now time.Time) []*Item {
	var items []*Item
	first := map[string]*Item{}
	for _, t := range tokens {
		for _, identity := range t.Inventory.Identities() {
			item := &Item{Token: t, Identity: identity, Verdict: verdict.Judge(t.Inventory, identity, now)}
			item.plan(backups, remake)
			items = append(items, item)
			if item.Outcome != Pending {
				continue
			}
			certificate := identity.Certificate.Parsed.SHA256()
			if earlier := first[certificate]; earlier != nil {
				item.same, item.Name = earlier, earlier.Name
			} else {
				first[certificate] = item
			}
		}
	}
	return items
}

func (item *Item) plan(backups *archive.Archive, remake bool) {
	identity := item.Identity
	leaves := identity.PrivateKey != nil && !item.Verdict.Final()
	backup := backups.BackupOf(identity)
	switch {
	case backup != nil && backup.File == archive.FileIntact && !(remake && leaves && identity.Certificate != nil):
		item.Outcome, item.Backup = UpToDate, backup
	case identity.PrivateKey == nil:
		item.Outcome = WithoutKey
	case !leaves:
		item.Outcome = Refused
	case identity.Certificate == nil:
		item.Outcome = Refused
		item.Verdict = item.Verdict.Refuse(verdict.Because(verdict.KeyWithoutCertificate, verdict.Fact{Name: "CKA_ID", Value: verdict.HexText(identity.PrivateKey.ID())}))
	default:
		item.Outcome = Pending
		item.Name, item.replaces = backups.NameFor(identity.Label(), identity.Certificate.Parsed.SHA256())
	}
}

// ExportAllRequest says how the pending items are to be exported.
type ExportAllRequest struct {
	// Each holds what all exports have in common; its session, inventory, identity, verdict and target are set for each.
	Each      ExportRequest
	Directory string
	DraftName string // the beginning of the names of this run's unfinished files
	Now       func() time.Time

	// Began and Ended are told of every item that is worked on, by several goroutines at once.
	Began, Ended func(*Item)
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
	var tokens []*token.Session
	queues := map[*token.Session][]*Item{}
	total := 0
	for _, item := range items {
		if item.Outcome == Pending && item.same == nil {
			session := item.Token.Session
			if queues[session] == nil {
				tokens = append(tokens, session)
			}
			queues[session] = append(queues[session], item)
			total++
		}
	}
	var problems []error
	var unwritable error
	for _, session := range tokens {
		if unwritable == nil {
			var err error
			r.Each.onToken = TokenCertificates(queues[session][0].Token.Inventory)
			unwritable, err = r.exportToken(ctx, session, queues[session])
			problems = append(problems, err)
		}
		if unwritable != nil {
			fail(queues[session], unwritable)
		}
	}
	if ctx.Err() != nil {
		done := 0
		for _, item := range items {
			if item.Outcome == Exported {
				done++
			}
		}
		if done < total {
			return errors.Join(append([]error{&InterruptedError{Done: done, Total: total}}, problems...)...)
		}
	}
	r.shareBackups(items)
	return errors.Join(problems...)
}

// exportToken works on one token's items. unwritable is the reason for which no further file can be written.
func (r ExportAllRequest) exportToken(interrupted context.Context, main *token.Session, queue []*Item) (unwritable, err error) {
	ctx, stop := context.WithCancelCause(interrupted)
	defer stop(nil)
	keys := byKey(queue)
	sessions := r.sessionsFor(main, len(keys))
	work := make(chan []*Item)
	var workers sync.WaitGroup
	for _, session := range sessions {
		workers.Go(func() {
			for items := range work {
				r.exportKey(ctx, stop, session, items)
			}
		})
	}
	for _, items := range keys {
		if ctx.Err() != nil {
			break
		}
		work <- items
	}
	close(work)
	workers.Wait()
	for _, session := range sessions[1:] {
		err = errors.Join(err, session.Close())
	}
	cause := context.Cause(ctx)
	switch {
	case cause == nil || interrupted.Err() != nil:
		return nil, err
	case token.Lost(cause):
		fail(queue, cause)
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

// exportKey works on the items of one key. A key that is to be destroyed is so with its last backup, if all others are
// there and proven.
func (r ExportAllRequest) exportKey(ctx context.Context, stop context.CancelCauseFunc, session *token.Session, items []*Item) {
	all := true
	for i, item := range items {
		if ctx.Err() != nil {
			return
		}
		r.Began(item)
		r.exportItem(ctx, session, item, all && i == len(items)-1)
		all = all && item.Outcome == Exported && item.Receipt.Verified()
		if reason := endsAll(item.Err); reason != nil {
			stop(reason)
		}
		r.Ended(item)
	}
}

// sessionsFor is a session for every worker: the one that is there, and as many more as cores, work and token allow.
// Read-only sessions count against CK_TOKEN_INFO.ulMaxSessionCount alone; destroying a key takes a read-write session
// beside. A token that gives fewer than it says, because others hold some, makes fewer workers.
func (r ExportAllRequest) sessionsFor(main *token.Session, work int) []*token.Session {
	workers := min(runtime.GOMAXPROCS(0), work)
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
func (r ExportAllRequest) exportItem(ctx context.Context, session *token.Session, item *Item, mayDelete bool) {
	target := func(ending string, force bool) archive.Target {
		return archive.Target{Path: filepath.Join(r.Directory, item.Name+ending), Force: force, DraftName: r.DraftName}
	}
	one := r.Each
	one.Session, one.Inventory, one.Identity, one.Verdict = session, item.Token.Inventory, item.Identity, item.Verdict
	one.Target = target(archive.BackupExtension, item.replaces)
	one.DeleteKey = r.Each.DeleteKey && mayDelete
	one.placed = func(receipt *Receipt) error {
		record := NewRecord(one.Inventory, one.Identity, receipt, r.Now())
		err := record.Write(target(archive.RecordExtension, true))
		if err == nil {
			item.Outcome, item.Receipt, item.Record = Exported, receipt, record
		}
		return err
	}
	_, err := Export(ctx, one)
	var refused *RefusedError
	switch {
	case err == nil:
	case item.Outcome == Exported: // the key that was to be destroyed is there still, or nobody knows
		item.Err = err
	case errors.As(err, &refused):
		item.Outcome, item.Verdict = Refused, refused.Verdict
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))):
	default:
		item.Outcome, item.Err = Failed, err
	}
}

// endsAll tells the failures that the next item would meet as well.
func endsAll(err error) error {
	var file *archive.FileError
	if errors.As(err, &file) && (file.Fault == archive.NotWritable || file.Fault == archive.NoDirectory) || token.Lost(err) {
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

// shareBackups settles the identities whose certificate another one has too: a second copy of the key, on this token or on
// another, has the same backup.
func (r ExportAllRequest) shareBackups(items []*Item) {
	made := map[string]*Item{}
	for _, item := range items {
		if item.Outcome == Exported {
			made[item.Record.Certificate.SHA256] = item
		}
	}
	for _, item := range items {
		if item.Outcome != Pending && item.Outcome != Refused || item.Identity.Certificate == nil || item.Identity.Certificate.Parsed == nil {
			continue
		}
		if twin := made[item.Identity.Certificate.Parsed.SHA256()]; twin != nil {
			path := filepath.Join(r.Directory, twin.Name+archive.RecordExtension)
			item.Outcome, item.Backup = UpToDate, &archive.Backup{RecordPath: path, Record: twin.Record, File: archive.FileIntact}
		} else if item.same != nil {
			item.Outcome, item.Verdict, item.Err = item.same.Outcome, item.same.Verdict, item.same.Err
		}
	}
}
