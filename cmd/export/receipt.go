package export

import (
	"fmt"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/pki"
)

// exportView is what export --json shows.
type exportView struct {
	Schema            string           `json:"schema"`
	File              string           `json:"file"`
	SHA256            string           `json:"sha256"`
	Method            *verdict.Method  `json:"method"`
	Mechanism         *string          `json:"mechanism"`
	Profile           *string          `json:"profile"`
	Iterations        int              `json:"iterations"`
	CertificateSHA256 string           `json:"certificate_sha256"`
	ChainLength       int              `json:"chain_length"`
	FriendlyName      string           `json:"friendly_name"`
	Verified          bool             `json:"verified"`
	Proof             *archive.Proof   `json:"proof"`
	HasPrivateKey     bool             `json:"has_private_key"`
	KeyDeleted        bool             `json:"key_deleted"`
	DryRun            bool             `json:"dry_run"`
	Reasons           []verdict.Reason `json:"reasons"`
}

const exportSchema = "p11bridge.export/1"

func tellReceipt(a *frame.App, receipt *bridge.Receipt, judged verdict.Verdict) error {
	reasons := append(judged.Notices(), receipt.Notices...)
	if a.JSON {
		if err := a.WriteJSON(viewReceipt(receipt, reasons)); err != nil {
			return err
		}
		return unproven(receipt)
	}
	method := string(receipt.Method)
	if receipt.Mechanism != "" {
		method += " (" + receipt.Mechanism + ")"
	}
	args := messages.Args{
		"File": terminal.Printable(receipt.File), "Subject": terminal.Printable(receipt.Certificate.Subject), "Method": method, "SHA256": receipt.SHA256,
		"Profile": string(receipt.Profile), "Iterations": receipt.Iterations, "Chain": receipt.ChainLength, "Name": terminal.Printable(receipt.FriendlyName),
		"Until": a.Date(receipt.Certificate.NotAfter),
	}
	colour := terminal.ColoursFor(a.Out, a.Getenv)
	if receipt.Verified() {
		fmt.Fprintln(a.Out, colour.Good(a.Text("export.done", args)))
	} else {
		fmt.Fprintln(a.Out, colour.Doubt(a.Text("export.unproven", args)))
	}
	keep := "export.keep-safe"
	if receipt.KeyDeleted {
		keep = "export.only-copy"
	}
	for _, id := range []string{"export.proof." + string(receipt.Proof), "export.details", keep} {
		fmt.Fprintln(a.Out, frame.IndentLines(a.Text(id, args), "  "))
	}
	for _, reason := range reasons {
		fmt.Fprintf(a.Out, "  %s %s [%s]\n", a.Text("label.notice", nil), a.ReasonText(reason, "summary"), reason.Code)
	}
	if receipt.Profile == bridge.ProfileLegacy {
		a.Notice("notice.legacy", nil)
	}
	return unproven(receipt)
}

func viewReceipt(receipt *bridge.Receipt, reasons []verdict.Reason) exportView {
	profile := string(receipt.Profile)
	shown := exportView{
		Schema: exportSchema, File: receipt.File, SHA256: receipt.SHA256, Method: &receipt.Method, Profile: &profile,
		Iterations: receipt.Iterations, CertificateSHA256: receipt.Certificate.SHA256(), ChainLength: receipt.ChainLength,
		FriendlyName: receipt.FriendlyName, Verified: receipt.Verified(), Proof: &receipt.Proof, HasPrivateKey: true, KeyDeleted: receipt.KeyDeleted, Reasons: frame.NoNil(reasons),
	}
	if receipt.Mechanism != "" {
		shown.Mechanism = &receipt.Mechanism
	}
	return shown
}

// unproven is the exit code for a file that was written and whose key nobody could prove: done in part.
func unproven(receipt *bridge.Receipt) error {
	if receipt.Verified() {
		return nil
	}
	return &frame.ReportedError{Code: frame.ExitPartly}
}

func tellDryRun(a *frame.App, r bridge.ExportRequest) error {
	if a.JSON {
		return a.WriteJSON(viewDryRun(r.Target.Path, r.Verdict))
	}
	id := "export.dry-run"
	if !r.Verdict.Exportable {
		id = "export.dry-run-untried"
	}
	fmt.Fprintln(a.Out, a.Text(id, messages.Args{"File": terminal.Printable(r.Target.Path), "Method": string(r.Verdict.Method)}))
	for _, reason := range r.Verdict.Reasons {
		fmt.Fprint(a.Out, a.ReasonParagraph(reason))
	}
	return nil
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

func viewCertificateOnly(file string, certificate *pki.Certificate) exportView {
	return exportView{
		Schema: exportSchema, File: file, CertificateSHA256: certificate.SHA256(), Reasons: []verdict.Reason{{Code: verdict.CertificateOnly}},
	}
}
