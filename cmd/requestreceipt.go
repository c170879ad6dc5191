package cmd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// requestView is what request --json shows.
type requestView struct {
	Schema     string          `json:"schema"`
	File       *string         `json:"file"`
	Request    *string         `json:"csr"`
	SHA256     *string         `json:"csr_sha256"`
	Subject    string          `json:"subject"`
	Issuer     *string         `json:"issuer"`
	Key        publicKeyView   `json:"key"`
	NewKey     bool            `json:"new_key"`
	Label      string          `json:"label"`
	URI        *string         `json:"uri"`
	Exportable *bool           `json:"exportable"`
	SignedBy   *token.SignedBy `json:"signed_by"`
	Algorithm  *pki.Scheme     `json:"algorithm"`
	DryRun     bool            `json:"dry_run"`
}

const requestSchema = "p11bridge.request/1"

func viewRequestPlan(o *requestOptions, plan *bridge.RequestPlan) requestView {
	view := requestView{Schema: requestSchema, Subject: pki.NameText(plan.RawSubject), NewKey: plan.NewKey, Label: plan.Label}
	if o.out != "" {
		view.File = &o.out
	}
	if plan.Issuer != "" {
		view.Issuer = &plan.Issuer
	}
	if plan.NewKey {
		view.Key = publicKeyView{plan.Kind.Algorithm, plan.Bits, plan.Kind.Curve}
	}
	return view
}

// writeRequest writes the result: the request itself, or the document that --json promises. The document has the request
// in it where there is no file.
func (a *app) writeRequest(o *requestOptions, info *token.Info, receipt *bridge.RequestReceipt) error {
	if !a.json {
		if _, err := a.out.Write(receipt.PEM); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
		return nil
	}
	view := viewRequestPlan(o, &receipt.RequestPlan)
	uri, text := info.URI().With(receipt.PrivateKey).String(), string(receipt.PEM)
	view.Key = publicKeyView{receipt.Key.Algorithm, receipt.Key.Bits, receipt.Key.Curve}
	view.URI, view.SHA256, view.Exportable = &uri, &receipt.SHA256, receipt.Exportable()
	view.SignedBy, view.Algorithm = &receipt.SignedBy, &receipt.Algorithm
	if o.out == "" {
		view.Request = &text
	}
	return a.writeJSON(view)
}

// tellRequest says what was made and what comes next: on standard output, or beside the request where that is there.
func (a *app) tellRequest(o *requestOptions, info *token.Info, receipt *bridge.RequestReceipt) {
	out := io.Writer(a.err)
	if o.out != "" {
		out = a.out
	}
	args := requestArgs(o, &receipt.RequestPlan)
	args["Key"] = keyText(identityView{PublicKey: &publicKeyView{receipt.Key.Algorithm, receipt.Key.Bits, receipt.Key.Curve}})
	args["ID"], args["URI"] = hex.EncodeToString(receipt.PrivateKey.ID()), info.URI().With(receipt.PrivateKey).String()
	args["SHA256"], args["SignedBy"], args["Algorithm"] = receipt.SHA256, string(receipt.SignedBy), string(receipt.Algorithm)
	lines := []string{"request.details"}
	head := "request.done-same"
	if receipt.NewKey {
		head = "request.done-new"
		lines = append(lines, "request.new-key")
	}
	if receipt.Weak > 0 {
		lines = append(lines, "request.weak")
	}
	lines = append(lines, a.fateOf(o, receipt)...)
	lines = append(lines, sendTo(&receipt.RequestPlan), "request.next")
	if may := receipt.Exportable(); may != nil && *may {
		lines = append(lines, "request.then-export")
	}
	lines = append(lines, "request.if-it-fails")
	switch { // a key without a certificate has no old one
	case receipt.NewKey:
		lines = append(lines, "request.old-stays")
	case receipt.Issuer != "":
		lines = append(lines, "request.old-stays-same")
	}
	fmt.Fprintln(out, coloursFor(a.out, a.getenv).good(a.text(head, args)))
	for _, id := range lines {
		fmt.Fprintln(out, indentLines(a.text(id, args), "  "))
	}
}

func requestArgs(o *requestOptions, plan *bridge.RequestPlan) messages.Args {
	return messages.Args{
		"Subject": printable(pki.NameText(plan.RawSubject)), "Issuer": printable(plan.Issuer), "File": printable(o.out), "Label": printable(plan.Label),
		"Weak": plan.Weak, "Bits": plan.Bits, "Key": keyText(identityView{PublicKey: &publicKeyView{plan.Kind.Algorithm, plan.Bits, plan.Kind.Curve}}),
	}
}

// fateOf says whether the key can leave the token, and what that means.
func (a *app) fateOf(o *requestOptions, receipt *bridge.RequestReceipt) []string {
	may := receipt.Exportable()
	switch {
	case may == nil:
		return []string{"request.exportable-unknown"}
	case receipt.NewKey && *may != o.exportable && *may:
		return []string{"request.exportable-all-the-same", "request.exportable"}
	case receipt.NewKey && *may != o.exportable:
		return []string{"request.held-all-the-same"}
	case *may:
		return []string{"request.exportable"}
	case receipt.NewKey:
		return []string{"request.held"}
	}
	return []string{"request.held-same"}
}

func sendTo(plan *bridge.RequestPlan) string {
	if plan.Issuer == "" {
		return "request.send-to-any"
	}
	return "request.send-to"
}

func (a *app) tellRequestPlan(o *requestOptions, order bridge.RequestOrder, plan *bridge.RequestPlan) error {
	args := requestArgs(o, plan)
	head, lines := "request.dry-run-new", []string{"request.held"}
	if o.exportable {
		lines = []string{"request.exportable"}
	}
	view := viewRequestPlan(o, plan)
	view.DryRun = true
	if plan.NewKey {
		view.Exportable = &o.exportable
	} else {
		public := order.Identity.Public
		uri := order.Inventory.Token.URI().With(order.Identity.PrivateKey).String()
		view.Key, view.URI = publicKeyView{public.Algorithm, public.Bits, public.Curve}, &uri
		view.Exportable = order.Identity.PrivateKey.Attributes.Bool(token.CKAExtractable).Value()
		args["Key"] = keyText(identityView{PublicKey: &view.Key})
		head, lines = "request.dry-run-same", nil
	}
	if a.json {
		return a.writeJSON(view)
	}
	if plan.Weak > 0 {
		lines = append(lines, "request.weak")
	}
	fmt.Fprintln(a.out, a.text(head, args))
	for _, id := range append(lines, sendTo(plan)) {
		fmt.Fprintln(a.out, indentLines(a.text(id, args), "  "))
	}
	return nil
}

// pairRemainsError is a failure after which the new key pair could not be removed again. What it wraps is not for errors.As:
// its words come after the failure's own.
type pairRemainsError struct {
	err error
	id  []byte
}

// Error gives the failure with what is left.
func (e *pairRemainsError) Error() string { return e.err.Error() }

// requestErrors are the texts of what keeps a request from being made, or a certificate from being installed.
func requestErrors() map[error]string {
	return map[error]string{
		bridge.ErrNoSubject: "error.no-subject", bridge.ErrKeyTypeNeeded: "error.key-type-needed", bridge.ErrNoKeyToSign: "error.no-key-to-sign",
		bridge.ErrMayNotSign: "error.may-not-sign", bridge.ErrWriteProtected: "error.write-protected",
		bridge.ErrRequestNotProven: "error.request-not-proven", bridge.ErrNotStored: "error.not-stored",
	}
}

// describeRequest has the words for the errors of request and install.
func (a *app) describeRequest(err error) (f failure, is bool) {
	say := func(id string, args messages.Args) failure {
		return failure{text: a.text(id, args), remedy: a.optional(id+".remedy", args), code: exitFailed}
	}
	var remains *pairRemainsError
	var left *installRemainsError
	var generate *bridge.GenerateError
	var refused *bridge.InstallRefusedError
	switch {
	case errors.As(err, &remains):
		f = a.describe(firstOf(remains.err))
		f.remedy += "\n" + a.text("error.pair-remains", messages.Args{"ID": hex.EncodeToString(remains.id)})
		return f, true
	case errors.As(err, &left):
		f = a.describe(firstOf(left.err))
		f.remedy += "\n" + a.text("error.certificates-remain", messages.Args{"Subjects": printableList(left.subjects)})
		return f, true
	case errors.As(err, &refused):
		f = say("error.not-installed", nil)
		f.reasons = []verdict.Reason{refused.Reason}
		return f, true
	case errors.As(err, &generate):
		kind := generate.Kind
		key := keyText(identityView{PublicKey: &publicKeyView{kind.Algorithm, kind.Bits, kind.Curve}})
		return say("error.generate", messages.Args{"Key": key, "Problem": oneLine(generate.Err)}), true
	}
	for known, id := range requestErrors() {
		if errors.Is(err, known) {
			return say(id, messages.Args{"Problem": oneLine(err)}), true
		}
	}
	return f, false
}

// firstOf is the first of joined errors: what went wrong, before what the clearing up met.
func firstOf(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
		return firstOf(joined.Unwrap()[0])
	}
	return err
}
