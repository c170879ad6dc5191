package restore

import (
	"encoding/hex"
	"fmt"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// restoreView is what restore --json shows.
type restoreView struct {
	Schema            string               `json:"schema"`
	File              string               `json:"file"`
	Token             string               `json:"token"`
	URI               *string              `json:"uri"`
	Method            bridge.RestoreMethod `json:"method"`
	Mechanism         *string              `json:"mechanism"`
	Label             foreign.Text         `json:"label"`
	ID                string               `json:"id"`
	CertificateSHA256 string               `json:"certificate_sha256"`
	CertificateKept   bool                 `json:"certificate_kept"`
	ChainLength       int                  `json:"chain_length"`
	Attributes        view.KeyAnswers      `json:"attributes"`
	Differences       []bridge.Difference  `json:"differences"`
	Verified          bool                 `json:"verified"`
	Proof             bridge.RestoreProof  `json:"proof"`
	DryRun            bool                 `json:"dry_run"`
	CertificatesOut   []*view.Certificate  `json:"certificates_left_out"`
	Reasons           []verdict.Reason     `json:"reasons"`
}

const restoreSchema = "p11bridge.restore/1"

// restorationResult is what is to be told of a restore. A key that is on the token and could not be asked for a signature
// is done in part.
func restorationResult(o *restoreOptions, r bridge.RestoreRequest, done *bridge.RestoreResult) frame.Result {
	result := frame.Result{JSON: viewRestoration(o, r, done), Text: func(p *frame.Printer) { printRestoration(p, o, r, done) }}
	if !done.Verified() {
		result.Code = frame.ExitPartly
	}
	return result
}

func viewRestoration(o *restoreOptions, r bridge.RestoreRequest, done *bridge.RestoreResult) restoreView {
	info := &r.Inventory.Token
	uri := info.URI().With(done.Key).String()
	shown := restoreView{
		Schema: restoreSchema, File: o.file, Token: info.URI().String(), URI: &uri, Method: done.Method, Label: done.Key.Label(),
		ID: hex.EncodeToString(done.Key.ID()), CertificateSHA256: done.Certificate.SHA256(), CertificateKept: done.Kept, ChainLength: done.ChainLength,
		Attributes: view.KeyOf(done.Key, done.Public).Attributes, Differences: frame.NoNil(done.Differences), Verified: done.Verified(), Proof: done.Proof, Reasons: frame.NoNil(done.Notices), CertificatesOut: viewLeftOut(done.LeftOut),
	}
	if done.Mechanism != "" {
		shown.Mechanism = &done.Mechanism
	}
	return shown
}

func printRestoration(p *frame.Printer, o *restoreOptions, r bridge.RestoreRequest, done *bridge.RestoreResult) {
	info := &r.Inventory.Token
	uri := info.URI().With(done.Key).String()
	args := messages.Args{
		"File": foreign.Text(o.file), "Subject": view.NameText(p.App, done.Certificate.Subject), "Token": info.Label, "URI": foreign.Text(uri),
		"Method": messages.Own(string(done.Method)), "Mechanism": messages.Own(done.Mechanism), "Chain": messages.Number(done.ChainLength), "Label": done.Key.Label(),
		"ID": messages.Own(hex.EncodeToString(done.Key.ID())), "Until": messages.Own(p.Until(done.Certificate.NotAfter)),
	}
	colour := p.Colours()
	lines := []string{policyText(r.Inventory, done)}
	if done.Verified() {
		fmt.Fprintln(p.Out, colour.Good(p.Text("restore.done", args)))
		lines = append(lines, "restore.proven")
		switch {
		case done.Proof == bridge.RestoreProofComparison:
			lines = append(lines, "restore.compared")
		case done.Public.Algorithm == "RSA" || done.Public.Algorithm == "RSA-PSS":
			lines = append(lines, "restore.signature-only")
		}
	} else {
		fmt.Fprintln(p.Out, colour.Doubt(p.Text("restore.unproven", args)))
	}
	if done.Kept {
		lines = append(lines, "restore.kept")
	}
	for _, id := range append(lines, "restore.way."+string(done.Method), "restore.details") {
		fmt.Fprintln(p.Out, frame.IndentLines(p.Text(id, args), "  "))
	}
	for _, d := range done.Differences {
		fmt.Fprintln(p.Out, "  "+p.Text("restore.difference", messages.Args{"Attribute": messages.Own(d.Attribute.String()), "Wanted": messages.Own(valueText(d.Wanted)), "Found": messages.Own(valueText(d.Found))}))
	}
	printLeftOut(p, o, done.LeftOut)
	for _, reason := range done.Notices {
		fmt.Fprintf(p.Out, "  %s %s%s%s\n", p.Text("label.notice", nil), p.ReasonText(reason, "summary"), p.Mark(reason), p.Answer(reason))
		if facts := p.FactsText(reason); facts != "" {
			fmt.Fprintf(p.Out, "    %s\n", facts)
		}
	}
}

// policyText is the text that says whether the key can leave again, by what the token tells now and lists.
func policyText(inventory *token.Inventory, done *bridge.RestoreResult) string {
	judged := verdict.JudgeKey(inventory, token.Identity{PrivateKey: done.Key, Public: done.Public})
	switch done.Key.Attributes.Bool(token.CKAExtractable) {
	case token.True:
		if !judged.Exportable {
			return "restore.no-way-out"
		}
		return "restore.exportable"
	case token.False:
		return "restore.locked"
	}
	return "restore.untold"
}

func valueText(value any) string {
	if value == nil {
		return "–"
	}
	return terminal.Printable(fmt.Sprint(value))
}

func viewPlan(o *restoreOptions, r bridge.RestoreRequest, plan *bridge.RestorePlan) restoreView {
	return restoreView{
		Schema: restoreSchema, File: o.file, Token: r.Inventory.Token.URI().String(), Method: plan.Method, Label: foreign.Text(plan.Name.Label),
		ID: hex.EncodeToString(plan.Name.ID), CertificateSHA256: r.Copy.Certificate.SHA256(), ChainLength: len(r.Copy.Chain),
		Attributes: view.KeyAnswers{}, Differences: []bridge.Difference{}, Proof: bridge.RestoreProofNone, DryRun: true, Reasons: frame.NoNil(r.Copy.Notices), CertificatesOut: viewLeftOut(plan.LeftOut),
	}
}

func planResult(o *restoreOptions, r bridge.RestoreRequest, plan *bridge.RestorePlan) frame.Result {
	return frame.Result{JSON: viewPlan(o, r, plan), Text: func(p *frame.Printer) { printPlan(p, o, r, plan) }}
}

func printPlan(p *frame.Printer, o *restoreOptions, r bridge.RestoreRequest, plan *bridge.RestorePlan) {
	info := &r.Inventory.Token
	fmt.Fprintln(p.Out, p.Text("restore.dry-run", messages.Args{
		"File": foreign.Text(o.file), "Subject": view.NameText(p.App, r.Copy.Certificate.Subject), "Token": info.Label, "Method": messages.Own(string(plan.Method)),
		"Label": foreign.Text(plan.Name.Label), "ID": messages.Own(hex.EncodeToString(plan.Name.ID)), "Chain": messages.Number(len(r.Copy.Chain)),
	}))
	printLeftOut(p, o, plan.LeftOut)
	fmt.Fprint(p.Out, p.ReasonsText(r.Copy.Notices...))
}

// restoreErrors are the words for what a restore can end with.
func restoreErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(a *frame.App, e *onlyCertificateError) frame.Failure {
			f := e.Failure()
			f.More = a.Text("remedy.install-certificate", f.Args)
			return f
		}),
		frame.As(func(a *frame.App, e *bridge.NotRestoredError) frame.Failure {
			a.ObjectIs(e.Holder)
			return frame.Failure{ID: "error.not-restored", Reasons: e.Reasons, Code: frame.ExitFailed}
		}),
		frame.As(func(_ *frame.App, e *bridge.SeveralKeysError) frame.Failure {
			id := "error.several-keys"
			if e.Wanted != "" {
				id = "error.no-such-key"
			}
			return frame.Failure{ID: id, Args: messages.Args{"Name": foreign.Text(e.Wanted), "Keys": messages.Own(frame.PrintableList(e.Names))}, Code: frame.ExitFailed}
		}),
	}
}
