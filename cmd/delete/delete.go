// Package delete is the command `delete`: it destroys a private key on a token, and nothing else.
package delete //nolint:predeclared // the command's own name

import (
	"context"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
)

type deleteOptions struct {
	object        string
	copy          string
	password      string
	allowVolatile bool
	yes           bool
	dryRun        bool
}

// NewCommand makes the command.
func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(deleteErrors()...)
	o := &deleteOptions{}
	c := &cobra.Command{
		Use:   "delete OBJECT",
		Short: "command.delete.short",
		Long:  "command.delete.long",
		Example: frame.Examples("delete alice --copy alice.pfx", "delete alice --copy alice.pfx --dry-run", "delete alice",
			"delete 'pkcs11:token=demo;id=%01;type=private' --copy alice.pfx --password-source file:password.txt --json"),
		Args: frame.AtMostOne("OBJECT"),
	}
	flags := c.Flags()
	flags.StringVar(&o.copy, "copy", "", "flag.copy")
	flags.StringVar(&o.password, "password-source", "", "flag.password-source-known")
	a.UnsealFlag(c)
	flags.BoolVar(&o.allowVolatile, "allow-volatile", false, "flag.delete-allow-volatile")
	flags.BoolVar(&o.yes, "yes", false, "flag.yes")
	flags.BoolVar(&o.dryRun, "dry-run", false, "flag.delete-dry-run")
	c.RunE = a.Supervised(func() []string { return []string{o.password} }, func(ctx context.Context, w *frame.Worker, args []string) (frame.Result, error) {
		if len(args) == 0 {
			return frame.Result{}, w.ObjectMissing(ctx, "error.argument-missing")
		}
		o.object, w.Writes, w.Exact = args[0], !o.dryRun, true
		return runDelete(ctx, w, o)
	})
	return c
}

func runDelete(ctx context.Context, w *frame.Worker, o *deleteOptions) (frame.Result, error) {
	if o.copy == "" && !o.yes && !o.dryRun && !terminal.Present() {
		return frame.Result{}, frame.Usage("error.delete-unconfirmed", nil)
	}
	known, err := judgeCopy(ctx, w.App, o)
	if err != nil {
		return frame.Result{}, err
	}
	found, err := w.Identity(ctx, o.object, false)
	if err != nil {
		return frame.Result{}, err
	}
	judged := verdict.Judge(found.Inventory, found.Identity, w.Now())
	if found.PrivateKey == nil {
		return frame.Result{}, &noKeyError{judged.Reasons}
	}
	r := bridge.DeleteRequest{
		Session: found.Session, Inventory: found.Inventory, Identity: found.Identity,
		Verdict: judged, Copy: known,
	}
	checked, err := r.Check(ctx)
	if err != nil {
		return frame.Result{}, err
	}
	if known != nil && !known.Result.Valid {
		return frame.Result{}, view.NotACopy(o.copy, known.Result)
	}
	if o.dryRun {
		return result(o, r), nil
	}
	if known == nil && !o.yes {
		args := messages.Args{"Token": r.Inventory.Token.Label}
		if err := w.ConfirmByName(ctx, "prompt.delete", args, r.Inventory, r.Identity); err != nil {
			return frame.Result{}, err
		}
	}
	if err := checked.Delete(ctx); err != nil {
		return frame.Result{}, err
	}
	return result(o, r), nil
}

// judgeCopy judges the file that is said to be a copy, before any token is touched. It is nil where none is.
func judgeCopy(ctx context.Context, a *frame.App, o *deleteOptions) (*bridge.KnownCopy, error) {
	if o.copy == "" {
		return nil, nil //nolint:nilnil // no copy was named
	}
	v, file, err := view.JudgeFile(ctx, a, o.copy, o.password)
	if err != nil {
		return nil, err
	}
	if !v.Valid {
		return nil, view.NotACopy(o.copy, v)
	}
	known, err := bridge.NewKnownCopy(o.copy, file, v)
	if err != nil {
		return nil, &bridge.KeyRemainsError{State: bridge.KeyKeptForFile, File: o.copy, Err: err}
	}
	known.AllowVolatile = o.allowVolatile
	return known, nil
}
