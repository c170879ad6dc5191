package export

import (
	"fmt"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// exportView is what export --json shows.
type exportView struct {
	Schema            string          `json:"schema"`
	File              string          `json:"file"`
	SHA256            string          `json:"sha256"`
	Method            *verdict.Method `json:"method"`
	Mechanism         *string         `json:"mechanism"`
	Profile           *string         `json:"profile"`
	Iterations        int             `json:"iterations"`
	CertificateSHA256 string          `json:"certificate_sha256"`
	ChainLength       int             `json:"chain_length"`
	FriendlyName      foreign.Text    `json:"friendly_name"`
	Verified          bool            `json:"verified"`
	Proof             *archive.Proof  `json:"proof"`
	HasPrivateKey     bool            `json:"has_private_key"`
	Format            *string         `json:"format"` // of a certificate alone, nil for a PFX
	KeyDeleted        bool            `json:"key_deleted"`
	DryRun            bool            `json:"dry_run"`
	Unchanged         bool            `json:"unchanged"` // the file was there, and is a valid copy
	// SealedPassword is where the password is; nil where it was given.
	SealedPassword *sealedView      `json:"sealed_password"`
	Reasons        []verdict.Reason `json:"reasons"`
}

// sealedView is a sealed password: opened tells that it was opened again with a recipient's key.
type sealedView struct {
	File       string             `json:"file"`
	SHA256     string             `json:"sha256"`
	Recipients []archive.SealedTo `json:"recipients"`
	Opened     bool               `json:"opened"`
}

const exportSchema = "p11bridge.export/1"

// receiptResult is what is to be told of an export. A file whose key nobody could prove, or which has to be looked after, is done
// in part.
func receiptResult(o *exportOptions, receipt *bridge.ExportResult, judged verdict.Verdict) frame.Result {
	reasons := receipt.AllNotices(judged)
	result := frame.Result{JSON: viewReceipt(receipt, reasons), Text: func(p *frame.Printer) {
		printReceipt(p, receipt, reasons)
		noticeReaders(p, o)
	}}
	if !receipt.Settled() {
		result.Code = frame.ExitPartly
	}
	return result
}

func printReceipt(p *frame.Printer, receipt *bridge.ExportResult, reasons []verdict.Reason) {
	method := string(receipt.Method)
	if receipt.Mechanism != "" {
		method += " (" + receipt.Mechanism + ")"
	}
	args := messages.Args{
		"File": foreign.Text(receipt.File), "Subject": view.NameText(p.App, receipt.Certificate.Subject), "Method": messages.Own(method), "SHA256": messages.Own(receipt.SHA256),
		"Profile": messages.Own(string(receipt.Profile)), "Count": messages.Number(receipt.Iterations), "Chain": messages.Number(receipt.ChainLength), "Name": messages.Own(string(receipt.FriendlyName)),
		"Until": messages.Own(p.Until(receipt.Certificate.NotAfter)),
	}
	colour := p.Colours()
	if receipt.Verified() {
		fmt.Fprintln(p.Out, colour.Good(p.Text("export.done", args)))
	} else {
		fmt.Fprintln(p.Out, colour.Doubt(p.Text("export.unproven", args)))
	}
	p.Place("  ", receipt.File)
	keep := "export.keep-safe"
	switch {
	case receipt.KeyDeleted && receipt.Sealed != nil:
		keep = "export.only-copy-sealed"
	case receipt.KeyDeleted:
		keep = "export.only-copy"
	case receipt.Sealed != nil:
		keep = "export.keep-safe-sealed"
	}
	for _, id := range []string{keep, "export.proof." + string(receipt.Proof), "export.details"} { // what to do with it, and the numbers last
		fmt.Fprintln(p.Out, frame.IndentLines(p.Text(id, args), "  "))
	}
	printSealed(p, receipt)
	printNotices(p, reasons)
	printUnused(p, receipt)
}

// noticeReaders says who does not read the profile. docs/interop.md has what was measured. What nobody chose is no notice, and stands in
// the result.
func noticeReaders(p *frame.Printer, o *exportOptions) {
	if o.profileGiven {
		p.Notice("notice.readers."+o.profile, nil)
	} else {
		p.Line("  ", nil, "export.readers."+o.profile)
	}
	if bridge.Profile(o.profile) == bridge.ProfileLegacy {
		p.Notice("notice.legacy", nil)
	}
}

// printNotices gives a notice one line, and what has to be looked after its whole paragraph. An unused sealed password is printUnused's.
func printNotices(p *frame.Printer, reasons []verdict.Reason) {
	for _, reason := range reasons {
		if reason.Code == verdict.SealedPasswordUnused {
			continue
		}
		if entry, known := verdict.Lookup(reason.Code); known && entry.Kind == verdict.Weakness {
			fmt.Fprint(p.Out, p.ReasonsText(reason))
			continue
		}
		fmt.Fprintf(p.Out, "  %s %s%s\n", p.Text("label.notice", nil), p.ReasonText(reason, "summary"), p.Mark(reason))
	}
}

func viewReceipt(receipt *bridge.ExportResult, reasons []verdict.Reason) exportView {
	profile := string(receipt.Profile)
	shown := exportView{
		Schema: exportSchema, File: receipt.File, SHA256: receipt.SHA256, Method: &receipt.Method, Profile: &profile,
		Iterations: receipt.Iterations, CertificateSHA256: receipt.Certificate.SHA256(), ChainLength: receipt.ChainLength,
		FriendlyName: foreign.Text(receipt.FriendlyName), Verified: receipt.Verified(), Proof: &receipt.Proof, HasPrivateKey: true, KeyDeleted: receipt.KeyDeleted, Reasons: frame.NoNil(reasons),
	}
	if receipt.Mechanism != "" {
		shown.Mechanism = &receipt.Mechanism
	}
	if s := receipt.Sealed; s != nil {
		shown.SealedPassword = &sealedView{receipt.SealedFile, s.SHA256, s.Recipients, s.Opened}
	}
	return shown
}

func dryRunResult(r bridge.ExportRequest) frame.Result {
	return frame.Result{JSON: viewDryRun(r.Target.Path, r.Verdict), Text: func(p *frame.Printer) {
		id := "export.dry-run"
		if !r.Verdict.Exportable {
			id = "export.dry-run-untried"
		}
		p.Line("", messages.Args{"File": foreign.Text(r.Target.Path), "Method": messages.Own(string(r.Verdict.Method))}, id)
		fmt.Fprint(p.Out, p.ReasonsText(r.Verdict.Reasons...))
	}}
}

func viewDryRun(file string, judged verdict.Verdict) exportView {
	shown := exportView{Schema: exportSchema, File: file, DryRun: true, Reasons: frame.NoNil(judged.Reasons)}
	if judged.Method != "" {
		shown.Method = &judged.Method
	}
	if judged.Mechanism != "" {
		shown.Mechanism = &judged.Mechanism
	}
	return shown
}

func viewCertificateOnly(o *exportOptions, certificate *pki.Certificate, written *bridge.CertificateResult) exportView {
	format := string(written.Format)
	return exportView{
		Schema: exportSchema, File: o.out, CertificateSHA256: certificate.SHA256(), Format: &format, ChainLength: len(written.Chain), DryRun: o.dryRun,
		Reasons: []verdict.Reason{{Code: verdict.CertificateOnly}},
	}
}
