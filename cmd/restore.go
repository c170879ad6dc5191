package cmd

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
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/secret"
)

type restoreOptions struct {
	file       string
	password   string
	exportable bool
	dryRun     bool
}

func newRestoreCommand(a *app) *cobra.Command {
	o := &restoreOptions{}
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: a.text("command.restore.short", nil),
		Long:  a.text("command.restore.long", nil),
		Example: examples("restore alice.pfx --token demo", "restore alice.pfx --token demo --exportable",
			"restore alice.pfx --token demo --pin-source file:pin.txt --password-source file:password.txt --json", "restore alice.pfx --token demo --dry-run"),
		Args: exactlyOne("FILE"),
	}
	c.Flags().StringVar(&o.password, "password-source", "", a.text("flag.password-source-known", nil))
	c.Flags().BoolVar(&o.exportable, "exportable", false, a.text("flag.exportable", nil))
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, a.text("flag.restore-dry-run", nil))
	c.RunE = a.supervised(func() []string { return []string{o.password} }, func(ctx context.Context, args []string) error {
		o.file, a.writes = args[0], !o.dryRun
		return runRestore(ctx, a, o)
	})
	return c
}

func runRestore(ctx context.Context, a *app, o *restoreOptions) error {
	request, password, err := a.restoreRequest(ctx, o)
	if err != nil {
		return err
	}
	defer password.Wipe()
	access := token.ReadWrite
	if o.dryRun {
		access = token.ReadOnly
	}
	return a.withToken(ctx, nil, func(slot token.Slot) error {
		if !o.dryRun && slot.Token.Flags.Has(token.CKFWriteProtected) {
			return bridge.ErrWriteProtected
		}
		return a.withAccess(slot, access, func(s *token.Session) error {
			if err := a.login(ctx, s, nil, false); err != nil {
				return err
			}
			inventory, err := s.Inventory(ctx)
			if err != nil {
				return err
			}
			request.Session, request.Inventory = s, inventory
			return a.told(a.restore(ctx, o, request))
		})
	})
}

// restoreRequest opens the file, before any token is touched. The caller wipes the password.
func (a *app) restoreRequest(ctx context.Context, o *restoreOptions) (bridge.RestoreRequest, *secret.Text, error) {
	r := bridge.RestoreRequest{Exportable: o.exportable, Random: rand.Reader}
	file, err := readInput(o.file)
	if err != nil {
		return r, nil, err
	}
	var password *secret.Text
	done := func() {}
	r.Copy, err = bridge.OpenCopy(ctx, file, func() (given *secret.Text, err error) {
		password, err = a.knownPassword(ctx, o.password, o.file)
		done = a.slowly("progress.verify")
		return password, err
	}, a.now())
	done()
	if err == nil {
		r.Record, err = a.recordBeside(o.file)
	}
	if err != nil {
		password.Wipe()
		return r, nil, invalidCopy(o.file, err)
	}
	return r, password, nil
}

// recordBeside reads what an export noted beside the file. None need be there; one that cannot be used is worth a note.
func (a *app) recordBeside(file string) (*archive.Record, error) {
	path := strings.TrimSuffix(file, filepath.Ext(file)) + ".json"
	record, err := archive.ReadRecord(path)
	var unusable *archive.RecordError
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil //nolint:nilnil // a copy without a record is as good
	case errors.As(err, &unusable):
		a.notice("notice.record", messages.Args{"Path": printable(path), "Problem": systemWords(unusable.Err)})
		return nil, nil //nolint:nilnil // as if there were none
	}
	return record, err
}

// invalidCopy names the file of a copy that is none.
func invalidCopy(file string, err error) error {
	var invalid *bridge.InvalidCopyError
	if errors.As(err, &invalid) {
		return &notACopyError{file, invalid.Reasons}
	}
	return err
}

func (a *app) restore(ctx context.Context, o *restoreOptions, r bridge.RestoreRequest) error {
	if o.dryRun {
		plan, err := r.Plan(ctx)
		if err != nil {
			return err
		}
		return a.tellRestorePlan(o, r, plan)
	}
	done := a.slowly("progress.restore")
	restoration, err := bridge.Restore(ctx, r)
	done()
	var leftover *bridge.LeftoverError
	if errors.As(err, &leftover) {
		return &leftBehindError{leftover.URIs, invalidCopy(o.file, leftover.Err)}
	}
	if err != nil {
		return invalidCopy(o.file, err)
	}
	return a.tellRestoration(o, r, restoration)
}
