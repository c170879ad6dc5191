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
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

type verifyOptions struct {
	files    []string
	password string
	against  string
	dir      string
	shard    *frame.ShardFlag
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
	a.Errors(view.CheckErrors()...)
	o := &verifyOptions{}
	c := &cobra.Command{
		Use:     "verify FILE… | --dir DIR",
		Short:   "command.verify.short",
		Long:    "command.verify.long",
		Example: frame.Examples("verify alice.pfx", "verify alice.pfx --password-source file:password.txt --json", "verify alice.pfx --against alice", "verify *.pfx", "verify alice.pfx --password-source sealed --unseal-with officer.key", "verify --dir backups --password-source sealed --unseal-with 'pkcs11:token=officers;object=officer'", "verify --dir backups --password-source file:password.txt"),
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case o.dir == "" && o.shard.Given():
				return frame.Usage("error.shard-for-one", nil)
			case o.dir != "" && (len(args) > 0 || o.against != ""):
				return frame.Usage("error.verify-dir-file", nil)
			case o.dir == "" && (len(args) < 2 || o.against != ""):
				return frame.ExactlyOne("FILE")(c, args)
			}
			return nil
		},
	}
	supervised := a.Supervised(func() []string { return []string{o.password} }, func(ctx context.Context, w *frame.Worker, args []string) (frame.Result, error) {
		o.files = args
		if o.against == "" {
			return verifyAlone(ctx, a, o)
		}
		v, _, err := view.JudgeFile(ctx, a, args[0], o.password)
		if err != nil || !v.Valid {
			return verification(args[0], v, nil), err
		}
		return holdAgainst(ctx, w, o, v)
	})
	unsupervised := a.Unsupervised(func(ctx context.Context, args []string) (frame.Result, error) {
		o.files = args
		return verifyAlone(ctx, a, o)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if frame.IsSealed(o.password) || o.against != "" { // only then may a module be opened
			return supervised(c, args)
		}
		return unsupervised(c, args)
	}
	c.Flags().StringVar(&o.password, "password-source", "", "flag.password-source-known")
	a.UnsealFlag(c)
	c.Flags().StringVar(&o.against, "against", "", "flag.against")
	c.Flags().StringVar(&o.dir, "dir", "", "flag.verify-dir")
	o.shard = a.ShardFlag(c.Flags())
	return c
}

// verifyAlone judges files, or those of a directory, and holds them against nothing on a token.
func verifyAlone(ctx context.Context, a *frame.App, o *verifyOptions) (frame.Result, error) {
	if len(o.files) != 1 {
		return verifyMany(ctx, a, o)
	}
	v, _, err := view.JudgeFile(ctx, a, o.files[0], o.password)
	return verification(o.files[0], v, nil), err
}

// verification is what is to be told of a file. One that is no valid copy is told on standard error, as every refusal is,
// unless a document was asked for.
func verification(file string, v *bridge.VerifyResult, against *againstView) frame.Result {
	if v == nil {
		return frame.Result{}
	}
	shown := viewVerification(file, v)
	shown.Against = against
	result := frame.Result{JSON: shown, Text: func(p *frame.Printer) { printValid(p, file, v, against) }}
	if !v.Valid {
		invalid := view.NotACopy(file, v)
		result.Code, result.Err = invalid.Code(), invalid
	}
	return result
}

func viewVerification(file string, v *bridge.VerifyResult) verifyView {
	shown := verifyView{
		Schema: "p11bridge.verify/1", File: file, Format: v.Format, HasPrivateKey: v.HasPrivateKey, HasCertificate: v.HasCertificate,
		KeyMatches: v.KeyMatches, Iterations: v.Iterations, OtherCertificates: v.OtherCertificates, FriendlyName: string(v.FriendlyName), Reasons: frame.NoNil(v.Reasons),
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
		fingerprint, subject := key.Certificate.SHA256(), string(key.Certificate.Subject)
		shown.CertificateSHA256, shown.Subject = &fingerprint, &subject
	}
	return shown
}

// printKeys lists the keys of a file that has several.
func printKeys(p *frame.Printer, keys []*bridge.FileKey) {
	if len(keys) < 2 {
		return
	}
	for _, key := range keys {
		args := messages.Args{"Name": foreign.Text(key.Title())}
		id := "verify.key-alone"
		if key.Certificate != nil {
			id, args["Subject"], args["Fingerprint"] = "verify.key", view.NameText(p.App, key.Certificate.Subject), messages.Own(key.Certificate.SHA256())
		}
		p.Line("  ", args, id)
	}
}

func printValid(p *frame.Printer, file string, v *bridge.VerifyResult, against *againstView) {
	args := messages.Args{"File": foreign.Text(file), "Profile": messages.Own(v.Profile), "Count": messages.Number(v.Iterations), "Chain": messages.Number(v.OtherCertificates), "Name": v.FriendlyName, "Subject": messages.Own("–"), "Until": messages.Own("–")}
	if v.Certificate != nil {
		args["Subject"], args["Until"] = view.NameText(p.App, v.Certificate.Subject), messages.Own(p.Until(v.Certificate.NotAfter))
	}
	fmt.Fprintln(p.Out, p.Colours().Good(p.Text("verify.valid", args)))
	if against != nil {
		id := "verify.against"
		if against.ShownBy == token.LinkedByPublicKey {
			id = "verify.against-told"
		}
		p.Line("  ", messages.Args{"URI": foreign.Text(against.URI)}, id)
		view.PrintUnasked(p, v)
	}
	fmt.Fprint(p.Out, p.ReasonsText(v.Reasons...))
	printKeys(p, v.Keys)
	p.Line("  ", args, "verify.details")
}
