package cmd

import (
	"fmt"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
)

// printStatus writes one line a key, then the backups that belong to no key here, and once for each state that needs
// something what it means and what to do.
func (a *app) printStatus(status *archive.BackupStatus, view statusView) {
	colour := coloursFor(a.out, a.getenv)
	paints := map[archive.BackupState]func(string) string{archive.StateUpToDate: colour.good, archive.StateCannotLeave: colour.doubt, archive.StateUnknown: colour.doubt}
	var rows [][]cell
	var explained []verdict.Reason
	for i, key := range status.Keys {
		paint := paints[key.State]
		if paint == nil {
			paint = colour.bad
		}
		file := ""
		if key.Backup != nil {
			file = printable(key.Backup.Path())
		}
		rows = append(rows, []cell{{text: shorten(printable(view.Keys[i].Label), 32)}, {text: shorten(view.Keys[i].ID, 16)}, {text: a.stateText(key), paint: paint}, {text: file}})
		if key.NeedsAttention() && len(key.Reasons) > 0 {
			explained = append(explained, key.Reasons[0])
		}
	}
	fmt.Fprint(a.out, table("", rows))
	a.printBackups("status.earlier", status.Earlier)
	a.printBackups("status.elsewhere", status.Elsewhere)
	for _, record := range status.Unreadable {
		fmt.Fprintln(a.out, colour.bad(a.text("status.unreadable", messages.Args{"Record": printable(record.Path), "Problem": printable(record.Problem)})))
		explained = append(explained, verdict.Reason{Code: verdict.BackupRecordUnreadable})
	}
	for _, t := range view.Tokens {
		for _, reason := range t.Reasons {
			fmt.Fprintln(a.out, colour.doubt(a.text("status.token", messages.Args{"Token": printable(t.Label)})+" "+a.reasonText(reason, "summary"))+" ["+string(reason.Code)+"]")
		}
	}
	told := map[verdict.Code]bool{}
	for _, reason := range explained {
		if !told[reason.Code] {
			told[reason.Code] = true
			fmt.Fprint(a.out, a.reasonParagraph(verdict.Reason{Code: reason.Code}))
		}
	}
	id := "status.complete"
	if !view.Complete {
		id = "status.incomplete"
	}
	fmt.Fprintln(a.out, colour.bold(a.text(id, messages.Args{
		"UpToDate": view.Counts[string(archive.StateUpToDate)], "CannotLeave": view.Counts[string(archive.StateCannotLeave)], "Keys": len(view.Keys),
	})))
}

func (a *app) stateText(key archive.KeyStatus) string {
	text := a.text("status.state."+string(key.State), nil)
	if key.State == archive.StateCannotLeave || key.State == archive.StateUnknown {
		text += " [" + firstCode(key.Verdict) + "]"
	}
	return text
}

func (a *app) printBackups(id string, backups []*archive.Backup) {
	for _, b := range backups {
		fmt.Fprintln(a.out, a.text(id, messages.Args{
			"File": printable(b.Path()), "Subject": printable(b.Record.Certificate.Subject), "Created": a.dateOf(b.Record.Created),
			"State": a.text("status.file."+string(b.File), nil),
		}))
	}
}
