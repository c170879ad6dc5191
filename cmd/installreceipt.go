package cmd

import (
	"encoding/hex"
	"fmt"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
)

// installView is what install --json shows.
type installView struct {
	Schema      string             `json:"schema"`
	File        string             `json:"file"`
	Token       string             `json:"token"`
	URI         string             `json:"uri"`
	Certificate *certificateView   `json:"certificate"`
	ID          string             `json:"id"`
	Label       string             `json:"label"`
	State       string             `json:"state"`
	Proof       bridge.HolderProof `json:"proof"`
	Chain       []placedView       `json:"chain"`
	LeftOut     int                `json:"left_out"`
	DryRun      bool               `json:"dry_run"`
	Reasons     []verdict.Reason   `json:"reasons"`
}

// placedView is a chain certificate on the token.
type placedView struct {
	Subject string `json:"subject"`
	SHA256  string `json:"sha256"`
	Label   string `json:"label"`
	State   string `json:"state"`
}

const installSchema = "p11bridge.install/1"

// stateOf says what became of a certificate, or would.
func stateOf(c bridge.PlacedCertificate, dryRun bool) string {
	switch {
	case c.There != nil:
		return "present"
	case dryRun:
		return "missing"
	}
	return "installed"
}

func (a *app) tellInstall(o *installOptions, info *token.Info, plan *bridge.InstallPlan) error {
	if a.json {
		view := installView{
			Schema: installSchema, File: o.file, Token: info.URI().String(), URI: info.URI().With(plan.Key).String(),
			Certificate: viewCertificate(plan.Certificate), ID: hex.EncodeToString(plan.Name.ID), Label: plan.Name.Label,
			State: stateOf(plan.PlacedCertificate, o.dryRun), Proof: plan.Proof, Chain: []placedView{}, LeftOut: plan.LeftOut, DryRun: o.dryRun,
			Reasons: noNil(plan.Notices),
		}
		for _, c := range plan.Chain {
			view.Chain = append(view.Chain, placedView{c.Certificate.Subject, c.Certificate.SHA256(), c.Name.Label, stateOf(c, o.dryRun)})
		}
		return a.writeJSON(view)
	}
	c := plan.Certificate
	state := stateOf(plan.PlacedCertificate, o.dryRun)
	args := messages.Args{
		"Subject": printable(c.Subject), "Issuer": printable(c.Issuer), "Until": a.date(c.NotAfter), "Token": printable(info.Label),
		"Label": printable(plan.Name.Label), "ID": hex.EncodeToString(plan.Name.ID), "LeftOut": plan.LeftOut,
		"OtherID": "", "Fingerprint": "sha256:" + c.SHA256()[:16],
	}
	text := a.text("install."+state, args)
	if state == "installed" {
		text = coloursFor(a.out, a.getenv).good(text)
	}
	fmt.Fprintln(a.out, text)
	lines := []string{"install.proof." + string(plan.Proof)}
	if plan.OtherID() {
		args["OtherID"] = hex.EncodeToString(plan.There.ID())
		lines = append(lines, "install.other-id")
	}
	for _, id := range lines {
		fmt.Fprintln(a.out, indentLines(a.text(id, args), "  "))
	}
	for _, above := range plan.Chain {
		text := a.text("install.chain."+stateOf(above, o.dryRun), messages.Args{"Subject": printable(above.Certificate.Subject)})
		fmt.Fprintln(a.out, "  "+text)
	}
	if plan.LeftOut > 0 {
		id := "install.left-out"
		if o.withChain {
			id = "install.not-in-chain"
		}
		fmt.Fprintln(a.out, "  "+a.text(id, args))
	}
	for _, reason := range plan.Notices {
		fmt.Fprintf(a.out, "  %s %s [%s]\n", a.text("label.notice", nil), a.reasonText(reason, "summary"), reason.Code)
	}
	if o.dryRun {
		return nil
	}
	next := "install.next-held"
	if may := plan.Key.Attributes.Bool(token.CKAExtractable).Value(); may == nil || *may {
		next = "install.next-export"
	}
	fmt.Fprintln(a.out, indentLines(a.text(next, args), "  "))
	return nil
}
