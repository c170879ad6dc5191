package status

import (
	"fmt"
	"slices"
	"strings"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

// printStatus writes what has to be known in one line, then one line a key, then the backups that belong to no key here, and once for each state that needs
// something what it means and what to do.
func printStatus(p *frame.Printer, status *archive.BackupStatus, shown statusView) {
	colour := p.Colours()
	fmt.Fprintln(p.Out, colour.Bold(p.Text(conclusion(status, shown), messages.Args{
		"UpToDate": messages.Number(shown.Counts[string(archive.StateUpToDate)]), "CannotLeave": messages.Number(shown.Counts[string(archive.StateCannotLeave)]), "Keys": messages.Number(len(shown.Keys)),
		"Tokens": messages.Own(hiddenTokens(p.App, status)),
	})))
	view.PrintShard(p, shown.Shard)
	paints := map[archive.BackupState]func(string) string{archive.StateUpToDate: colour.Good, archive.StateCannotLeave: colour.Doubt, archive.StateKeyGone: colour.Doubt, archive.StateUnknown: colour.Doubt}
	var rows [][]terminal.Cell
	var explained []verdict.Reason
	for _, i := range attentionFirst(status.Keys) {
		key := status.Keys[i]
		paint := paints[key.State]
		if paint == nil {
			paint = colour.Bad
		}
		file := ""
		if key.Backup != nil {
			file = terminal.Printable(key.Backup.Path())
		}
		rows = append(rows, []terminal.Cell{{Text: nameOf(shown.Keys[i])}, {Text: terminal.Shorten(shown.Keys[i].ID, 16)}, {Text: stateText(p.App, key), Paint: paint}, {Text: file}})
		if (key.NeedsAttention() || key.State == archive.StateKeyGone) && len(key.Reasons) > 0 {
			explained = append(explained, key.Reasons[0])
		}
		explained = append(explained, unshown(key)...)
	}
	fmt.Fprint(p.Out, terminal.TableWithin("", rows, p.Width()))
	for i, key := range status.Keys {
		view.PrintAnswer(p, nameOf(shown.Keys[i]), key.Reasons)
	}
	for _, certificate := range shown.Expiring {
		fmt.Fprintln(p.Out, colour.Bad(expiryText(p, certificate)))
	}
	printBackups(p, "status.earlier", status.Earlier)
	printBackups(p, "status.gone", status.Gone)
	if len(status.Gone) > 0 {
		explained = append(explained, verdict.Reason{Code: verdict.BackupKeyGone})
	}
	printBackups(p, "status.elsewhere", status.Elsewhere)
	for _, record := range status.Unreadable {
		fmt.Fprintln(p.Out, colour.Bad(p.Text("status.unreadable", messages.Args{"Record": foreign.Text(record.Path), "Problem": messages.Own(p.Problem(record.Err))})))
		explained = append(explained, verdict.Reason{Code: verdict.BackupRecordUnreadable})
	}
	printUnrecorded(p, shown)
	for _, t := range shown.Tokens {
		for _, reason := range t.Reasons {
			fmt.Fprintln(p.Out, colour.Doubt(p.Text("status.token", messages.Args{"Token": t.Label})+" "+p.ReasonText(reason, "summary"))+p.Mark(reason)+p.Answer(reason))
		}
	}
	printed := map[verdict.Code]bool{}
	for _, reason := range explained {
		if !printed[reason.Code] {
			printed[reason.Code] = true
			fmt.Fprint(p.Out, p.ReasonsText(frame.General(reason)))
		}
	}
	if len(shown.Expiring) > 0 {
		p.Line("", nil, "status.expiring.remedy")
	}
}

// unshown is the reason for which an export of all leaves out a key that can leave: it has to be exported alone.
func unshown(key archive.KeyStatus) []verdict.Reason {
	if !key.NeedsAttention() || !key.Verdict.Exportable {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(key.Reasons), func(r verdict.Reason) bool { return r.Code != verdict.CertificateNotIdentified })
}

// printUnrecorded names files whose keys nobody knows without their passwords. They may be backups of keys that have none on record.
func printUnrecorded(p *frame.Printer, shown statusView) {
	const most = 3
	if len(shown.Unrecorded) == 0 {
		return
	}
	named := make([]string, 0, most)
	for _, path := range shown.Unrecorded[:min(most, len(shown.Unrecorded))] {
		named = append(named, terminal.Printable(string(path)))
	}
	if len(shown.Unrecorded) > most {
		named = append(named, "…")
	}
	p.Line("", messages.Args{"Count": messages.Number(len(shown.Unrecorded)), "Files": messages.Own(strings.Join(named, ", "))}, "status.unrecorded")
}

// attentionFirst gives the places of the keys in the order in which a person is shown them: what needs something, what is up to date, and
// what nothing can be done about.
func attentionFirst(keys []archive.KeyStatus) []int {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	rank := func(key archive.KeyStatus) int {
		switch {
		case key.NeedsAttention():
			return 0
		case key.State == archive.StateUpToDate:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(keys[a]) - rank(keys[b]) })
	return order
}

// conclusion is the id of the first line.
func conclusion(status *archive.BackupStatus, shown statusView) string {
	switch {
	case len(status.Hidden) > 0:
		return "status.hidden"
	case status.NeedsAttention():
		return "status.incomplete"
	case len(shown.Expiring) > 0:
		return "status.complete-but-expiring"
	}
	return "status.complete"
}

func hiddenTokens(a *frame.App, status *archive.BackupStatus) string {
	names := make([]string, len(status.Hidden))
	for i, inventory := range status.Hidden {
		names[i] = a.Text("label.quoted", messages.Args{"Name": inventory.Token.Label})
	}
	return strings.Join(names, ", ")
}

func stateText(a *frame.App, key archive.KeyStatus) string {
	text := a.Text("status.state."+string(key.State), nil)
	if key.Verdict.Has(verdict.ObjectUnreadable) || key.Verdict.Has(verdict.TokenFileUnreadable) {
		text = a.Text("status.state.unread", nil)
	} else if key.State == archive.StateUnknown && key.Verdict.Has(verdict.AttributesNotTold) {
		text = a.Text("status.state.untold", nil)
	} else if key.State == archive.StateUnknown && key.Verdict.Unsupported() {
		text = a.Text("status.state.unsupported", nil)
	} else if key.State == archive.StateUnknown && !verdict.Hides(key.Inventory) {
		text = a.Text("status.state.undecided", nil)
	}
	if reasons := key.Verdict.Reasons; len(reasons) > 0 && (key.State == archive.StateCannotLeave || key.State == archive.StateUnknown) {
		text = a.Because(text, reasons[0])
	}
	return text
}

func printBackups(p *frame.Printer, id string, backups []*archive.Backup) {
	for _, b := range backups {
		fmt.Fprintln(p.Out, p.Text(id, messages.Args{
			"File": foreign.Text(b.Path()), "Subject": b.Record.Certificate.Subject, "Created": messages.Own(p.DateOf(b.Record.Created)),
			"State": messages.Own(fileText(p.App, b)),
		}))
	}
}

// fileText says what became of a backup that belongs to no key here: without its sealed password an intact file opens for nobody.
func fileText(a *frame.App, b *archive.Backup) string {
	if b.File == archive.FileIntact && b.PasswordLost() {
		return a.Text("status.state."+string(archive.StatePassword), nil)
	}
	return a.Text("status.file."+string(b.File), nil)
}

func expiryText(p *frame.Printer, c expiringView) string {
	args := messages.Args{"Name": c.Label, "On": messages.Own(p.OnDayOf(c.NotAfter))}
	if c.Expired {
		return p.Text("status.expired", args)
	}
	return p.Text("status.expiring", args)
}

// nameOf is what a key is called: by its label, or by its CKA_ID.
func nameOf(key keyStatusView) string { return view.Name(view.Identity{Label: key.Label, ID: key.ID}) }
