package cmd

import (
	"fmt"
	"time"

	"golang.org/x/term"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
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

func (a *app) tellReceipt(receipt *bridge.Receipt, judged verdict.Verdict) error {
	reasons := append(judged.Notices(), receipt.Notices...)
	if a.json {
		if err := a.writeJSON(viewReceipt(receipt, reasons)); err != nil {
			return err
		}
		return unproven(receipt)
	}
	method := string(receipt.Method)
	if receipt.Mechanism != "" {
		method += " (" + receipt.Mechanism + ")"
	}
	args := messages.Args{
		"File": printable(receipt.File), "Subject": printable(receipt.Certificate.Subject), "Method": method, "SHA256": receipt.SHA256,
		"Profile": string(receipt.Profile), "Iterations": receipt.Iterations, "Chain": receipt.ChainLength, "Name": printable(receipt.FriendlyName),
		"Until": a.date(receipt.Certificate.NotAfter),
	}
	colour := coloursFor(a.out, a.getenv)
	if receipt.Verified() {
		fmt.Fprintln(a.out, colour.good(a.text("export.done", args)))
	} else {
		fmt.Fprintln(a.out, colour.doubt(a.text("export.unproven", args)))
	}
	keep := "export.keep-safe"
	if receipt.KeyDeleted {
		keep = "export.only-copy"
	}
	for _, id := range []string{"export.proof." + string(receipt.Proof), "export.details", keep} {
		fmt.Fprintln(a.out, indentLines(a.text(id, args), "  "))
	}
	for _, reason := range reasons {
		fmt.Fprintf(a.out, "  %s %s [%s]\n", a.text("label.notice", nil), a.reasonText(reason, "summary"), reason.Code)
	}
	if receipt.Profile == bridge.ProfileLegacy {
		a.notice("notice.legacy", nil)
	}
	return unproven(receipt)
}

func viewReceipt(receipt *bridge.Receipt, reasons []verdict.Reason) exportView {
	profile := string(receipt.Profile)
	view := exportView{
		Schema: exportSchema, File: receipt.File, SHA256: receipt.SHA256, Method: &receipt.Method, Profile: &profile,
		Iterations: receipt.Iterations, CertificateSHA256: receipt.Certificate.SHA256(), ChainLength: receipt.ChainLength,
		FriendlyName: receipt.FriendlyName, Verified: receipt.Verified(), Proof: &receipt.Proof, HasPrivateKey: true, KeyDeleted: receipt.KeyDeleted, Reasons: noNil(reasons),
	}
	if receipt.Mechanism != "" {
		view.Mechanism = &receipt.Mechanism
	}
	return view
}

// unproven is the exit code for a file that was written and whose key nobody could prove: done in part.
func unproven(receipt *bridge.Receipt) error {
	if receipt.Verified() {
		return nil
	}
	return &reportedError{exitPartly}
}

func (a *app) tellDryRun(r bridge.ExportRequest) error {
	if a.json {
		return a.writeJSON(viewDryRun(r.Target.Path, r.Verdict))
	}
	id := "export.dry-run"
	if !r.Verdict.Exportable {
		id = "export.dry-run-untried"
	}
	fmt.Fprintln(a.out, a.text(id, messages.Args{"File": printable(r.Target.Path), "Method": string(r.Verdict.Method)}))
	for _, reason := range r.Verdict.Reasons {
		fmt.Fprint(a.out, a.reasonParagraph(reason))
	}
	return nil
}

func viewDryRun(file string, judged verdict.Verdict) exportView {
	view := exportView{Schema: exportSchema, File: file, DryRun: true, Reasons: noNil(judged.Reasons)}
	if judged.Method != "" {
		view.Method = &judged.Method
	}
	if judged.Mechanism != "" {
		view.Mechanism = &judged.Mechanism
	}
	return view
}

func viewCertificateOnly(file string, certificate *pki.Certificate) exportView {
	return exportView{
		Schema: exportSchema, File: file, CertificateSHA256: certificate.SHA256(), Reasons: []verdict.Reason{{Code: verdict.CertificateOnly}},
	}
}

// noticePassword says which readers a password shuts out.
func (a *app) noticePassword(password *secret.Text) {
	for _, b := range password.Bytes() {
		if b >= 0x80 {
			a.notice("notice.non-ascii-password", nil)
			return
		}
	}
}

// slowly shows a line on a terminal once something takes longer than two seconds. The result ends it.
func (a *app) slowly(id string) (done func()) {
	if !term.IsTerminal(int(a.err.Fd())) {
		return func() {}
	}
	timer := time.AfterFunc(2*time.Second, func() { fmt.Fprintln(a.err, a.text(id, nil)) })
	return func() { timer.Stop() }
}
