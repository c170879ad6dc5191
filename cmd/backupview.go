package cmd

import (
	"encoding/hex"
	"fmt"
	"path/filepath"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
)

// exportAllView is what export --all --json shows.
type exportAllView struct {
	Schema     string            `json:"schema"`
	Directory  string            `json:"directory"`
	DryRun     bool              `json:"dry_run"`
	Exported   []exportedView    `json:"exported"`
	UpToDate   []upToDateView    `json:"up_to_date"`
	Refused    []refusedView     `json:"refused"`
	Failed     []failedView      `json:"failed"`
	WithoutKey []refusedView     `json:"without_key"`
	Counts     exportCountsViews `json:"counts"`
}

type exportCountsViews struct {
	Exported   int `json:"exported"`
	UpToDate   int `json:"up_to_date"`
	Refused    int `json:"refused"`
	Failed     int `json:"failed"`
	WithoutKey int `json:"without_key"`
}

type namedView struct {
	URI   string `json:"uri"`
	Label string `json:"label"`
}

type exportedView struct {
	namedView
	exportView
	Record string `json:"record"`
}

type upToDateView struct {
	namedView
	backupView
}

type refusedView struct {
	namedView
	Verdict verdictView `json:"verdict"`
}

type failedView struct {
	namedView
	Error string `json:"error"`
}

// backupView is a backup as its record tells it.
type backupView struct {
	File              string        `json:"file"`
	SHA256            string        `json:"sha256"`
	Record            string        `json:"record"`
	Created           string        `json:"created"`
	CertificateSHA256 string        `json:"certificate_sha256"`
	Proof             archive.Proof `json:"proof"`
}

func viewBackup(b *archive.Backup) backupView {
	return backupView{b.Path(), b.Record.SHA256, b.RecordPath, b.Record.Created, b.Record.Certificate.SHA256, b.Record.Proof}
}

// uriNames gives identities URIs that tell them apart, as list does.
type uriNames map[*token.Inventory]map[string]int

func (n uriNames) view(inventory *token.Inventory, identity token.Identity) namedView {
	if n[inventory] == nil {
		n[inventory] = repeatedURIs(inventory, inventory.Identities())
	}
	uri := identityURI(inventory, identity)
	if n[inventory][uri] > 1 && identity.PrivateKey != nil && identity.Certificate != nil {
		uri = inventory.Token.URI().With(identity.Certificate.Object).String()
	}
	return namedView{uri, identity.Label()}
}

func viewAll(o *exportOptions, items []*bridge.Item) exportAllView {
	view := exportAllView{
		Schema: "p11bridge.export-all/1", Directory: o.dir, DryRun: o.dryRun, Exported: []exportedView{}, UpToDate: []upToDateView{},
		Refused: []refusedView{}, Failed: []failedView{}, WithoutKey: []refusedView{},
	}
	names := uriNames{}
	for _, item := range items {
		named := names.view(item.Token.Inventory, item.Identity)
		switch item.Outcome {
		case bridge.Exported:
			reasons := append(item.Verdict.Notices(), item.Receipt.Notices...)
			record := filepath.Join(o.dir, item.Name+".json")
			view.Exported = append(view.Exported, exportedView{named, viewReceipt(item.Receipt, reasons), record})
			if item.Err != nil { // written and proven, but the key was not destroyed
				view.Failed = append(view.Failed, failedView{named, oneLine(item.Err)})
			}
		case bridge.Pending: // of a dry run
			file := filepath.Join(o.dir, item.Name)
			view.Exported = append(view.Exported, exportedView{named, viewDryRun(file+".pfx", item.Verdict), file + ".json"})
		case bridge.UpToDate:
			view.UpToDate = append(view.UpToDate, upToDateView{named, viewBackup(item.Backup)})
		case bridge.Refused:
			view.Refused = append(view.Refused, refusedView{named, viewVerdict(item.Verdict)})
		case bridge.Failed:
			view.Failed = append(view.Failed, failedView{named, oneLine(item.Err)})
		case bridge.WithoutKey:
			view.WithoutKey = append(view.WithoutKey, refusedView{named, viewVerdict(item.Verdict)})
		}
	}
	view.Counts = exportCountsViews{len(view.Exported), len(view.UpToDate), len(view.Refused), len(view.Failed), len(view.WithoutKey)}
	return view
}

// tellAll tells the result: what was written, what needed nothing, and what could not be done and why.
func (a *app) tellAll(o *exportOptions, items []*bridge.Item) error {
	view := viewAll(o, items)
	if a.json {
		if err := a.writeJSON(view); err != nil {
			return err
		}
		return partly(items)
	}
	colour := coloursFor(a.out, a.getenv)
	for _, item := range items {
		file := filepath.Join(o.dir, item.Name+".pfx")
		args := messages.Args{"File": printable(file), "Label": printable(item.Identity.Label())}
		switch item.Outcome {
		case bridge.Exported:
			args["Subject"] = printable(item.Receipt.Certificate.Subject)
			switch {
			case item.Receipt.KeyDeleted:
				fmt.Fprintln(a.out, colour.good(a.text("export-all.deleted", args)))
			case item.Receipt.Verified():
				fmt.Fprintln(a.out, colour.good(a.text("export-all.exported", args)))
			default:
				fmt.Fprintln(a.out, colour.doubt(a.text("export.unproven", args)))
			}
		case bridge.Pending:
			fmt.Fprintln(a.out, a.text("export-all.would", args))
		}
	}
	for _, item := range items {
		args := messages.Args{"Label": printable(item.Identity.Label()), "ID": "–"}
		if key := item.Identity.PrivateKey; key != nil && len(key.ID()) > 0 {
			args["ID"] = hex.EncodeToString(key.ID())
		}
		switch {
		case item.Outcome == bridge.Refused:
			fmt.Fprintln(a.out, colour.bad(a.text("export-all.refused", args)))
			a.tellReasons(item.Verdict.Reasons)
		case item.Err != nil:
			args["Problem"] = a.describe(item.Err).text
			fmt.Fprintln(a.out, colour.bad(a.text("export-all.failed", args)))
		}
	}
	counts := messages.Args{
		"Directory": printable(o.dir), "Exported": view.Counts.Exported, "UpToDate": view.Counts.UpToDate, "Refused": view.Counts.Refused,
		"Failed": view.Counts.Failed, "WithoutKey": view.Counts.WithoutKey,
	}
	summary := "export-all.summary"
	if o.dryRun {
		summary = "export-all.summary-dry-run"
	}
	fmt.Fprintln(a.out, colour.bold(a.text(summary, counts)))
	if !o.dryRun && view.Counts.Exported > 0 {
		fmt.Fprintln(a.out, indentLines(a.text("export-all.keep-safe", nil), "  "))
	}
	if view.Counts.Refused > 0 {
		fmt.Fprintln(a.out, indentLines(a.text("export-all.explain", nil), "  "))
	}
	return partly(items)
}

// tellReasons gives each reason one line.
func (a *app) tellReasons(reasons []verdict.Reason) {
	for _, reason := range reasons {
		fmt.Fprintf(a.out, "  %s [%s]\n", a.reasonText(reason, "summary"), reason.Code)
	}
}
