package export

import (
	"encoding/hex"
	"fmt"
	"path/filepath"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
)

// exportAllView is what export --all --json shows.
type exportAllView struct {
	Schema     string            `json:"schema"`
	Directory  string            `json:"directory"`
	DryRun     bool              `json:"dry_run"`
	Exported   []exportedView    `json:"exported"`
	UpToDate   []upToDateView    `json:"up_to_date"`
	Refused    []view.Refused    `json:"refused"`
	Failed     []failedView      `json:"failed"`
	WithoutKey []view.Refused    `json:"without_key"`
	Counts     exportCountsViews `json:"counts"`
}

type exportCountsViews struct {
	Exported   int `json:"exported"`
	UpToDate   int `json:"up_to_date"`
	Refused    int `json:"refused"`
	Failed     int `json:"failed"`
	WithoutKey int `json:"without_key"`
}

type exportedView struct {
	view.Named
	exportView
	Record string `json:"record"`
}

type upToDateView struct {
	view.Named
	view.Backup
}

type failedView struct {
	view.Named
	Error string `json:"error"`
}

func viewAll(o *exportOptions, items []*bridge.Item) exportAllView {
	shown := exportAllView{
		Schema: "p11bridge.export-all/1", Directory: o.dir, DryRun: o.dryRun, Exported: []exportedView{}, UpToDate: []upToDateView{},
		Refused: []view.Refused{}, Failed: []failedView{}, WithoutKey: []view.Refused{},
	}
	names := view.Names{}
	for _, item := range items {
		named := names.Name(item.Token.Inventory, item.Identity)
		switch item.Outcome {
		case bridge.Exported:
			reasons := append(item.Verdict.Notices(), item.Receipt.Notices...)
			record := filepath.Join(o.dir, item.Name+".json")
			shown.Exported = append(shown.Exported, exportedView{named, viewReceipt(item.Receipt, reasons), record})
			if item.Err != nil { // written and proven, but the key was not destroyed
				shown.Failed = append(shown.Failed, failedView{named, frame.OneLine(item.Err)})
			}
		case bridge.Pending: // of a dry run
			file := filepath.Join(o.dir, item.Name)
			shown.Exported = append(shown.Exported, exportedView{named, viewDryRun(file+".pfx", item.Verdict), file + ".json"})
		case bridge.UpToDate:
			shown.UpToDate = append(shown.UpToDate, upToDateView{named, view.BackupOf(item.Backup)})
		case bridge.Refused:
			shown.Refused = append(shown.Refused, view.Refused{Named: named, Verdict: view.VerdictOf(item.Verdict)})
		case bridge.Failed:
			shown.Failed = append(shown.Failed, failedView{named, frame.OneLine(item.Err)})
		case bridge.WithoutKey:
			shown.WithoutKey = append(shown.WithoutKey, view.Refused{Named: named, Verdict: view.VerdictOf(item.Verdict)})
		}
	}
	shown.Counts = exportCountsViews{len(shown.Exported), len(shown.UpToDate), len(shown.Refused), len(shown.Failed), len(shown.WithoutKey)}
	return shown
}

// tellAll tells the result: what was written, what needed nothing, and what could not be done and why.
func tellAll(a *frame.App, o *exportOptions, items []*bridge.Item) error {
	shown := viewAll(o, items)
	if a.JSON {
		if err := a.WriteJSON(shown); err != nil {
			return err
		}
		return partly(items)
	}
	colour := terminal.ColoursFor(a.Out, a.Getenv)
	for _, item := range items {
		file := filepath.Join(o.dir, item.Name+".pfx")
		args := messages.Args{"File": terminal.Printable(file), "Label": terminal.Printable(item.Identity.Label())}
		switch item.Outcome {
		case bridge.Exported:
			args["Subject"] = terminal.Printable(item.Receipt.Certificate.Subject)
			switch {
			case item.Receipt.KeyDeleted:
				fmt.Fprintln(a.Out, colour.Good(a.Text("export-all.deleted", args)))
			case item.Receipt.Verified():
				fmt.Fprintln(a.Out, colour.Good(a.Text("export-all.exported", args)))
			default:
				fmt.Fprintln(a.Out, colour.Doubt(a.Text("export.unproven", args)))
			}
		case bridge.Pending:
			fmt.Fprintln(a.Out, a.Text("export-all.would", args))
		}
	}
	for _, item := range items {
		args := messages.Args{"Label": terminal.Printable(item.Identity.Label()), "ID": "–"}
		if key := item.Identity.PrivateKey; key != nil && len(key.ID()) > 0 {
			args["ID"] = hex.EncodeToString(key.ID())
		}
		switch {
		case item.Outcome == bridge.Refused:
			fmt.Fprintln(a.Out, colour.Bad(a.Text("export-all.refused", args)))
			tellReasons(a, item.Verdict.Reasons)
		case item.Err != nil:
			args["Problem"] = a.Describe(item.Err).Text(a)
			fmt.Fprintln(a.Out, colour.Bad(a.Text("export-all.failed", args)))
		}
	}
	counts := messages.Args{
		"Directory": terminal.Printable(o.dir), "Exported": shown.Counts.Exported, "UpToDate": shown.Counts.UpToDate, "Refused": shown.Counts.Refused,
		"Failed": shown.Counts.Failed, "WithoutKey": shown.Counts.WithoutKey,
	}
	summary := "export-all.summary"
	if o.dryRun {
		summary = "export-all.summary-dry-run"
	}
	fmt.Fprintln(a.Out, colour.Bold(a.Text(summary, counts)))
	if !o.dryRun && shown.Counts.Exported > 0 {
		fmt.Fprintln(a.Out, frame.IndentLines(a.Text("export-all.keep-safe", nil), "  "))
	}
	if shown.Counts.Refused > 0 {
		fmt.Fprintln(a.Out, frame.IndentLines(a.Text("export-all.explain", nil), "  "))
	}
	return partly(items)
}

// tellReasons gives each reason one line.
func tellReasons(a *frame.App, reasons []verdict.Reason) {
	for _, reason := range reasons {
		fmt.Fprintf(a.Out, "  %s [%s]\n", a.ReasonText(reason, "summary"), reason.Code)
	}
}
