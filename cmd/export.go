package cmd

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/pki"
)

type exportOptions struct {
	object          string
	all             bool
	dir             string
	out             string
	profile         string
	iterations      int
	chain           []string
	certificate     string
	certificateOnly bool
	method          string
	requireShroud   bool
	proof           string
	force           bool
	dryRun          bool
	password        string
	allowEmpty      bool
	deleteKey       bool
	yes             bool
}

func newExportCommand(a *app) *cobra.Command {
	o := &exportOptions{}
	c := &cobra.Command{
		Use:   "export (OBJECT -o FILE | --all --dir DIR)",
		Short: a.text("command.export.short", nil),
		Long:  a.text("command.export.long", nil),
		Example: examples("export alice -o alice.pfx", "export 'pkcs11:token=demo;id=%01;type=private' -o alice.pfx --pin-source file:pin.txt --password-source file:password.txt",
			"export alice -o alice.pfx --chain ca.pem --profile legacy", "export alice -o alice.pfx --dry-run", "export alice -o alice.cer --certificate-only",
			"export --all --dir backups --pin-source file:pin.txt --password-source file:password.txt"),
		Args: func(c *cobra.Command, args []string) error {
			if o.all {
				return noArguments(c, args)
			}
			return exactlyOne("OBJECT")(c, args)
		},
	}
	flags := c.Flags()
	flags.BoolVar(&o.all, "all", false, a.text("flag.all", nil))
	flags.StringVar(&o.dir, "dir", "", a.text("flag.dir", nil))
	flags.StringVarP(&o.out, "out", "o", "", a.text("flag.out", nil))
	flags.StringVar(&o.profile, "profile", "modern", a.text("flag.profile", nil))
	flags.IntVar(&o.iterations, "iterations", 0, a.text("flag.iterations", nil))
	flags.StringArrayVar(&o.chain, "chain", nil, a.text("flag.chain", nil))
	flags.StringVar(&o.certificate, "certificate", "", a.text("flag.certificate", nil))
	flags.BoolVar(&o.certificateOnly, "certificate-only", false, a.text("flag.certificate-only", nil))
	flags.StringVar(&o.method, "method", "auto", a.text("flag.method", nil))
	flags.BoolVar(&o.requireShroud, "require-shroud", false, a.text("flag.require-shroud", nil))
	flags.StringVar(&o.proof, "proof", "", a.text("flag.proof", nil))
	flags.BoolVar(&o.force, "force", false, a.text("flag.force", nil))
	flags.BoolVar(&o.dryRun, "dry-run", false, a.text("flag.dry-run", nil))
	flags.StringVar(&o.password, "password-source", "", a.text("flag.password-source", nil))
	flags.BoolVar(&o.allowEmpty, "allow-empty-password", false, a.text("flag.allow-empty-password", nil))
	flags.BoolVar(&o.deleteKey, "delete-key", false, a.text("flag.delete-key", nil))
	flags.BoolVar(&o.yes, "yes", false, a.text("flag.yes", nil))
	c.RunE = a.supervised(func() []string { return []string{o.password} }, func(ctx context.Context, args []string) error {
		if err := o.checkAll(); err != nil {
			return err
		}
		if o.all {
			return runExportAll(ctx, a, o)
		}
		o.object, a.writes = args[0], o.deleteKey && !o.dryRun
		return runExport(ctx, a, o)
	})
	return c
}

func runExport(ctx context.Context, a *app, o *exportOptions) error {
	request, err := a.exportRequest(o)
	if err != nil {
		return err
	}
	return a.withIdentity(ctx, o.object, o.certificateOnly, func(session *token.Session, inventory *token.Inventory, identity token.Identity) error {
		request.Session, request.Inventory, request.Identity = session, inventory, identity
		request.Verdict = verdict.Judge(inventory, identity, a.now())
		return a.told(a.export(ctx, o, request))
	})
}

// exportRequest reads what the command line and the files say, before any token is touched.
func (a *app) exportRequest(o *exportOptions) (bridge.ExportRequest, error) {
	r := bridge.ExportRequest{
		Profile: bridge.Profile(o.profile), Iterations: o.iterations, Random: rand.Reader,
		RequireShroud: o.requireShroud, Prover: bridge.Prover(o.proof),
		Target: archive.Target{Path: o.out, Force: o.force, Scratch: a.child.page.setScratch},
	}
	switch {
	case o.out == "" && !o.all:
		return r, usage("error.out-missing", nil)
	case !slices.Contains([]bridge.Profile{bridge.ProfileModern, bridge.ProfilePBMAC1, bridge.ProfileLegacy}, r.Profile):
		return r, usage("error.profile", messages.Args{"Given": printable(o.profile)})
	case o.iterations < 0 || o.iterations > bridge.MaxIterations:
		return r, usage("error.iterations", messages.Args{"Limit": bridge.MaxIterations})
	case o.method != "auto" && !slices.Contains([]verdict.Method{verdict.MethodShroud, verdict.MethodWrap, verdict.MethodAttributes}, verdict.Method(o.method)):
		return r, usage("error.method", messages.Args{"Given": printable(o.method)})
	case o.proof != "" && r.Prover != bridge.ProverToken && r.Prover != bridge.ProverHost:
		return r, usage("error.proof", messages.Args{"Given": printable(o.proof)})
	case r.RequireShroud && (o.method != "auto" && o.method != string(verdict.MethodShroud) || r.Prover == bridge.ProverHost || r.Profile == bridge.ProfileLegacy):
		return r, usage("error.require-shroud", nil)
	case o.deleteKey && o.certificateOnly:
		return r, usage("error.delete-certificate-only", nil)
	case o.method == string(verdict.MethodShroud) && r.Profile == bridge.ProfileLegacy:
		return r, usage("error.shroud-legacy", nil)
	}
	if err := checkSource("--password-source", o.password, newPasswordSources); err != nil {
		return r, err
	}
	if o.method != "auto" {
		r.Method = verdict.Method(o.method)
	}
	for _, path := range o.chain {
		certificates, err := readCertificates(path)
		if err != nil {
			return r, err
		}
		r.Pool = append(r.Pool, certificates...)
	}
	if o.certificate != "" {
		certificates, err := readCertificates(o.certificate)
		if err != nil {
			return r, err
		}
		r.Certificate, r.Pool = certificates[0], append(r.Pool, certificates[1:]...)
	}
	if o.all { // every file has its own target
		return r, nil
	}
	return r, r.Target.Check()
}

func (a *app) export(ctx context.Context, o *exportOptions, r bridge.ExportRequest) error {
	if o.certificateOnly {
		return a.exportCertificate(o, r)
	}
	if r.Verdict.Final() {
		return &bridge.RefusedError{Verdict: r.Verdict}
	}
	if o.dryRun {
		return a.tellDryRun(r)
	}
	if o.deleteKey {
		if err := a.confirmDeletion(ctx, o, r); err != nil {
			return err
		}
		r.DeleteKey = true
	}
	password, err := a.passwordToSet(ctx, o)
	if err != nil {
		return err
	}
	defer password.Wipe()
	r.Password = password
	done := a.slowly("progress.export")
	receipt, err := bridge.Export(ctx, r)
	done()
	if err != nil {
		return err
	}
	if o.deleteKey && !receipt.KeyDeleted {
		a.notice("notice.key-not-deleted", nil)
	}
	return a.tellReceipt(receipt, r.Verdict)
}

// exportCertificate writes the certificate alone, and says that this is no backup.
func (a *app) exportCertificate(o *exportOptions, r bridge.ExportRequest) error {
	var certificate *pki.Certificate
	if c := r.Identity.Certificate; c != nil {
		certificate = c.Parsed
	}
	if certificate == nil {
		return bridge.ErrNoCertificate
	}
	if !o.dryRun {
		if err := bridge.WriteCertificate(r.Target, certificate); err != nil {
			return err
		}
	}
	if a.json {
		return a.writeJSON(viewCertificateOnly(o.out, certificate))
	}
	fmt.Fprintln(a.out, a.text("export.certificate-only", messages.Args{"File": printable(o.out), "Subject": printable(certificate.Subject)}))
	fmt.Fprint(a.out, a.reasonParagraph(verdict.Reason{Code: verdict.CertificateOnly}))
	return nil
}
