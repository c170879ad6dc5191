package export

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

// exportAllView is what export --all --json shows.
type exportAllView struct {
	Schema     string            `json:"schema"`
	Directory  string            `json:"directory"`
	DryRun     bool              `json:"dry_run"`
	Shard      *string           `json:"shard"`
	Exported   []exportedView    `json:"exported"`
	UpToDate   []upToDateView    `json:"up_to_date"`
	Refused    []view.Refused    `json:"refused"`
	Failed     []failedView      `json:"failed"`
	Pending    []view.Named      `json:"pending"` // of an interrupted run: not begun, or not written
	WithoutKey []view.Refused    `json:"without_key"`
	Unread     []verdict.Reason  `json:"unread"`
	Counts     exportCountsViews `json:"counts"`
}

type exportCountsViews struct {
	Exported   int `json:"exported"`
	Unproven   int `json:"unproven"` // of those exported
	UpToDate   int `json:"up_to_date"`
	Refused    int `json:"refused"`
	Failed     int `json:"failed"`
	Pending    int `json:"pending"`
	WithoutKey int `json:"without_key"`
	OtherShard int `json:"other_shards"`
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

func viewAll(o *exportOptions, shard archive.Shard, items []*bridge.Item, unread []verdict.Reason) exportAllView {
	shown := exportAllView{
		Schema: "p11bridge.export-all/1", Directory: o.dir, DryRun: o.dryRun, Shard: view.ShardOf(shard), Exported: []exportedView{}, UpToDate: []upToDateView{},
		Refused: []view.Refused{}, Failed: []failedView{}, Pending: []view.Named{}, WithoutKey: []view.Refused{}, Unread: unread,
	}
	names := view.Names{}
	for _, item := range items {
		named := names.Name(item.Token.Inventory, item.Identity)
		switch item.Outcome {
		case bridge.Exported:
			reasons := item.Result.AllNotices(item.Verdict)
			record := filepath.Join(o.dir, item.Name+".json")
			shown.Exported = append(shown.Exported, exportedView{named, viewReceipt(item.Result, reasons), record})
			if item.Err != nil { // written and proven, but the key was not destroyed
				shown.Failed = append(shown.Failed, failedView{named, frame.OneLine(item.Err)})
			}
		case bridge.Pending:
			if !o.dryRun { // it was interrupted
				shown.Pending = append(shown.Pending, named)
				continue
			}
			file := filepath.Join(o.dir, item.Name)
			would := viewDryRun(file+".pfx", item.Verdict)
			if item.Unrecorded != "" {
				would.Reasons = append(slices.Clone(would.Reasons), verdict.Because(verdict.BackupRecordUnreadable, verdict.Fact{Name: "record", Value: archive.RecordPath(item.Unrecorded)}, verdict.Fact{Name: "file", Value: item.Unrecorded}))
			}
			shown.Exported = append(shown.Exported, exportedView{named, would, file + ".json"})
		case bridge.UpToDate:
			shown.UpToDate = append(shown.UpToDate, upToDateView{named, view.BackupOf(item.Backup)})
		case bridge.Refused, bridge.WithoutCertificate:
			shown.Refused = append(shown.Refused, view.Refused{Named: named, Verdict: view.VerdictOf(item.Verdict)})
		case bridge.Failed:
			shown.Failed = append(shown.Failed, failedView{named, frame.OneLine(item.Err)})
		case bridge.WithoutKey:
			shown.WithoutKey = append(shown.WithoutKey, view.Refused{Named: named, Verdict: view.VerdictOf(item.Verdict)})
		}
	}
	unproven := len(slices.DeleteFunc(slices.Clone(items), func(item *bridge.Item) bool { return item.Result == nil || item.Result.Verified() }))
	shown.Counts = exportCountsViews{len(shown.Exported), unproven, len(shown.UpToDate), len(shown.Refused), len(shown.Failed), len(shown.Pending), len(shown.WithoutKey), countOutcome(items, bridge.OtherShard)}
	return shown
}

// printAll writes the result: how many of each in one line, what was written, what needed nothing, and what could not be done and why.
func printAll(p *frame.Printer, o *exportOptions, items []*bridge.Item, shown exportAllView) {
	colour := p.Colours()
	undone := len(slices.DeleteFunc(slices.Clone(items), func(item *bridge.Item) bool { return !item.Refused() || !item.Undone() }))
	counts := messages.Args{
		"Directory": foreign.Text(o.dir), "Exported": messages.Number(shown.Counts.Exported - shown.Counts.Unproven), "Unproven": messages.Number(shown.Counts.Unproven), "UpToDate": messages.Number(shown.Counts.UpToDate), "Refused": messages.Number(shown.Counts.Refused - undone),
		"Failed": messages.Number(shown.Counts.Failed), "WithoutKey": messages.Number(shown.Counts.WithoutKey),
	}
	summary := "export-all.summary"
	switch {
	case o.dryRun:
		summary = "export-all.summary-dry-run"
	case shown.Counts.Unproven > 0:
		summary = "export-all.summary-unproven"
	}
	fmt.Fprintln(p.Out, colour.Bold(p.Text(summary, counts)))
	if !o.dryRun {
		p.Place("  ", o.dir)
	}
	if undone > 0 {
		fmt.Fprintln(p.Out, colour.Bad(p.Text("export-all.more-undone", messages.Args{"Count": messages.Number(undone)})))
	}
	view.PrintShard(p, shown.Shard)
	printFailed(p, colour, items)
	printWritten(p, o, colour, items)
	printRefused(p, colour, items)
	fmt.Fprint(p.Out, reasonLines(p, shown.Unread))
	if !o.dryRun && shown.Counts.Exported > 0 {
		printKeepSafe(p, o, items)
		noticeReaders(p, o)
	}
	if shown.Counts.Refused > 0 {
		fmt.Fprintln(p.Out, frame.IndentLines(p.Text("export-all.explain", nil), "  "))
	}
}

// printFailed comes before what was done: what failed is what somebody has to act on.
func printFailed(p *frame.Printer, colour terminal.Colours, items []*bridge.Item) {
	for _, item := range items {
		if item.Err != nil {
			args := itemArgs(item)
			args["Problem"] = messages.Own(p.Describe(item.Err).Text(p.App))
			fmt.Fprintln(p.Out, colour.Bad(p.Text("export-all.failed", args)))
		}
	}
}

func printWritten(p *frame.Printer, o *exportOptions, colour terminal.Colours, items []*bridge.Item) {
	for _, item := range items {
		file := filepath.Join(o.dir, item.Name+archive.BackupExtension)
		if item.Result != nil {
			file = item.Result.File
		}
		args := messages.Args{"File": foreign.Text(file), "Label": item.Identity.Label()}
		switch item.Outcome {
		case bridge.Exported:
			args["Subject"] = view.NameText(p.App, item.Result.Certificate.Subject)
			switch {
			case item.Result.KeyDeleted:
				fmt.Fprintln(p.Out, colour.Good(p.Text("export-all.deleted", args)))
			case item.Result.Verified():
				fmt.Fprintln(p.Out, colour.Good(p.Text("export-all.exported", args)))
			default:
				fmt.Fprintln(p.Out, colour.Doubt(p.Text("export.unproven", args)))
			}
			if !item.Result.Settled() {
				printNotices(p, item.Result.Notices)
			}
			printUnused(p, item.Result)
		case bridge.Pending:
			id := "export-all.would"
			if item.Unrecorded != "" {
				id = "export-all.would-if-own"
			}
			if !o.dryRun {
				id, args["File"] = "export-all.line.interrupted", foreign.Text(file)
			}
			fmt.Fprintln(p.Out, p.Text(id, args))
		}
	}
}

// printRefused names the keys that could not be exported; what several of them have in common is said once, below them.
func printRefused(p *frame.Printer, colour terminal.Colours, items []*bridge.Item) {
	var order []string
	keys := map[string][]string{} // by what is said of them
	for _, item := range items {
		if !item.Refused() {
			continue
		}
		id := "export-all.refused"
		switch {
		case item.Verdict.Exportable && item.Verdict.Has(verdict.CertificateNotIdentified):
			id = "export-all.export-alone"
		case item.Verdict.Exportable && item.Outcome == bridge.WithoutCertificate:
			id = "export-all.without-certificate"
		case item.Undone(): // nobody knows that it cannot leave
			id = "export-all.undone"
		}
		said := reasonLines(p, item.Verdict.Reasons)
		if item.Untried {
			said += frame.IndentLines(p.Text("export-all.untried", nil), "  ") + "\n"
		}
		if keys[said] == nil {
			order = append(order, said)
		}
		keys[said] = append(keys[said], colour.Bad(p.Text(id, itemArgs(item))))
	}
	for _, said := range order {
		fmt.Fprint(p.Out, strings.Join(keys[said], "\n")+"\n"+said)
	}
}

func itemArgs(item *bridge.Item) messages.Args {
	args := messages.Args{"Label": item.Identity.Label(), "ID": messages.Own("–")}
	if key := item.Identity.PrivateKey; key != nil && len(key.ID()) > 0 {
		args["ID"] = messages.Own(hex.EncodeToString(key.ID()))
	}
	return args
}

// reasonLines gives each reason one line.
func reasonLines(p *frame.Printer, reasons []verdict.Reason) string {
	var lines strings.Builder
	for _, reason := range reasons {
		fmt.Fprintf(&lines, "  %s%s%s\n", p.ReasonText(reason, "summary"), p.Mark(reason), p.Answer(reason))
	}
	return lines.String()
}
