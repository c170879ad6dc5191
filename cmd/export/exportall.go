package export

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
)

// unreadOf are the objects of all tokens that could not be read, and may be keys.
func unreadOf(tokens []bridge.OpenToken) []verdict.Reason {
	unread := []verdict.Reason{}
	for _, t := range tokens {
		if t.Inventory.PassedOver != "" {
			unread = append(unread, verdict.PassedOverReason(t.Inventory))
		}
		for _, object := range t.Inventory.Unread() {
			unread = append(unread, verdict.UnreadReason(t.Inventory, object))
		}
	}
	return unread
}

// runExportAll exports every identity that has no backup in the directory yet.
func runExportAll(ctx context.Context, w *frame.Worker, o *exportOptions) (frame.Result, error) {
	shard, err := o.shard.Shard()
	if err != nil {
		return frame.Result{}, err
	}
	each, err := o.request(w.App)
	if err != nil {
		return frame.Result{}, err
	}
	each.DeleteKey = o.deleteKey
	request := bridge.ExportAllRequest{Each: each, Directory: o.dir, Now: w.Now, Placing: w.Placing}
	var reserved *archive.Reservation
	if !o.dryRun {
		if request.DraftName, err = archive.NewDraftName(); err != nil {
			return frame.Result{}, err
		}
		if reserved, err = archive.Reserve(o.dir, shard); err != nil {
			return frame.Result{}, err
		}
		w.Opened(reserved.Release)
		w.Scratch(filepath.Join(o.dir, request.DraftName))
		defer w.Scratch("")
	}
	backups, err := archive.Read(ctx, o.dir)
	var missing *archive.FileError
	if o.dryRun && errors.As(err, &missing) && missing.Fault == archive.DirectoryMissing {
		backups, err = &archive.Archive{Directory: o.dir}, nil // it would be made
	}
	if err != nil {
		return frame.Result{}, err
	}
	tokens, err := w.Tokens(ctx, false, false)
	if err != nil {
		return frame.Result{}, err
	}
	items := bridge.PlanExport(tokens, backups, shard, o.force || o.deleteKey, w.Now()) // a key leaves for good only with a copy proven now
	var ended error                                                                     // of a run that was interrupted, or whose sessions did not close: the files that it wrote stand
	if o.dryRun {
		request.Foresee(items)
	} else {
		ended = exportPending(ctx, w.App, o, request, items)
	}
	if ended != nil && countOutcome(items, bridge.Exported) == 0 {
		return frame.Result{}, ended
	}
	unread := unreadOf(tokens)
	shown := viewAll(o, shard, items, unread)
	result := frame.Result{JSON: shown, Text: func(p *frame.Printer) { printAll(p, o, items, shown) }, Code: partly(o, items, len(unread))}
	if ended != nil {
		return frame.Result{}, errors.Join(w.Deliver(result), ended)
	}
	if reserved != nil && result.Code != frame.ExitFailed { // status is asked next, also where no key can leave
		reserved.Keep()
	}
	return result, nil
}

// exportPending asks for the password, once for all files, where there is one to be written.
func exportPending(ctx context.Context, a *frame.App, o *exportOptions, r bridge.ExportAllRequest, items []*bridge.Item) error {
	pending := countOutcome(items, bridge.Pending)
	if pending == 0 {
		return nil
	}
	forget, err := setPassword(ctx, a, o, &r.Each)
	if err != nil {
		return err
	}
	defer forget()
	p := terminal.NewProgress(a.Progress(), a.Text, pending)
	defer p.End()
	r.Began = func(item *bridge.Item) { p.Began(item.Name) }
	r.Ended = func(item *bridge.Item) { p.Ended(outcomeLine(a, item)) }
	return bridge.ExportAll(ctx, r, items)
}

// outcomeLine says in one line what became of an item.
func outcomeLine(a *frame.App, item *bridge.Item) string {
	args := messages.Args{"File": foreign.Text(item.Name + ".pfx"), "Label": item.Identity.Label()}
	switch {
	case item.Result != nil && !item.Result.Verified():
		return a.Text("export-all.line.unproven", args)
	case item.Err != nil:
		args["Problem"] = messages.Own(a.Describe(item.Err).Text(a))
		return a.Text("export-all.line.failed", args)
	case item.Result != nil && item.Result.KeyDeleted:
		return a.Text("export-all.line.deleted", args)
	case item.Result != nil:
		return a.Text("export-all.line.exported", args)
	case item.Outcome == bridge.Refused:
		id := "export-all.line.refused"
		if item.Undone() {
			id = "export-all.line.undone"
		}
		refused := a.Text(id, args)
		if len(item.Verdict.Reasons) == 0 {
			return refused
		}
		return a.Because(refused, item.Verdict.Reasons[0])
	}
	return a.Text("export-all.line.interrupted", args)
}

func countOutcome(items []*bridge.Item, outcomes ...bridge.Outcome) int {
	n := 0
	for _, item := range items {
		if slices.Contains(outcomes, item.Outcome) {
			n++
		}
	}
	return n
}

// partly is the exit code for a run after which a key that may leave has no proven backup, or a file has to be looked after. A key
// that cannot leave does not count; an object that could not be read does. A run that failed with everything that it tried, and found nothing
// up to date, did nothing in part.
func partly(o *exportOptions, items []*bridge.Item, unread int) int {
	undone, withoutRecord, done := unread, 0, countOutcome(items, bridge.Exported, bridge.UpToDate)
	if o.dryRun {
		done += countOutcome(items, bridge.Pending)
	}
	for _, item := range items {
		if item.Undone() {
			undone++
		}
		var standing *archive.SavedError
		if errors.As(item.Err, &standing) && standing.Fault == archive.SavedWithoutRecord {
			withoutRecord++
		}
	}
	switch {
	case undone == 0:
		return frame.ExitDone
	case unread+countOutcome(items, bridge.Failed) > withoutRecord && withoutRecord+done == 0:
		return frame.ExitFailed
	}
	return frame.ExitPartly
}
