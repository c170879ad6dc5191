// Package export is the command `export`: it carries keys over to PFX files and proves them.
package export

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/seal"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(exportErrors()...)
	o := &exportOptions{}
	c := &cobra.Command{
		Use:   "export (OBJECT -o FILE | --all --dir DIR)",
		Short: "command.export.short",
		Long:  "command.export.long",
		Example: frame.Examples("export alice -o alice.pfx", "export 'pkcs11:token=demo;id=%01;type=private' -o alice.pfx --pin-source file:pin.txt --password-source file:password.txt",
			"export alice -o alice.pfx --chain ca.pem --profile legacy", "export alice -o alice.pfx --dry-run", "export alice -o alice.cer --certificate-only",
			"export alice -o alice.pfx --password-source generate --seal-to officer.pem", "export --all --dir backups --password-source generate --seal-to officer.pem --seal-to age1…",
			"export --all --dir backups --pin-source file:pin.txt --password-source file:password.txt",
			"export --all --shard 1/4 --dir backups --pin-source file:pin.txt --password-source file:password.txt"),
		Args: frame.AtMostOne("OBJECT"),
	}
	o.flags(a, c)
	c.RunE = a.Supervised(func() []string { return []string{o.password} }, func(ctx context.Context, w *frame.Worker, args []string) (frame.Result, error) {
		if !o.all && len(args) == 0 && o.dir == "" {
			return frame.Result{}, w.ObjectMissing(ctx, "error.argument-missing")
		}
		if len(args) == 1 {
			o.object = args[0]
		}
		o.iterationsGiven, o.passwordGiven, o.profileGiven = c.Flags().Changed("iterations"), c.Flags().Changed("password-source"), c.Flags().Changed("profile")
		if err := o.check(); err != nil {
			return frame.Result{}, err
		}
		if o.sealing() && o.deleteKey && !a.UnsealGiven() {
			return frame.Result{}, bridge.ErrNotOpened
		}
		w.Writes, w.Exact = o.deleteKey && !o.dryRun, o.deleteKey
		if o.all {
			return runExportAll(ctx, w, o)
		}
		return runExport(ctx, w, o)
	})
	return c
}

func (o *exportOptions) flags(a *frame.App, c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&o.all, "all", false, "flag.all")
	flags.StringVar(&o.dir, "dir", "", "flag.dir")
	o.shard = a.ShardFlag(flags)
	flags.StringVarP(&o.out, "out", "o", "", "flag.out")
	flags.StringVar(&o.profile, "profile", "modern", "flag.profile")
	flags.IntVar(&o.iterations, "iterations", 0, "flag.iterations")
	flags.StringArrayVar(&o.chain, "chain", nil, "flag.chain")
	flags.StringVar(&o.certificate, "certificate", "", "flag.certificate")
	flags.BoolVar(&o.certificateOnly, "certificate-only", false, "flag.certificate-only")
	flags.StringVar(&o.format, "format", "", "flag.format")
	flags.StringVar(&o.method, "method", "auto", "flag.method")
	flags.BoolVar(&o.requireShroud, "require-shroud", false, "flag.require-shroud")
	flags.StringVar(&o.proof, "proof", "", "flag.proof")
	flags.BoolVar(&o.force, "force", false, "flag.force")
	flags.BoolVar(&o.dryRun, "dry-run", false, "flag.dry-run")
	flags.StringVar(&o.password, "password-source", "", "flag.password-source")
	flags.BoolVar(&o.allowEmpty, "allow-empty-password", false, "flag.allow-empty-password")
	flags.BoolVar(&o.deleteKey, "delete-key", false, "flag.delete-key")
	flags.BoolVar(&o.allowVolatile, "allow-volatile", false, "flag.allow-volatile")
	flags.BoolVar(&o.ifNeeded, "if-needed", false, "flag.if-needed")
	flags.StringArrayVar(&o.sealTo, "seal-to", nil, "flag.seal-to")
	flags.StringVar(&o.transport, "seal-transport", string(seal.OAEP), "flag.seal-transport")
	a.UnsealFlag(c)
	flags.BoolVar(&o.yes, "yes", false, "flag.yes")
}

func runExport(ctx context.Context, w *frame.Worker, o *exportOptions) (frame.Result, error) {
	request, err := o.request(w.App)
	if err != nil {
		return frame.Result{}, err
	}
	found, err := w.Identity(ctx, o.object, o.certificateOnly)
	if err != nil {
		return frame.Result{}, err
	}
	request.Session, request.Inventory, request.Identity = found.Session, found.Inventory, found.Identity
	request.Verdict = verdict.Judge(found.Inventory, found.Identity, w.Now())
	if view.IsDirectory(o.out) {
		o.out = view.InDirectory(o.out, o.proposed(string(found.Label()), hex.EncodeToString(found.Objects()[0].ID())))
		request.Target.Path = o.out
		if err := o.checkTarget(request.Target); err != nil {
			return frame.Result{}, err
		}
	}
	if o.ifNeeded {
		if result, needed, err := unneeded(ctx, w.App, o, found, request.Certificate); err != nil || !needed {
			return result, err
		}
	}
	result, err := export(ctx, w.App, o, request)
	var refused *bridge.RefusedError
	if errors.As(err, &refused) {
		return result, &refusal{err, nextAfter(w.App, o, request, refused.Verdict)}
	}
	return result, err
}

func export(ctx context.Context, a *frame.App, o *exportOptions, r bridge.ExportRequest) (frame.Result, error) {
	if o.certificateOnly {
		return exportCertificate(o, r)
	}
	if r.Verdict.Final() {
		return frame.Result{}, &bridge.RefusedError{Verdict: r.Verdict}
	}
	if err := r.Check(); err != nil {
		return frame.Result{}, err
	}
	if o.dryRun {
		return dryRunResult(r), nil
	}
	if o.deleteKey {
		if err := confirmDeletion(ctx, a, o, r); err != nil {
			return frame.Result{}, err
		}
		r.DeleteKey = true
	}
	forget, err := setPassword(ctx, a, o, &r)
	if err != nil {
		return frame.Result{}, err
	}
	defer forget()
	done := frame.Slowly(a, "progress.export")
	receipt, err := bridge.Export(ctx, r)
	done()
	if err != nil {
		return frame.Result{}, err
	}
	if o.deleteKey && !receipt.KeyDeleted {
		a.Notice("notice.key-not-deleted", nil)
	}
	return receiptResult(o, receipt, r.Verdict), nil
}

// exportCertificate writes the certificate alone, and says that this is no backup.
func exportCertificate(o *exportOptions, r bridge.ExportRequest) (frame.Result, error) {
	var certificate *pki.Certificate
	if c := r.Identity.Certificate; c != nil {
		certificate = c.Parsed
	}
	if certificate == nil {
		return frame.Result{}, bridge.ErrNoCertificate
	}
	request := bridge.CertificateRequest{
		Target: r.Target, Format: bridge.CertificateFormat(o.format), Certificate: certificate, Pool: append(r.Pool, bridge.TokenCertificates(r.Inventory)...),
	}
	write := bridge.WriteCertificate
	if o.dryRun {
		write = bridge.CertificateRequest.Encode
	}
	written, err := write(request)
	if err != nil {
		return frame.Result{}, err
	}
	return frame.Result{JSON: viewCertificateOnly(o, certificate, written), Text: func(p *frame.Printer) {
		args := messages.Args{"File": foreign.Text(o.out), "Subject": certificate.Subject, "Format": messages.Own(string(written.Format)), "Chain": messages.Number(len(written.Chain))}
		p.Line("", args, "export.certificate-only")
		if !o.dryRun {
			p.Place("  ", o.out)
		}
		p.Line("", args, "export.certificate-format")
		fmt.Fprint(p.Out, p.ReasonsText(verdict.Reason{Code: verdict.CertificateOnly}))
	}}, nil
}
