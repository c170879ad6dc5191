package cmd

import (
	"context"
	"errors"
	"path/filepath"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
)

// checkAll tells whether the flags go together with --all, and whether they need it.
func (o *exportOptions) checkAll() error {
	switch {
	case !o.all && o.dir != "":
		return usage("error.dir-without-all", nil)
	case !o.all:
		return nil
	case o.dir == "":
		return usage("error.all-without-dir", nil)
	case o.out != "" || o.certificate != "" || o.certificateOnly:
		return usage("error.all-for-one", nil)
	case o.deleteKey && !o.yes:
		return usage("error.all-delete-needs-yes", nil)
	}
	return nil
}

// runExportAll exports every identity that has no backup in the directory yet.
func runExportAll(ctx context.Context, a *app, o *exportOptions) (result error) {
	each, err := a.exportRequest(o)
	if err != nil {
		return err
	}
	each.DeleteKey, a.writes = o.deleteKey, o.deleteKey && !o.dryRun
	request := bridge.ExportAllRequest{Each: each, Directory: o.dir, Now: a.now}
	if !o.dryRun {
		if request.DraftName, err = archive.NewDraftName(); err != nil {
			return err
		}
		release, err := archive.Reserve(o.dir)
		if err != nil {
			return err
		}
		defer func() { result = a.closed(result, release()) }()
		a.child.page.setScratch(filepath.Join(o.dir, request.DraftName))
		defer a.child.page.setScratch("")
	}
	backups, err := archive.Read(ctx, o.dir)
	var missing *archive.FileError
	if o.dryRun && errors.As(err, &missing) && missing.Fault == archive.DirectoryMissing {
		backups, err = &archive.Archive{Directory: o.dir}, nil // it would be made
	}
	if err != nil {
		return err
	}
	return a.withTokens(ctx, false, false, func(tokens []bridge.OpenToken) error {
		items := bridge.PlanExport(tokens, backups, o.force || o.deleteKey, a.now()) // a key leaves for good only with a copy proven now
		if !o.dryRun {
			if err := a.exportPending(ctx, o, request, items); err != nil {
				return err
			}
		}
		return a.told(a.tellAll(o, items))
	})
}

// exportPending asks for the password, once for all files, where there is one to be written.
func (a *app) exportPending(ctx context.Context, o *exportOptions, r bridge.ExportAllRequest, items []*bridge.Item) error {
	pending := countOutcome(items, bridge.Pending)
	if pending == 0 {
		return nil
	}
	password, err := a.passwordToSet(ctx, o)
	if err != nil {
		return err
	}
	defer password.Wipe()
	r.Each.Password = password
	p := a.newProgress(pending)
	defer p.end()
	r.Began = func(item *bridge.Item) { p.began(item.Name) }
	r.Ended = func(item *bridge.Item) { p.ended(a.outcomeLine(item)) }
	return bridge.ExportAll(ctx, r, items)
}

// outcomeLine says in one line what became of an item.
func (a *app) outcomeLine(item *bridge.Item) string {
	args := messages.Args{"File": printable(item.Name + ".pfx"), "Label": printable(item.Identity.Label())}
	switch {
	case item.Receipt != nil && !item.Receipt.Verified():
		return a.text("export-all.line.unproven", args)
	case item.Err != nil:
		args["Problem"] = a.describe(item.Err).text
		return a.text("export-all.line.failed", args)
	case item.Receipt != nil && item.Receipt.KeyDeleted:
		return a.text("export-all.line.deleted", args)
	case item.Receipt != nil:
		return a.text("export-all.line.exported", args)
	case item.Outcome == bridge.Refused:
		args["Code"] = firstCode(item.Verdict)
		return a.text("export-all.line.refused", args)
	}
	return a.text("export-all.line.interrupted", args)
}

func firstCode(judged verdict.Verdict) string {
	if len(judged.Reasons) == 0 {
		return ""
	}
	return string(judged.Reasons[0].Code)
}

func countOutcome(items []*bridge.Item, outcome bridge.Outcome) int {
	n := 0
	for _, item := range items {
		if item.Outcome == outcome {
			n++
		}
	}
	return n
}

// partly is the exit code for a run that left something undone, or a file whose key nobody could prove; a run that failed
// with everything that it tried, and found nothing up to date, did nothing in part.
func partly(items []*bridge.Item) error {
	var result error
	for _, item := range items {
		unproven := item.Receipt != nil && !item.Receipt.Verified() ||
			item.Outcome == bridge.UpToDate && item.Backup.Record.Proof == archive.ProofStructure
		if item.Outcome == bridge.Refused || item.Err != nil || unproven {
			result = &reportedError{exitPartly}
		}
	}
	if countOutcome(items, bridge.Failed) > 0 && countOutcome(items, bridge.Exported)+countOutcome(items, bridge.UpToDate) == 0 {
		return &reportedError{exitFailed}
	}
	return result
}

// withTokens opens a session with every token that is meant, logs in and reads each, and hands them over together. One PIN
// is never tried on several tokens: where more than one needs a login, each is asked for on the terminal. An optional login
// may be left out.
func (a *app) withTokens(ctx context.Context, optional, noLogin bool, work func([]bridge.OpenToken) error) error {
	return a.withSlots(ctx, nil, func(slots []token.Slot) error {
		var locked []token.Slot
		for _, slot := range slots {
			if slot.Token.Flags.Has(token.CKFLoginRequired) {
				locked = append(locked, slot)
			}
		}
		given := a.pinSource != "" && a.pinSource != "prompt"
		if !noLogin && len(locked) > 1 && (given || !optional && !hasTerminal()) {
			return severalTokens(locked)
		}
		return a.openEach(ctx, slots, optional, noLogin, nil, work)
	})
}

func (a *app) openEach(ctx context.Context, slots []token.Slot, optional, noLogin bool, open []bridge.OpenToken, work func([]bridge.OpenToken) error) error {
	if len(slots) == 0 {
		return work(open)
	}
	return a.withSession(slots[0], func(s *token.Session) error {
		if !noLogin {
			if err := a.login(ctx, s, nil, optional); err != nil {
				return err
			}
		}
		inventory, err := s.Inventory(ctx)
		if err != nil {
			return err
		}
		return a.openEach(ctx, slots[1:], optional, noLogin, append(open, bridge.OpenToken{Session: s, Inventory: inventory}), work)
	})
}
