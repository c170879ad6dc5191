// Package restore is the command `restore`: it brings a copy back onto a token.
package restore

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/secret"
)

type restoreOptions struct {
	file       string
	password   string
	exportable bool
	dryRun     bool
	key        string
	all        bool
}

func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(restoreErrors()...)
	o := &restoreOptions{}
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "command.restore.short",
		Long:  "command.restore.long",
		Example: frame.Examples("restore alice.pfx --token demo", "restore alice.pfx --token demo --exportable", "restore alice.pfx --token demo --password-source sealed --unseal-with officer.key",
			"restore alice.pfx --token demo --pin-source file:pin.txt --password-source file:password.txt --json", "restore alice.pfx --token demo --dry-run",
			"restore keys.pfx --token demo --key alice", "restore keys.pfx --token demo --all"),
		Args: frame.ExactlyOne("FILE"),
	}
	c.Flags().StringVar(&o.password, "password-source", "", "flag.password-source-known")
	a.UnsealFlag(c)
	c.Flags().BoolVar(&o.exportable, "exportable", false, "flag.exportable")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "flag.restore-dry-run")
	c.Flags().StringVar(&o.key, "key", "", "flag.restore-key")
	c.Flags().BoolVar(&o.all, "all", false, "flag.restore-all")
	c.RunE = a.Supervised(func() []string { return []string{o.password} }, func(ctx context.Context, w *frame.Worker, args []string) (frame.Result, error) {
		o.file, w.Writes = args[0], !o.dryRun
		return runRestore(ctx, w, o)
	})
	return c
}

func runRestore(ctx context.Context, w *frame.Worker, o *restoreOptions) (frame.Result, error) {
	request := bridge.RestoreRequest{Exportable: o.exportable}
	copies, password, err := openCopies(ctx, w.App, o)
	if err != nil {
		return frame.Result{}, err
	}
	defer password.Wipe()
	if request.Record, err = recordBeside(w.App, o.file); err != nil {
		return frame.Result{}, err
	}
	slot, err := w.Token(ctx, nil)
	if err != nil {
		return frame.Result{}, err
	}
	access := token.ReadWrite
	if o.dryRun {
		access = token.ReadOnly
	} else if slot.Token.Flags.Has(token.CKFWriteProtected) {
		return frame.Result{}, bridge.ErrWriteProtected
	}
	if request.Session, err = w.Session(slot, access); err != nil {
		return frame.Result{}, err
	}
	if err := w.Login(ctx, request.Session, nil, false); err != nil {
		return frame.Result{}, err
	}
	result, err := restoreCopies(ctx, w.App, o, request, copies)
	if again, loginErr := w.LoginAfter(ctx, request.Session, err); loginErr != nil {
		return frame.Result{}, loginErr
	} else if again {
		return restoreCopies(ctx, w.App, o, request, copies)
	}
	return result, err
}

func restoreCopies(ctx context.Context, a *frame.App, o *restoreOptions, request bridge.RestoreRequest, copies []*bridge.Copy) (_ frame.Result, err error) {
	if o.all {
		return restoreAll(ctx, a, o, request, copies)
	}
	if request.Inventory, err = request.Session.Inventory(ctx); err != nil {
		return frame.Result{}, err
	}
	request.Copy = copies[0]
	return restore(ctx, a, o, request)
}

// openCopies opens the file, before any token is touched: the copy that is meant, or all of them. The caller wipes the
// password.
func openCopies(ctx context.Context, a *frame.App, o *restoreOptions) ([]*bridge.Copy, *secret.Text, error) {
	if o.all && o.key != "" {
		return nil, nil, frame.Usage("error.restore-key-all", nil)
	}
	request, done, err := view.OpenFile(ctx, a, o.file, o.password)
	if err != nil {
		return nil, nil, err
	}
	var password *secret.Text
	ask := request.Password
	request.Password = func() (_ *secret.Text, err error) {
		password, err = ask()
		return password, err
	}
	copies, err := bridge.OpenCopies(ctx, request)
	done()
	if err == nil && !o.all {
		var chosen *bridge.Copy
		if chosen, err = bridge.Choose(copies, o.key); err == nil {
			copies = []*bridge.Copy{chosen}
		}
	}
	if err != nil {
		password.Wipe()
		return nil, nil, certificateInstead(view.InvalidCopy(o.file, err))
	}
	return copies, password, nil
}

// recordBeside reads what an export noted beside the file. None need be there; one that cannot be used is worth a note.
func recordBeside(a *frame.App, file string) (*archive.Record, error) {
	path := archive.RecordPath(file)
	record, err := archive.ReadRecord(path)
	var unusable *archive.RecordError
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil //nolint:nilnil // a copy without a record is as good
	case errors.As(err, &unusable):
		a.Notice("notice.record", messages.Args{"Path": foreign.Text(path), "Problem": messages.Own(a.Problem(unusable.Err))})
		return nil, nil //nolint:nilnil // as if there were none
	}
	return record, err
}

func restore(ctx context.Context, a *frame.App, o *restoreOptions, r bridge.RestoreRequest) (frame.Result, error) {
	if o.dryRun {
		plan, err := r.Rehearse(ctx)
		if err != nil {
			return frame.Result{}, view.InvalidCopy(o.file, err)
		}
		return planResult(o, r, plan), nil
	}
	restoration, err := restoreOne(ctx, a, o, r)
	if err != nil {
		return frame.Result{}, err
	}
	return restorationResult(o, r, restoration), nil
}

// restoreOne puts one copy on the token.
func restoreOne(ctx context.Context, a *frame.App, o *restoreOptions, r bridge.RestoreRequest) (*bridge.RestoreResult, error) {
	done := frame.Slowly(a, "progress.restore")
	restoration, err := bridge.Restore(ctx, r)
	done()
	var remains *token.RemainsError
	if errors.As(err, &remains) {
		remains.Err = view.InvalidCopy(o.file, remains.Err)
		return nil, err
	}
	if err == nil {
		noticeSecondOfLabel(a, r.Inventory, restoration.Key)
	}
	return restoration, view.InvalidCopy(o.file, err)
}

// onlyCertificateError is a file that holds a certificate where a key was to be restored. Another command is for it.
type onlyCertificateError struct {
	*view.NotACopyError
}

func certificateInstead(err error) error {
	var not *view.NotACopyError
	if errors.As(err, &not) && not.Has(verdict.CertificateOnly) {
		return &onlyCertificateError{not}
	}
	return err
}

// noticeSecondOfLabel says that the label of a new key names another key of the token, too.
func noticeSecondOfLabel(a *frame.App, present *token.Inventory, key *token.Object) {
	label := key.Label()
	for _, identity := range present.Identities() {
		if o := identity.PrivateKey; o != nil && o.Label() == label && label != "" {
			a.Notice("notice.label-twice", messages.Args{"Label": label, "Token": present.Token.Label})
			return
		}
	}
}
