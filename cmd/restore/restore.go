// Package restore is the command `restore`: it brings a copy back onto a token.
package restore

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/secret"
)

type restoreOptions struct {
	file       string
	password   string
	exportable bool
	dryRun     bool
}

func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(restoreErrors()...)
	o := &restoreOptions{}
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: a.Text("command.restore.short", nil),
		Long:  a.Text("command.restore.long", nil),
		Example: frame.Examples("restore alice.pfx --token demo", "restore alice.pfx --token demo --exportable",
			"restore alice.pfx --token demo --pin-source file:pin.txt --password-source file:password.txt --json", "restore alice.pfx --token demo --dry-run"),
		Args: frame.ExactlyOne("FILE"),
	}
	c.Flags().StringVar(&o.password, "password-source", "", a.Text("flag.password-source-known", nil))
	c.Flags().BoolVar(&o.exportable, "exportable", false, a.Text("flag.exportable", nil))
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, a.Text("flag.restore-dry-run", nil))
	c.RunE = a.Supervised(func() []string { return []string{o.password} }, func(ctx context.Context, args []string) error {
		o.file, a.Writes = args[0], !o.dryRun
		return runRestore(ctx, a, o)
	})
	return c
}

func runRestore(ctx context.Context, a *frame.App, o *restoreOptions) error {
	request, password, err := restoreRequest(ctx, a, o)
	if err != nil {
		return err
	}
	defer password.Wipe()
	access := token.ReadWrite
	if o.dryRun {
		access = token.ReadOnly
	}
	return a.WithToken(ctx, nil, func(slot token.Slot) error {
		if !o.dryRun && slot.Token.Flags.Has(token.CKFWriteProtected) {
			return bridge.ErrWriteProtected
		}
		return a.WithAccess(slot, access, func(s *token.Session) error {
			if err := a.Login(ctx, s, nil, false); err != nil {
				return err
			}
			inventory, err := s.Inventory(ctx)
			if err != nil {
				return err
			}
			request.Session, request.Inventory = s, inventory
			return a.Told(restore(ctx, a, o, request))
		})
	})
}

// restoreRequest opens the file, before any token is touched. The caller wipes the password.
func restoreRequest(ctx context.Context, a *frame.App, o *restoreOptions) (bridge.RestoreRequest, *secret.Text, error) {
	r := bridge.RestoreRequest{Exportable: o.exportable, Random: rand.Reader}
	file, err := frame.ReadInput(o.file)
	if err != nil {
		return r, nil, err
	}
	var password *secret.Text
	done := func() {}
	r.Copy, err = bridge.OpenCopy(ctx, file, func() (given *secret.Text, err error) {
		password, err = a.KnownPassword(ctx, o.password, o.file)
		done = frame.Slowly(a, "progress.verify")
		return password, err
	}, a.Now())
	done()
	if err == nil {
		r.Record, err = recordBeside(a, o.file)
	}
	if err != nil {
		password.Wipe()
		return r, nil, view.InvalidCopy(o.file, err)
	}
	return r, password, nil
}

// recordBeside reads what an export noted beside the file. None need be there; one that cannot be used is worth a note.
func recordBeside(a *frame.App, file string) (*archive.Record, error) {
	path := strings.TrimSuffix(file, filepath.Ext(file)) + ".json"
	record, err := archive.ReadRecord(path)
	var unusable *archive.RecordError
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil //nolint:nilnil // a copy without a record is as good
	case errors.As(err, &unusable):
		a.Notice("notice.record", messages.Args{"Path": terminal.Printable(path), "Problem": frame.SystemWords(unusable.Err)})
		return nil, nil //nolint:nilnil // as if there were none
	}
	return record, err
}

func restore(ctx context.Context, a *frame.App, o *restoreOptions, r bridge.RestoreRequest) error {
	if o.dryRun {
		plan, err := r.Plan(ctx)
		if err != nil {
			return err
		}
		return tellRestorePlan(a, o, r, plan)
	}
	done := frame.Slowly(a, "progress.restore")
	restoration, err := bridge.Restore(ctx, r)
	done()
	var leftover *bridge.LeftoverError
	if errors.As(err, &leftover) {
		return &leftBehindError{leftover.URIs, view.InvalidCopy(o.file, leftover.Err)}
	}
	if err != nil {
		return view.InvalidCopy(o.file, err)
	}
	return tellRestoration(a, o, r, restoration)
}
