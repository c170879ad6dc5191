package request

import (
	"encoding/hex"
	"errors"
	"fmt"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// requestView is what request --json shows.
type requestView struct {
	Schema     string          `json:"schema"`
	File       *string         `json:"file"`
	Request    *string         `json:"csr"`
	SHA256     *string         `json:"csr_sha256"`
	Subject    foreign.Text    `json:"subject"`
	Issuer     *string         `json:"issuer"`
	Key        view.PublicKey  `json:"key"`
	NewKey     bool            `json:"new_key"`
	Label      foreign.Text    `json:"label"`
	URI        *string         `json:"uri"`
	Exportable *bool           `json:"exportable"`
	Verdict    view.Verdict    `json:"verdict"`
	SignedBy   *token.SignedBy `json:"signed_by"`
	Algorithm  *pki.Scheme     `json:"algorithm"`
	DryRun     bool            `json:"dry_run"`
}

const requestSchema = "p11bridge.request/1"

func viewRequestPlan(o *requestOptions, plan *bridge.CSRPlan, judged verdict.Verdict) requestView {
	shown := requestView{Schema: requestSchema, Verdict: view.VerdictOf(judged), Subject: foreign.Text(pki.NameText(plan.RawSubject)), NewKey: plan.NewKey, Label: foreign.Text(plan.Label)}
	if o.out != "" {
		shown.File = &o.out
	}
	if plan.Issuer != "" {
		shown.Issuer = &plan.Issuer
	}
	if plan.NewKey {
		shown.Key = view.PublicKey{Type: plan.Kind.Algorithm, Bits: plan.Bits, Curve: plan.Kind.Curve}
	}
	return shown
}

// viewRequest is the document of a request. It has the request in it where there is no file.
func viewRequest(o *requestOptions, info *token.Info, receipt *bridge.CSRResult) requestView {
	shown := viewRequestPlan(o, &receipt.CSRPlan, receipt.Verdict)
	uri, text := info.URI().With(receipt.PrivateKey).String(), string(receipt.PEM)
	shown.Key = view.PublicKey{Type: receipt.Key.Algorithm, Bits: receipt.Key.Bits, Curve: receipt.Key.Curve}
	shown.URI, shown.SHA256, shown.Exportable = &uri, &receipt.SHA256, receipt.Exportable()
	shown.SignedBy, shown.Algorithm = &receipt.SignedBy, &receipt.Algorithm
	if o.out == "" {
		shown.Request = &text
	}
	return shown
}

// printRequest says what was made and what comes next.
func printRequest(p *frame.Printer, o *requestOptions, request bridge.CSRRequest, receipt *bridge.CSRResult) {
	info, judged := &request.Inventory.Token, receipt.Verdict
	args := requestArgs(o, &receipt.CSRPlan)
	args["Key"] = messages.Own(view.KeyText(view.Identity{PublicKey: &view.PublicKey{Type: receipt.Key.Algorithm, Bits: receipt.Key.Bits, Curve: receipt.Key.Curve}}))
	args["ID"], args["URI"] = messages.Own(hex.EncodeToString(receipt.PrivateKey.ID())), messages.Own(info.URI().With(receipt.PrivateKey).String())
	args["SHA256"], args["SignedBy"], args["Algorithm"] = messages.Own(receipt.SHA256), messages.Own(string(receipt.SignedBy)), messages.Own(string(receipt.Algorithm))
	id := hex.EncodeToString(receipt.PrivateKey.ID())
	args["Install"] = p.Command("install", "CERTIFICATE.cer")
	args["Export"] = p.Command("export", id, "-o", view.FileName(receipt.Label, id)+"-new"+archive.BackupExtension)
	args["Probe"] = p.Command("diagnose", id, "--probe")
	which := map[bool]string{true: "new", false: "same"}[receipt.NewKey]
	first := "request.done-" + which
	if o.out != "" {
		first = "request.written-" + which
	}
	lines := []string{sendTo(&receipt.CSRPlan)}
	if !p.Guided() { // which says itself what comes next
		lines = append(lines, "request.next")
	}
	if judged.Exportable && !p.Guided() {
		lines = append(lines, "request.then-export")
	}
	lines = append(lines, "request.if-it-fails")
	switch { // a key without a certificate has no old one
	case receipt.NewKey && o.object != "":
		lines = append(lines, "request.old-stays")
	case receipt.Issuer != "":
		lines = append(lines, "request.old-stays-same")
	}
	lines = append(lines, fateOf(o, request, receipt, judged)...)
	if receipt.Weak > 0 {
		lines = append(lines, "request.weak")
	}
	if receipt.NewKey {
		lines = append(lines, "request.new-key")
	}
	lines = append(lines, "request.details") // numbers last
	fmt.Fprintln(p.Out, p.Colours().Good(p.Text(first, args)))
	if o.out != "" {
		p.Place("  ", o.out)
	}
	for _, id := range lines {
		fmt.Fprintln(p.Out, frame.IndentLines(p.Text(id, args), "  "))
	}
}

func requestArgs(o *requestOptions, plan *bridge.CSRPlan) messages.Args {
	return messages.Args{
		"Subject": foreign.Text(pki.NameText(plan.RawSubject)), "Issuer": foreign.Text(plan.Issuer), "File": foreign.Text(o.out), "Label": foreign.Text(plan.Label),
		"Weak": messages.Number(plan.Weak), "Bits": messages.Number(plan.Bits), "Key": messages.Own(view.KeyText(view.Identity{PublicKey: &view.PublicKey{Type: plan.Kind.Algorithm, Bits: plan.Bits, Curve: plan.Kind.Curve}})),
	}
}

// fateOf says whether the key can leave the token, and what that means.
func fateOf(o *requestOptions, request bridge.CSRRequest, receipt *bridge.CSRResult, judged verdict.Verdict) []string {
	may, could := receipt.Exportable(), request.CouldLeave(&receipt.CSRPlan)
	heldSame, noWayOut := "request.held-same", "request.no-way-out"
	if !receipt.NewKey { // of a new key there is no file yet
		heldSame = view.NoBackup(heldSame, "request.held-same-original", request.Inventory, receipt.PrivateKey)
		noWayOut = view.NoBackup(noWayOut, "request.no-way-out-original", request.Inventory, receipt.PrivateKey)
	}
	switch {
	case may != nil && *may && !judged.Exportable && !receipt.NewKey && judged.Has(verdict.WrapNeedsTrustedKey): // the token could, with another key
		return held(heldSame, "request.held-same-remedy", could)
	case may != nil && *may && !judged.Exportable:
		return []string{noWayOut, "request.no-way-out-probe"}
	case may == nil:
		return []string{"request.exportable-unknown"}
	case receipt.NewKey && *may != o.exportable && *may:
		return []string{"request.exportable-all-the-same", "request.exportable"}
	case receipt.NewKey && *may != o.exportable:
		return []string{"request.held-all-the-same"}
	case *may:
		return []string{"request.exportable"}
	case receipt.NewKey:
		return held("request.held", "request.held-remedy", could)
	}
	return held(heldSame, "request.held-same-remedy", could)
}

// held says that a key cannot leave, and what to do for one that can, where that is of use on the token.
func held(id, remedy string, could bool) []string {
	if !could {
		remedy = "request.held-by-token"
	}
	return []string{id, remedy}
}

func sendTo(plan *bridge.CSRPlan) string {
	if plan.Issuer == "" {
		return "request.send-to-any"
	}
	return "request.send-to"
}

func planResult(o *requestOptions, request bridge.CSRRequest, plan *bridge.CSRPlan) frame.Result {
	args := requestArgs(o, plan)
	first, lines := "request.dry-run-new", held("request.held", "request.held-dry-run", request.CouldLeave(plan))
	judged := request.Judge(plan)
	switch {
	case o.exportable && judged.Exportable:
		lines = []string{"request.exportable-listed"}
	case o.exportable:
		lines = []string{"request.no-way-out"}
	}
	shown := viewRequestPlan(o, plan, judged)
	shown.DryRun = true
	if plan.NewKey {
		shown.Exportable = &o.exportable
	} else {
		public := plan.Same
		uri := request.Inventory.Token.URI().With(request.Identity.PrivateKey).String()
		shown.Key, shown.URI = view.PublicKey{Type: public.Algorithm, Bits: public.Bits, Curve: public.Curve}, &uri
		shown.Exportable = request.Identity.PrivateKey.Attributes.Bool(token.CKAExtractable).Value()
		args["Key"] = messages.Own(view.KeyText(view.Identity{PublicKey: &shown.Key}))
		first, lines = "request.dry-run-same", nil
	}
	if plan.Weak > 0 {
		lines = append(lines, "request.weak")
	}
	return frame.Result{JSON: shown, Text: func(p *frame.Printer) {
		p.Line("", args, first)
		p.Line("  ", args, append(lines, sendTo(plan))...)
	}}
}

// requestErrors are the words for what a request can end with.
func requestErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(a *frame.App, e *bridge.GenerateError) frame.Failure {
			key := view.KeyText(view.Identity{PublicKey: &view.PublicKey{Type: e.Kind.Algorithm, Bits: e.Kind.Bits, Curve: e.Kind.Curve}})
			id := "error.generate"
			var answer *token.Error
			if e.Exportable && errors.As(e.Err, &answer) && answer.Judges() {
				id = "error.generate-exportable"
			}
			return frame.Failure{ID: id, Args: messages.Args{"Key": messages.Own(key), "Problem": messages.Own(a.Problem(e.Err))}, Code: frame.ExitFailed}
		}),
		frame.As(func(a *frame.App, e *bridge.CannotSignError) frame.Failure {
			return frame.Failure{ID: "error.cannot-sign", Args: messages.Args{"Problem": messages.Own(a.Problem(e.Err))}, Code: frame.ExitFailed}
		}),
		frame.Is(bridge.ErrNoSubject, frame.ExitFailed, "error.no-subject"),
		frame.Is(bridge.ErrGeneratesNothing, frame.ExitFailed, "error.generates-nothing"),
		frame.Is(bridge.ErrGeneratesNoKeys, frame.ExitFailed, "error.generates-no-keys"),
		frame.Is(bridge.ErrKeyTypeNeeded, frame.ExitFailed, "error.key-type-needed"),
		frame.Is(bridge.ErrNoKeyToSign, frame.ExitFailed, "error.no-key-to-sign"),
		frame.Is(bridge.ErrPublicHalfUntold, frame.ExitFailed, "error.public-half-untold"),
		frame.Is(bridge.ErrMayNotSign, frame.ExitFailed, "error.may-not-sign"),
		frame.Is(bridge.ErrRequestNotProven, frame.ExitFailed, "error.request-not-proven"),
	}
}
