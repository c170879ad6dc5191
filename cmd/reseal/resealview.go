package reseal

import (
	"fmt"
	"path/filepath"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/token/foreign"
)

// resealView is what reseal --json shows.
type resealView struct {
	Schema    string         `json:"schema"`
	Directory string         `json:"directory"`
	DryRun    bool           `json:"dry_run"`
	Resealed  []resealedView `json:"resealed"`
	Failed    []failedView   `json:"failed"`
	Unsealed  []string       `json:"unsealed"` // copies whose password was not sealed
	Counts    countsView     `json:"counts"`
}

// resealedView is a copy whose password is sealed to others now, or would be.
type resealedView struct {
	File       string             `json:"file"`
	Password   string             `json:"password"`
	Before     []archive.SealedTo `json:"before"`
	Recipients []archive.SealedTo `json:"recipients"`
	Opened     bool               `json:"opened"`
}

type failedView struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

type countsView struct {
	Resealed int `json:"resealed"`
	Failed   int `json:"failed"`
	Unsealed int `json:"unsealed"`
}

// nothingToResealError means that a directory has no copy with a sealed password.
type nothingToResealError struct{ directory string }

// Error names the directory.
func (e *nothingToResealError) Error() string { return "no sealed passwords in " + e.directory }

func resealErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(_ *frame.App, e *nothingToResealError) frame.Failure {
			return frame.Failure{ID: "error.nothing-to-reseal", Args: messages.Args{"Directory": foreign.Text(e.directory)}, Code: frame.ExitFailed}
		}),
	}
}

// resealed is what is to be told of a directory. A run in which nothing succeeded did nothing in part.
func resealed(o *resealOptions, backups *archive.Archive, outcomes []outcome) (frame.Result, error) {
	shown := resealView{Schema: "p11bridge.reseal/1", Directory: o.dir, DryRun: o.dryRun, Resealed: []resealedView{}, Failed: []failedView{}, Unsealed: []string{}}
	for _, one := range outcomes {
		switch {
		case one.unsealed:
			shown.Unsealed = append(shown.Unsealed, one.backup.Path())
		case one.err != nil:
			shown.Failed = append(shown.Failed, failedView{one.backup.Path(), frame.OneLine(one.err)})
		default:
			shown.Resealed = append(shown.Resealed, resealedView{one.backup.Path(), one.backup.PasswordPath(), one.result.Before, one.result.Sealed.Recipients, one.result.Sealed.Opened})
		}
	}
	for _, record := range backups.Unreadable {
		shown.Failed = append(shown.Failed, failedView{record.Path, frame.OneLine(record.Err)})
	}
	shown.Counts = countsView{len(shown.Resealed), len(shown.Failed), len(shown.Unsealed)}
	if len(shown.Resealed)+len(shown.Failed) == 0 {
		return frame.Result{}, &nothingToResealError{o.dir}
	}
	result := frame.Result{JSON: shown, Text: func(p *frame.Printer) { printResealed(p, o, backups, outcomes, shown) }}
	switch {
	case len(shown.Failed) > 0 && len(shown.Resealed) == 0:
		result.Code = frame.ExitFailed
	case len(shown.Failed) > 0:
		result.Code = frame.ExitPartly
	}
	return result, nil
}

func printResealed(p *frame.Printer, o *resealOptions, backups *archive.Archive, outcomes []outcome, shown resealView) {
	colour := p.Colours()
	summary := "reseal.summary"
	if o.dryRun {
		summary = "reseal.summary-dry-run"
	}
	fmt.Fprintln(p.Out, colour.Bold(p.Text(summary, messages.Args{
		"Directory": foreign.Text(o.dir), "Resealed": messages.Number(shown.Counts.Resealed), "Failed": messages.Number(shown.Counts.Failed), "Unsealed": messages.Number(shown.Counts.Unsealed),
	})))
	for _, one := range outcomes {
		args := messages.Args{"File": foreign.Text(filepath.Base(one.backup.Path()))}
		switch {
		case one.unsealed:
			p.Line("  ", args, "reseal.unsealed")
		case one.err != nil:
			args["Problem"] = messages.Own(p.Describe(one.err).Text(p.App))
			fmt.Fprintln(p.Out, colour.Bad(frame.IndentLines(p.Text("reseal.failed", args), "  ")))
		case one.result.Sealed.Opened:
			p.Line("  ", args, "reseal.opened")
		default:
			p.Line("  ", args, "reseal.done")
		}
	}
	for _, record := range backups.Unreadable {
		fmt.Fprintln(p.Out, colour.Bad(p.Text("status.unreadable", messages.Args{"Record": foreign.Text(record.Path), "Problem": messages.Own(p.Problem(record.Err))})))
	}
	if len(shown.Resealed) > 0 {
		for _, r := range shown.Resealed[0].Recipients {
			p.Line("  ", messages.Args{"Kind": messages.Own(r.Kind), "Name": r.Name, "Fingerprint": messages.Own(r.SHA256)}, "export.sealed-to")
		}
		p.Line("", nil, "reseal.old-copies")
	}
}
