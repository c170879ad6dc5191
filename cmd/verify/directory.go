package verify

import (
	"context"

	"p11bridge/bridge"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/view"
	"p11bridge/token/secret"
)

// verifyDirectory judges every PFX file of a directory, with one password.
func verifyDirectory(ctx context.Context, a *frame.App, o *verifyOptions) (frame.Result, error) {
	secret.LockProcess()
	shard, err := o.shard.Shard()
	if err != nil {
		return frame.Result{}, err
	}
	backups, copies, err := view.CopiesToCheck(ctx, o.dir, shard)
	if err != nil {
		return frame.Result{}, err
	}
	if err := frame.CheckSource("--password-source", o.password, frame.PasswordSources); err != nil {
		return frame.Result{}, err
	}
	password, err := a.KnownPassword(ctx, o.password, o.dir)
	if err != nil {
		return frame.Result{}, err
	}
	defer password.Wipe()
	request := bridge.CheckAllRequest{Password: func() (*secret.Text, error) { return password, nil }, Now: a.Now()}
	if err := view.CheckAll(ctx, a, request, copies); err != nil {
		return frame.Result{}, err
	}
	shown := view.CheckedCopiesOf("p11bridge.verify-all/1", backups, shard, copies, nil)
	return frame.Result{JSON: shown, Text: func(p *frame.Printer) { shown.Print(p, "verify-all.summary") }, Code: shown.Code()}, nil
}
