// Package install is the command `install`: it puts the issued certificate beside its key.
package install

import (
	"context"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/token"
	"p11bridge/token/pki"
)

type installOptions struct {
	file      string
	withChain bool
	dryRun    bool
}

func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(installErrors()...)
	o := &installOptions{}
	c := &cobra.Command{
		Use:     "install CERT",
		Short:   "command.install.short",
		Long:    "command.install.long",
		Example: frame.Examples("install bob.pem", "install bob.pem --token demo --with-chain", "install bob.cer --dry-run"),
		Args:    frame.ExactlyOne("CERT"),
	}
	c.Flags().BoolVar(&o.withChain, "with-chain", false, "flag.with-chain")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "flag.install-dry-run")
	c.RunE = a.Supervised(nil, func(ctx context.Context, w *frame.Worker, args []string) (frame.Result, error) {
		o.file, w.Writes = args[0], !o.dryRun
		return runInstall(ctx, w, o)
	})
	return c
}

func runInstall(ctx context.Context, w *frame.Worker, o *installOptions) (frame.Result, error) {
	certificates, err := frame.ReadCertificates(o.file)
	if err != nil {
		return frame.Result{}, err
	}
	slot, err := w.Token(ctx, nil)
	if err != nil {
		return frame.Result{}, err
	}
	access := token.ReadWrite
	if o.dryRun || slot.Token.Flags.Has(token.CKFWriteProtected) { // what is there already needs no writing
		access = token.ReadOnly
	}
	session, err := w.Session(slot, access)
	if err != nil {
		return frame.Result{}, err
	}
	inventory, pin, err := w.Read(ctx, session, nil, false)
	if err != nil {
		return frame.Result{}, err
	}
	pin.Wipe()
	return install(ctx, w.App, o, session, inventory, certificates)
}

func install(ctx context.Context, a *frame.App, o *installOptions, s *token.Session, inventory *token.Inventory, certificates []*pki.Certificate) (frame.Result, error) {
	request := bridge.InstallRequest{Session: s, Inventory: inventory, Certificates: certificates, WithChain: o.withChain, Now: a.Now()}
	plan, err := request.Plan(ctx)
	if err != nil {
		return frame.Result{}, err
	}
	if !o.dryRun {
		if err := bridge.Install(ctx, request, plan); err != nil {
			return frame.Result{}, err
		}
	}
	info := &inventory.Token
	return frame.Result{JSON: viewInstall(o, info, plan), Text: func(p *frame.Printer) { printInstall(p, o, info, plan) }}, nil
}

// installErrors are the words for what an installation can end with.
func installErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(_ *frame.App, e *bridge.InstallRefusedError) frame.Failure {
			return frame.Failure{ID: "error.not-installed", Reasons: []verdict.Reason{e.Reason}, Code: frame.ExitFailed}
		}),
		frame.Is(bridge.ErrNotStored, frame.ExitFailed, "error.not-stored"),
	}
}
