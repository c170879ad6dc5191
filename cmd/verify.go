package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token/secret"
)

type verifyOptions struct {
	file     string
	password string
	against  string
}

// verifyView is what verify --json shows.
type verifyView struct {
	Schema            string           `json:"schema"`
	File              string           `json:"file"`
	Valid             bool             `json:"valid"`
	Format            string           `json:"format"`
	HasPrivateKey     bool             `json:"has_private_key"`
	HasCertificate    bool             `json:"has_certificate"`
	KeyMatches        *bool            `json:"key_matches_certificate"`
	Profile           *string          `json:"profile"`
	Iterations        int              `json:"iterations"`
	Certificate       *certificateView `json:"certificate"`
	OtherCertificates int              `json:"other_certificates"`
	FriendlyName      string           `json:"friendly_name"`
	Against           *againstView     `json:"against"`
	Reasons           []verdict.Reason `json:"reasons"`
}

// notACopyError carries why a file is no valid copy.
type notACopyError struct {
	file    string
	reasons []verdict.Reason
}

// Error gives the first reason's code.
func (e *notACopyError) Error() string {
	if len(e.reasons) == 0 {
		return "not a valid copy"
	}
	return "not a valid copy: " + string(e.reasons[0].Code)
}

func newVerifyCommand(a *app) *cobra.Command {
	o := &verifyOptions{}
	c := &cobra.Command{
		Use:     "verify FILE",
		Short:   a.text("command.verify.short", nil),
		Long:    a.text("command.verify.long", nil),
		Example: examples("verify alice.pfx", "verify alice.pfx --password-source file:password.txt --json", "verify alice.pfx --against alice"),
		Args:    exactlyOne("FILE"),
	}
	supervised := a.supervised(func() []string { return []string{o.password} }, func(ctx context.Context, args []string) error {
		o.file = args[0]
		return runVerify(ctx, a, o)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.against != "" { // the only time that a module is opened
			return supervised(c, args)
		}
		o.file = args[0]
		return runVerify(c.Context(), a, o)
	}
	c.Flags().StringVar(&o.password, "password-source", "", a.text("flag.password-source-known", nil))
	c.Flags().StringVar(&o.against, "against", "", a.text("flag.against", nil))
	return c
}

func runVerify(ctx context.Context, a *app, o *verifyOptions) error {
	if err := forbidCoreDumps(); err != nil {
		return err
	}
	if err := checkSource("--password-source", o.password, passwordSources); err != nil {
		return err
	}
	file, err := readInput(o.file)
	if err != nil {
		return err
	}
	done := func() {}
	v, err := bridge.Verify(ctx, file, func() (*secret.Text, error) {
		password, err := a.knownPassword(ctx, o.password, o.file)
		done = a.slowly("progress.verify")
		return password, err
	}, a.now())
	done()
	if err != nil {
		return err
	}
	if o.against == "" || !v.Valid {
		return a.tellVerification(o.file, v, nil)
	}
	return a.holdAgainst(ctx, o, v)
}

func (a *app) tellVerification(file string, v *bridge.Verification, against *againstView) error {
	if a.json {
		view := viewVerification(file, v)
		view.Against = against
		if err := a.writeJSON(view); err != nil || v.Valid {
			return err
		}
		return &reportedError{exitNotACopy}
	}
	if !v.Valid {
		return &notACopyError{file, v.Reasons}
	}
	a.tellValid(file, v)
	if against != nil {
		fmt.Fprintln(a.out, "  "+a.text("verify.against", messages.Args{"URI": printable(against.URI)}))
	}
	return nil
}

func viewVerification(file string, v *bridge.Verification) verifyView {
	view := verifyView{
		Schema: "p11bridge.verify/1", File: file, Valid: v.Valid, Format: v.Format, HasPrivateKey: v.HasPrivateKey, HasCertificate: v.HasCertificate,
		KeyMatches: v.KeyMatches, Iterations: v.Iterations, OtherCertificates: v.OtherCertificates, FriendlyName: v.FriendlyName, Reasons: noNil(v.Reasons),
	}
	if v.Profile != "" {
		view.Profile = &v.Profile
	}
	if v.Certificate != nil {
		view.Certificate = viewCertificate(v.Certificate)
	}
	return view
}

func (a *app) tellValid(file string, v *bridge.Verification) {
	args := messages.Args{"File": printable(file), "Profile": v.Profile, "Iterations": v.Iterations, "Chain": v.OtherCertificates, "Name": printable(v.FriendlyName), "Subject": "–", "Until": "–"}
	if v.Certificate != nil {
		args["Subject"], args["Until"] = printable(v.Certificate.Subject), a.date(v.Certificate.NotAfter)
	}
	fmt.Fprintln(a.out, coloursFor(a.out, a.getenv).good(a.text("verify.valid", args)))
	fmt.Fprintln(a.out, indentLines(a.text("verify.details", args), "  "))
	for _, reason := range v.Reasons {
		fmt.Fprint(a.out, a.reasonParagraph(reason))
	}
}
