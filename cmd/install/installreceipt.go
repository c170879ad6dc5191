package install

import (
	"encoding/hex"
	"fmt"
	"slices"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// installView is what install --json shows.
type installView struct {
	Schema      string            `json:"schema"`
	File        string            `json:"file"`
	Token       string            `json:"token"`
	URI         string            `json:"uri"`
	Certificate *view.Certificate `json:"certificate"`
	ID          string            `json:"id"`
	Label       foreign.Text      `json:"label"`
	State       string            `json:"state"`
	Proof       token.Link        `json:"proof"`
	Chain       []namedView       `json:"chain"`
	LeftOut     int               `json:"left_out"`
	DryRun      bool              `json:"dry_run"`
	Reasons     []verdict.Reason  `json:"reasons"`
}

// namedView is a chain certificate on the token.
type namedView struct {
	Subject foreign.Text `json:"subject"`
	SHA256  string       `json:"sha256"`
	Label   foreign.Text `json:"label"`
	State   string       `json:"state"`
}

const installSchema = "p11bridge.install/1"

// stateOf says what became of a certificate, or would.
func stateOf(c bridge.NamedCertificate, dryRun bool) string {
	switch {
	case c.There != nil:
		return "present"
	case dryRun:
		return "missing"
	}
	return "installed"
}

func viewInstall(o *installOptions, info *token.Info, plan *bridge.InstallPlan) installView {
	shown := installView{
		Schema: installSchema, File: o.file, Token: info.URI().String(), URI: info.URI().With(plan.Key).String(),
		Certificate: view.CertificateOf(plan.Certificate), ID: hex.EncodeToString(plan.Name.ID), Label: foreign.Text(plan.Name.Label),
		State: stateOf(plan.NamedCertificate, o.dryRun), Proof: plan.Proof, Chain: []namedView{}, LeftOut: plan.LeftOut, DryRun: o.dryRun,
		Reasons: frame.NoNil(plan.Notices),
	}
	for _, c := range plan.Chain {
		shown.Chain = append(shown.Chain, namedView{c.Certificate.Subject, c.Certificate.SHA256(), foreign.Text(c.Name.Label), stateOf(c, o.dryRun)})
	}
	return shown
}

// typedName is the shortest name of the key with its new certificate.
func typedName(plan *bridge.InstallPlan) string {
	fingerprint := plan.Certificate.SHA256()
	identities := plan.After.Identities()
	at := slices.IndexFunc(identities, func(i token.Identity) bool {
		return i.PrivateKey != nil && i.Certificate != nil && i.Certificate.Parsed != nil && i.Certificate.Parsed.SHA256() == fingerprint
	})
	if at < 0 { // the token does not show whose it is
		return "sha256:" + fingerprint
	}
	return plan.After.ShortNames(identities)[at]
}

// nextAfter are the texts that say what comes after an installation: the backup, where the key can leave.
func nextAfter(a *frame.App, plan *bridge.InstallPlan, args messages.Args) []string {
	name := typedName(plan)
	judged := verdict.JudgeKey(plan.After, token.Identity{PrivateKey: plan.Key, Public: plan.Certificate.PublicKey})
	switch {
	case judged.Exportable:
		args["Command"] = a.Command("export", name, "-o", archive.BackupName(plan.Name.Label, plan.Certificate.SHA256())+archive.BackupExtension)
		return []string{"install.next-export"}
	case !judged.Known():
		return []string{"request.exportable-unknown"}
	case plan.Key.Attributes.Bool(token.CKAExtractable) == token.True:
		args["Probe"] = a.Command("diagnose", name, "--probe")
		return []string{view.NoBackup("request.no-way-out", "request.no-way-out-original", plan.After, plan.Key), "request.no-way-out-probe"}
	}
	return []string{view.NoBackup("install.next-held", "install.next-held-original", plan.After, plan.Key)}
}

func printInstall(p *frame.Printer, o *installOptions, info *token.Info, plan *bridge.InstallPlan) {
	c := plan.Certificate
	state := stateOf(plan.NamedCertificate, o.dryRun)
	args := messages.Args{
		"Subject": view.NameText(p.App, c.Subject), "Issuer": c.Issuer, "Until": messages.Own(p.Until(c.NotAfter)), "Token": info.Label,
		"Label": foreign.Text(plan.Name.Label), "ID": messages.Own(hex.EncodeToString(plan.Name.ID)), "LeftOut": messages.Number(plan.LeftOut),
		"OtherID": messages.Own(""),
	}
	text := p.Text("install."+state, args)
	if state == "installed" {
		text = p.Colours().Good(text)
	}
	fmt.Fprintln(p.Out, text)
	if !o.dryRun {
		p.Line("  ", args, nextAfter(p.App, plan, args)...)
	}
	if plan.OtherID() {
		args["OtherID"] = messages.Own(hex.EncodeToString(plan.There.ID()))
		p.Line("  ", args, "install.other-id")
	}
	for _, above := range plan.Chain {
		text := p.Text("install.chain."+stateOf(above, o.dryRun), messages.Args{"Subject": above.Certificate.Subject})
		fmt.Fprintln(p.Out, "  "+text)
	}
	if plan.LeftOut > 0 {
		id := "install.left-out"
		if o.withChain {
			id = "install.not-in-chain"
		}
		fmt.Fprintln(p.Out, "  "+p.Text(id, args))
	}
	for _, reason := range plan.Notices {
		fmt.Fprintf(p.Out, "  %s %s%s\n", p.Text("label.notice", nil), p.ReasonText(reason, "summary"), p.Mark(reason))
	}
	p.Line("  ", args, "install.proof."+string(plan.Proof))
}
