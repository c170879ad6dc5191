// Package verify is the command `verify`: it says whether a file is a valid copy.
package verify

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/secret"
)

type verifyOptions struct {
	file     string
	password string
	against  string
}

// verifyView is what verify --json shows.
type verifyView struct {
	Schema            string            `json:"schema"`
	File              string            `json:"file"`
	Valid             *bool             `json:"valid"`
	Format            string            `json:"format"`
	HasPrivateKey     bool              `json:"has_private_key"`
	HasCertificate    bool              `json:"has_certificate"`
	KeyMatches        *bool             `json:"key_matches_certificate"`
	Profile           *string           `json:"profile"`
	Iterations        int               `json:"iterations"`
	Certificate       *view.Certificate `json:"certificate"`
	OtherCertificates int               `json:"other_certificates"`
	FriendlyName      string            `json:"friendly_name"`
	Keys              []keyView         `json:"keys"`
	Against           *againstView      `json:"against"`
	Reasons           []verdict.Reason  `json:"reasons"`
}

// keyView is one key of the file. A key without a certificate has null for both.
type keyView struct {
	Name              string  `json:"name"`
	CertificateSHA256 *string `json:"certificate_sha256"`
	Subject           *string `json:"subject"`
}

func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(againstErrors()...)
	a.Errors(view.CopyErrors()...)
	o := &verifyOptions{}
	c := &cobra.Command{
		Use:     "verify FILE",
		Short:   a.Text("command.verify.short", nil),
		Long:    a.Text("command.verify.long", nil),
		Example: frame.Examples("verify alice.pfx", "verify alice.pfx --password-source file:password.txt --json", "verify alice.pfx --against alice"),
		Args:    frame.ExactlyOne("FILE"),
	}
	supervised := a.Supervised(func() []string { return []string{o.password} }, func(ctx context.Context, args []string) error {
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
	c.Flags().StringVar(&o.password, "password-source", "", a.Text("flag.password-source-known", nil))
	c.Flags().StringVar(&o.against, "against", "", a.Text("flag.against", nil))
	return c
}

func runVerify(ctx context.Context, a *frame.App, o *verifyOptions) error {
	secret.LockProcess()
	if err := supervise.ForbidCoreDumps(); err != nil {
		return err
	}
	if err := frame.CheckSource("--password-source", o.password, frame.PasswordSources); err != nil {
		return err
	}
	file, err := frame.ReadInput(o.file)
	if err != nil {
		return err
	}
	done := func() {}
	v, err := bridge.Verify(ctx, file, func() (*secret.Text, error) {
		password, err := a.KnownPassword(ctx, o.password, o.file)
		done = frame.Slowly(a, "progress.verify")
		return password, err
	}, a.Now())
	done()
	if err != nil {
		return err
	}
	if o.against == "" || !v.Valid {
		return tellVerification(a, o.file, v, nil)
	}
	return holdAgainst(ctx, a, o, v)
}

func tellVerification(a *frame.App, file string, v *bridge.Verification, against *againstView) error {
	if a.JSON {
		shown := viewVerification(file, v)
		shown.Against = against
		if err := a.WriteJSON(shown); err != nil || v.Valid {
			return err
		}
		code := frame.ExitNotACopy
		if v.Unjudged {
			code = frame.ExitPartly
		}
		return &frame.ReportedError{Code: code}
	}
	if !v.Valid {
		return view.NotACopy(file, v)
	}
	tellValid(a, file, v)
	if against != nil {
		fmt.Fprintln(a.Out, "  "+a.Text("verify.against", messages.Args{"URI": terminal.Printable(against.URI)}))
	}
	return nil
}

func viewVerification(file string, v *bridge.Verification) verifyView {
	shown := verifyView{
		Schema: "p11bridge.verify/1", File: file, Format: v.Format, HasPrivateKey: v.HasPrivateKey, HasCertificate: v.HasCertificate,
		KeyMatches: v.KeyMatches, Iterations: v.Iterations, OtherCertificates: v.OtherCertificates, FriendlyName: v.FriendlyName, Reasons: frame.NoNil(v.Reasons),
		Keys: []keyView{},
	}
	if !v.Unjudged {
		shown.Valid = &v.Valid
	}
	for _, key := range v.Keys {
		shown.Keys = append(shown.Keys, viewKey(key))
	}
	if v.Profile != "" {
		shown.Profile = &v.Profile
	}
	if v.Certificate != nil {
		shown.Certificate = view.CertificateOf(v.Certificate)
	}
	return shown
}

func viewKey(key *bridge.FileKey) keyView {
	shown := keyView{Name: key.Title()}
	if key.Certificate != nil {
		fingerprint, subject := key.Certificate.SHA256(), key.Certificate.Subject
		shown.CertificateSHA256, shown.Subject = &fingerprint, &subject
	}
	return shown
}

// tellKeys lists the keys of a file that has several.
func tellKeys(a *frame.App, keys []*bridge.FileKey) {
	if len(keys) < 2 {
		return
	}
	for _, key := range keys {
		args := messages.Args{"Name": terminal.Printable(key.Title())}
		id := "verify.key-alone"
		if key.Certificate != nil {
			id, args["Subject"], args["Fingerprint"] = "verify.key", terminal.Printable(key.Certificate.Subject), key.Certificate.SHA256()
		}
		fmt.Fprintln(a.Out, "  "+a.Text(id, args))
	}
}

func tellValid(a *frame.App, file string, v *bridge.Verification) {
	args := messages.Args{"File": terminal.Printable(file), "Profile": v.Profile, "Iterations": v.Iterations, "Chain": v.OtherCertificates, "Name": terminal.Printable(v.FriendlyName), "Subject": "–", "Until": "–"}
	if v.Certificate != nil {
		args["Subject"], args["Until"] = terminal.Printable(v.Certificate.Subject), a.Date(v.Certificate.NotAfter)
	}
	fmt.Fprintln(a.Out, terminal.ColoursFor(a.Out, a.Getenv).Good(a.Text("verify.valid", args)))
	fmt.Fprintln(a.Out, frame.IndentLines(a.Text("verify.details", args), "  "))
	tellKeys(a, v.Keys)
	for _, reason := range v.Reasons {
		fmt.Fprint(a.Out, a.ReasonParagraph(reason))
	}
}
