package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/token"
	"p11bridge/token/pki"
)

type installOptions struct {
	file      string
	withChain bool
	dryRun    bool
}

func newInstallCommand(a *app) *cobra.Command {
	o := &installOptions{}
	c := &cobra.Command{
		Use:     "install CERT",
		Short:   a.text("command.install.short", nil),
		Long:    a.text("command.install.long", nil),
		Example: examples("install bob.pem", "install bob.pem --token demo --with-chain", "install bob.cer --dry-run"),
		Args:    exactlyOne("CERT"),
	}
	c.Flags().BoolVar(&o.withChain, "with-chain", false, a.text("flag.with-chain", nil))
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, a.text("flag.install-dry-run", nil))
	c.RunE = a.supervised(nil, func(ctx context.Context, args []string) error {
		o.file = args[0]
		return runInstall(ctx, a, o)
	})
	return c
}

func runInstall(ctx context.Context, a *app, o *installOptions) error {
	certificates, err := readCertificates(o.file)
	if err != nil {
		return err
	}
	a.writes = !o.dryRun
	return a.withToken(ctx, nil, func(slot token.Slot) error {
		access := token.ReadWrite
		if o.dryRun || slot.Token.Flags.Has(token.CKFWriteProtected) { // what is there already needs no writing
			access = token.ReadOnly
		}
		return a.withAccess(slot, access, func(s *token.Session) error {
			if err := a.login(ctx, s, nil, false); err != nil {
				return err
			}
			return a.told(a.install(ctx, o, s, certificates))
		})
	})
}

func (a *app) install(ctx context.Context, o *installOptions, s *token.Session, certificates []*pki.Certificate) error {
	inventory, err := s.Inventory(ctx)
	if err != nil {
		return err
	}
	order := bridge.InstallOrder{Session: s, Inventory: inventory, Certificates: certificates, WithChain: o.withChain, Now: a.now()}
	plan, err := order.Plan(ctx)
	if err != nil {
		return err
	}
	if !o.dryRun {
		if err := bridge.Install(ctx, order, plan); err != nil {
			return installFailure(err)
		}
	}
	return a.tellInstall(o, &inventory.Token, plan)
}

// installRemainsError is a failure after which certificates could not be removed again. What it wraps is not for errors.As.
type installRemainsError struct {
	err      error
	subjects []string
}

// Error gives the failure with what is left.
func (e *installRemainsError) Error() string { return e.err.Error() }

func installFailure(err error) error {
	var remain *bridge.CertificatesRemainError
	if errors.As(err, &remain) {
		return &installRemainsError{err: err, subjects: remain.Subjects}
	}
	return err
}
