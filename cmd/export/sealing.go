package export

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/token/foreign"
)

// setPassword asks for the password of the files, once for all of them. Where it is to be sealed nobody is asked: each file gets one of its
// own, and the keys that were named show that it can be opened. forget wipes the password.
func setPassword(ctx context.Context, a *frame.App, o *exportOptions, r *bridge.ExportRequest) (forget func(), err error) {
	if r.Sealing == nil {
		password, err := a.PasswordToSet(ctx, o.password, o.allowEmpty)
		r.Password = password
		return password.Wipe, err
	}
	if r.Sealing.Keys, err = a.UnsealKeys(ctx); err != nil || o.all {
		return func() {}, err
	}
	name, err := archive.NewDraftName() // two files are under way at once
	if err != nil {
		return nil, err
	}
	r.Target.DraftName, r.Target.Scratch = name, nil
	a.Scratch(filepath.Join(filepath.Dir(r.Target.Path), name))
	return func() { a.Scratch("") }, nil
}

// printSealed says where the password is, who can open it, and whether that was shown.
func printSealed(p *frame.Printer, receipt *bridge.ExportResult) {
	sealed := receipt.Sealed
	if sealed == nil {
		return
	}
	p.Line("  ", messages.Args{"File": foreign.Text(receipt.SealedFile), "Count": messages.Number(len(sealed.Recipients))}, "export.sealed")
	for _, r := range sealed.Recipients {
		p.Line("    ", messages.Args{"Kind": messages.Own(r.Kind), "Name": r.Name, "Fingerprint": messages.Own(r.SHA256)}, "export.sealed-to")
	}
	if sealed.Opened {
		p.Line("  ", nil, "export.sealed-opened")
	}
	if receipt.Iterations == bridge.SealedIterations {
		p.Line("  ", messages.Args{"Few": messages.Number(receipt.Iterations)}, "export.sealed-iterations")
	}
}

// printUnused names the sealed password that stays beside a new backup which it does not open.
func printUnused(p *frame.Printer, receipt *bridge.ExportResult) {
	for _, reason := range receipt.Notices {
		if reason.Code != verdict.SealedPasswordUnused {
			continue
		}
		for _, fact := range reason.Evidence {
			if path, ok := fact.Value.(string); ok {
				fmt.Fprintf(p.Out, "  %s %s%s\n", p.Text("label.notice", nil), p.Text("export.sealed-unused", messages.Args{"File": foreign.Text(path)}), p.Mark(reason))
			}
		}
	}
}

// printKeepSafe says what to do with many files. That nobody opened their sealed passwords is said once.
func printKeepSafe(p *frame.Printer, o *exportOptions, items []*bridge.Item) {
	id := "export-all.keep-safe"
	if o.sealing() {
		id = "export-all.keep-safe-sealed"
	}
	fmt.Fprintln(p.Out, frame.IndentLines(p.Text(id, nil), "  "))
	if slices.ContainsFunc(items, func(item *bridge.Item) bool {
		return item.Result != nil && item.Result.Sealed != nil && !item.Result.Sealed.Opened
	}) {
		printNotices(p, []verdict.Reason{{Code: verdict.SealedNotOpened}})
	}
}
