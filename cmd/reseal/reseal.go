// Package reseal is the command `reseal`: it seals the passwords of a directory's copies to other recipients.
package reseal

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/seal"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
	"p11bridge/token/secret"
)

type resealOptions struct {
	dir       string
	sealTo    []string
	transport string
	dryRun    bool
}

// NewCommand makes the command.
func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(view.CopyErrors()...)
	a.Errors(resealErrors()...)
	o := &resealOptions{}
	c := &cobra.Command{
		Use:   "reseal --dir DIR --seal-to RECIPIENT",
		Short: "command.reseal.short",
		Long:  "command.reseal.long",
		Example: frame.Examples("reseal --dir backups --seal-to new-officer.pem", "reseal --dir backups --seal-to new-officer.pem --unseal-with old-officer.key --dry-run",
			"reseal --dir backups --seal-to new-officer.pem --unseal-with 'pkcs11:token=officers;object=officer' --json"),
		Args: frame.NoArguments,
	}
	flags := c.Flags()
	flags.StringVar(&o.dir, "dir", "", "flag.status-dir")
	flags.StringArrayVar(&o.sealTo, "seal-to", nil, "flag.reseal-to")
	flags.StringVar(&o.transport, "seal-transport", string(seal.OAEP), "flag.seal-transport")
	a.UnsealFlag(c)
	flags.BoolVar(&o.dryRun, "dry-run", false, "flag.reseal-dry-run")
	c.RunE = a.Supervised(nil, func(ctx context.Context, w *frame.Worker, _ []string) (frame.Result, error) {
		return runReseal(ctx, w, o)
	})
	return c
}

// outcome is what became of one copy. One of the three is set; unsealed is a copy whose password was not sealed.
type outcome struct {
	backup   *archive.Backup
	result   *bridge.ResealResult
	err      error
	unsealed bool
}

func runReseal(ctx context.Context, w *frame.Worker, o *resealOptions) (frame.Result, error) {
	secret.LockProcess()
	switch {
	case o.dir == "":
		return frame.Result{}, frame.Usage("error.status-dir", nil)
	case !known(o.transport):
		return frame.Result{}, frame.Usage("error.seal-transport", messages.Args{"Given": foreign.Text(o.transport)})
	}
	recipients, err := w.Recipients(o.sealTo)
	if err != nil {
		return frame.Result{}, err
	}
	request := bridge.ResealRequest{Sealing: bridge.Sealing{Recipients: recipients, Transport: seal.Transport(o.transport), Now: w.Now()}, DryRun: o.dryRun}
	if !o.dryRun {
		if request.Target, err = reserve(w, o.dir); err != nil {
			return frame.Result{}, err
		}
		defer w.Scratch("")
	}
	backups, err := archive.Read(ctx, o.dir)
	if err != nil {
		return frame.Result{}, err
	}
	if request.Sealing.Keys, err = w.UnsealKeys(ctx); err != nil {
		return frame.Result{}, err
	}
	var outcomes []outcome
	for i := range backups.Backups {
		if ctx.Err() != nil {
			return frame.Result{}, &bridge.InterruptedError{Done: len(outcomes), Total: len(backups.Backups)}
		}
		one := outcome{backup: &backups.Backups[i]}
		if one.unsealed = one.backup.Record.Sealed == nil; !one.unsealed {
			one.result, one.err = resealOne(ctx, w, request, one.backup)
			if one.err != nil && ctx.Err() != nil {
				continue
			}
		}
		outcomes = append(outcomes, one)
	}
	return resealed(o, backups, outcomes)
}

func known(transport string) bool {
	for _, one := range seal.Transports() {
		if string(one) == transport {
			return true
		}
	}
	return false
}

// reserve keeps other runs out of the directory.
func reserve(w *frame.Worker, directory string) (archive.Target, error) {
	if err := archive.CheckDirectory(directory); err != nil { // one that is not there is not made
		return archive.Target{}, err
	}
	name, err := archive.NewDraftName()
	if err != nil {
		return archive.Target{}, err
	}
	reserved, err := archive.Reserve(directory, archive.Shard{})
	if err != nil {
		return archive.Target{}, err
	}
	w.Opened(reserved.Release)
	w.Scratch(filepath.Join(directory, name))
	return archive.Target{DraftName: name, Placing: w.Placing}, nil
}

// resealOne opens one sealed password and seals it anew. What goes wrong with it does not keep the others.
func resealOne(ctx context.Context, w *frame.Worker, r bridge.ResealRequest, backup *archive.Backup) (*bridge.ResealResult, error) {
	password, err := w.OpenSealed(ctx, "sealed:"+backup.PasswordPath(), backup.Path())
	if err != nil {
		secret.Erase()
		return nil, err
	}
	defer password.Wipe()
	r.Backup, r.Password = backup, password
	result, err := bridge.Reseal(ctx, r)
	return result, view.InvalidCopy(backup.Path(), err)
}
