// Package request is the command `request`: it makes a signing request.
package request

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

type requestOptions struct {
	object     string
	out        string
	force      bool
	sameKey    bool
	keyType    string
	exportable bool
	label      *string
	subject    string
	like       string
	password   string // of the file that like names
	altNames   []string
	dryRun     bool
}

func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(requestErrors()...)
	o := &requestOptions{}
	var label string
	c := &cobra.Command{
		Use:   "request [OBJECT]",
		Short: "command.request.short",
		Long:  "command.request.long",
		Example: frame.Examples("request bob -o bob.csr", "request bob -o bob.csr --exportable --key-type p256", "request bob -o bob.csr --same-key",
			"request 'key alone' --subject 'CN=Bob,O=Example,C=ES' --san email:bob@example.org -o bob.csr", "request --like old.crt --token new -o bob.csr",
			"request --subject 'CN=Bob,C=ES' --key-type p256 --token new -o bob.csr", "request bob --dry-run"),
		Args: frame.AtMostOne("OBJECT"),
	}
	flags := c.Flags()
	flags.StringVarP(&o.out, "out", "o", "", "flag.request-out")
	flags.BoolVar(&o.force, "force", false, "flag.force")
	flags.BoolVar(&o.sameKey, "same-key", false, "flag.same-key")
	flags.StringVar(&o.keyType, "key-type", "", "flag.key-type")
	flags.BoolVar(&o.exportable, "exportable", false, "flag.request-exportable")
	flags.StringVar(&label, "label", "", "flag.label")
	flags.StringVar(&o.subject, "subject", "", "flag.subject")
	flags.StringVar(&o.like, "like", "", "flag.like")
	flags.StringVar(&o.password, "password-source", "", "flag.like-password")
	flags.StringArrayVar(&o.altNames, "san", nil, "flag.san")
	flags.BoolVar(&o.dryRun, "dry-run", false, "flag.request-dry-run")
	c.RunE = a.Supervised(func() []string { return []string{o.password} }, func(ctx context.Context, w *frame.Worker, args []string) (frame.Result, error) {
		switch {
		case len(args) == 1:
			o.object = args[0]
		case o.like == "" && o.subject == "":
			return frame.Result{}, w.ObjectMissing(ctx, "error.request-of-nothing")
		}
		if c.Flags().Changed("label") {
			o.label = &label
		}
		return runRequest(ctx, w, o)
	})
	return c
}

func runRequest(ctx context.Context, w *frame.Worker, o *requestOptions) (frame.Result, error) {
	request, err := requestOf(w.App, o)
	if err != nil {
		return frame.Result{}, err
	}
	selector := &token.Selector{} // the token is named by --token, and no object is
	if o.object != "" {
		if selector, err = token.ParseSelector(o.object); err != nil {
			return frame.Result{}, err
		}
	}
	if o.like != "" {
		if request.Like, err = readModel(ctx, w.App, o); err != nil {
			return frame.Result{}, err
		}
	}
	access := token.ReadWrite
	if o.sameKey || o.dryRun {
		access = token.ReadOnly
	}
	w.Writes = access == token.ReadWrite
	slot, err := w.Token(ctx, selector.URI)
	if err != nil {
		return frame.Result{}, err
	}
	if w.Writes && slot.Token.Flags.Has(token.CKFWriteProtected) {
		return frame.Result{}, bridge.ErrWriteProtected
	}
	if !o.dryRun {
		if err := slot.ShareWithCrypto11(ctx); err != nil {
			return frame.Result{}, err
		}
	}
	if request.Session, err = w.Session(slot, access); err != nil {
		return frame.Result{}, err
	}
	var pin *secret.Text
	if request.Inventory, pin, err = w.Read(ctx, request.Session, selector.URI, false); err != nil {
		return frame.Result{}, err
	}
	defer pin.Wipe()
	request.Session.Authenticate = func() (*secret.Text, error) { return pin, nil }
	if o.object != "" {
		if request.Identity, err = w.ChooseNear(request.Inventory, selector, o.object); err != nil {
			return frame.Result{}, err
		}
	}
	if view.IsDirectory(o.out) {
		o.out = view.InDirectory(o.out, o.proposed(request.Identity))
		request.Target.Path = o.out
		if err := request.Target.Check(); err != nil {
			return frame.Result{}, err
		}
	}
	return createCSR(ctx, w.App, o, request)
}

// proposed is the name of the file for a request: that of the key.
func (o *requestOptions) proposed(identity token.Identity) string {
	label := "request"
	switch {
	case o.label != nil:
		label = *o.label
	case o.object != "":
		label = string(identity.Label())
	}
	return view.FileName(label, "new") + ".csr"
}

// requestOf reads what the command line says, before any token is touched.
func requestOf(a *frame.App, o *requestOptions) (request bridge.CSRRequest, err error) {
	request = bridge.CSRRequest{
		SameKey: o.sameKey, KeyType: strings.ToLower(o.keyType), Exportable: o.exportable, Label: o.label,
		Target: archive.Target{Path: o.out, Force: o.force, Scratch: a.Scratch, Placing: a.Placing},
	}
	switch {
	case o.object == "" && o.like == "" && o.subject == "":
		return request, frame.Usage("error.request-of-nothing", nil)
	case o.like != "" && (o.object != "" || o.sameKey), o.object == "" && o.sameKey:
		return request, frame.Usage("error.like-object", nil)
	case o.password != "" && o.like == "":
		return request, frame.Usage("error.password-without-like", nil)
	case o.sameKey && (o.keyType != "" || o.exportable || o.label != nil):
		return request, frame.Usage("error.same-key", nil)
	case o.keyType != "" && !slices.Contains(bridge.KeyTypes(), request.KeyType):
		return request, frame.UsageAmong("error.key-type", messages.Args{"Given": foreign.Text(o.keyType), "Types": messages.Own(strings.Join(bridge.KeyTypes(), ", "))}, o.keyType, bridge.KeyTypes())
	}
	if o.subject != "" {
		if request.Subject, err = pki.ParseNameText(o.subject); err != nil {
			var meant []string
			if !strings.Contains(o.subject, "=") { // the name of a person alone
				meant = []string{"--subject " + terminal.ShellQuote("CN="+o.subject)}
			}
			return request, frame.UsageMeant("error.subject", messages.Args{"Problem": messages.Own(a.Problem(err))}, meant...)
		}
	}
	if len(o.altNames) > 0 {
		if request.AltNames, err = pki.GeneralNames(o.altNames); err != nil {
			return request, frame.UsageMeant("error.san", messages.Args{"Problem": messages.Own(a.Problem(err))}, o.meantAltName()...)
		}
	}
	switch {
	case o.out == "":
		return request, nil
	case view.IsDirectory(o.out): // the name is known once the object is
		return request, archive.CheckDirectory(o.out)
	}
	return request, request.Target.Check()
}

// meantAltName is the alternative name with its type, where one was given without: that of a server, or an address.
func (o *requestOptions) meantAltName() []string {
	for _, name := range o.altNames {
		kind := "dns:"
		switch {
		case strings.ContainsAny(name, ": "):
			continue
		case strings.Contains(name, "@"):
			kind = "email:"
		case net.ParseIP(name) != nil:
			kind = "ip:"
		}
		return []string{"--san " + terminal.ShellWord(kind+name)}
	}
	return nil
}

// readModel reads what the request is made after: a certificate, the record of a backup, or a PFX file.
func readModel(ctx context.Context, a *frame.App, o *requestOptions) (*bridge.Model, error) {
	if err := frame.CheckSource("--password-source", o.password, frame.PasswordSources); err != nil {
		return nil, err
	}
	if certificates, err := frame.ReadCertificates(o.like); err == nil {
		return &bridge.Model{Certificate: certificates[0], Label: bridge.LabelOf(certificates[0])}, nil
	}
	if record, err := archive.ReadRecord(o.like); err == nil {
		subject, err := pki.ParseNameText(string(record.Certificate.Subject))
		if err != nil {
			return nil, frame.Usage("error.subject", messages.Args{"Problem": messages.Own(a.Problem(err))})
		}
		may := func(noted *bool) bool { return noted != nil && *noted }
		return &bridge.Model{Subject: subject, Label: string(record.Label), Usage: token.Usage{Decrypt: may(record.Usage.Decrypt), Derive: may(record.Usage.Derive)}}, nil
	}
	v, _, err := view.JudgeFile(ctx, a, o.like, o.password)
	if err != nil {
		return nil, err
	}
	if v.Certificate == nil {
		return nil, view.NotACopy(o.like, v)
	}
	label := string(v.FriendlyName)
	if label == "" {
		label = bridge.LabelOf(v.Certificate)
	}
	return &bridge.Model{Certificate: v.Certificate, Label: label}, nil
}

func createCSR(ctx context.Context, a *frame.App, o *requestOptions, request bridge.CSRRequest) (frame.Result, error) {
	plan, err := request.Plan()
	if err != nil {
		return frame.Result{}, err
	}
	info := &request.Inventory.Token
	if o.dryRun {
		return planResult(o, request, plan), request.Try(plan)
	}
	// Without a file the request itself is the result. It is out before the new key is kept for it.
	request.Deliver = func(receipt *bridge.CSRResult) error {
		return a.Deliver(frame.Result{JSON: viewRequest(o, info, receipt), Text: func(p *frame.Printer) { p.Raw(receipt.PEM) }})
	}
	done := frame.Slowly(a, "progress.request")
	receipt, err := bridge.CreateCSR(ctx, request, plan)
	done()
	if err != nil {
		return frame.Result{}, err
	}
	if o.out != "" {
		result := frame.Result{JSON: viewRequest(o, info, receipt), Text: func(p *frame.Printer) { printRequest(p, o, request, receipt) }}
		if receipt.Uncertain != nil {
			fmt.Fprintln(a.Progress(), a.Text("label.notice", nil)+" "+a.Describe(receipt.Uncertain).Text(a))
			result.Code = frame.ExitPartly
		}
		return result, nil
	}
	if !a.JSON {
		printRequest(&frame.Printer{App: a, Out: a.Err}, o, request, receipt)
	}
	return frame.Result{}, nil
}
