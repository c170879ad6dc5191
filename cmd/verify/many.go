package verify

import (
	"context"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/view"
)

// verifyMany judges every PFX file of a directory, or the files that were named.
func verifyMany(ctx context.Context, a *frame.App, o *verifyOptions) (frame.Result, error) {
	shard, err := o.shard.Shard()
	if err != nil {
		return frame.Result{}, err
	}
	backups, copies, first, summary, err := toVerify(ctx, o, shard)
	if err != nil {
		return frame.Result{}, err
	}
	passwords, err := view.FirstPassword(ctx, a, o.password, first, copies)
	if err != nil {
		return frame.Result{}, err
	}
	defer passwords.Wipe()
	if err := view.CheckAll(ctx, a, bridge.CheckAllRequest{Now: a.Now()}, passwords, copies); err != nil {
		return frame.Result{}, err
	}
	shown := view.CheckedCopiesOf("p11bridge.verify-all/1", backups, shard, copies, nil)
	return frame.Result{JSON: shown, Text: func(p *frame.Printer) { shown.Print(p, summary) }, Code: shown.Code()}, nil
}

// toVerify gives what is to be judged, the name by which its password is asked for, and the text that sums it up.
func toVerify(ctx context.Context, o *verifyOptions, shard archive.Shard) (backups *archive.Archive, copies []*bridge.CheckedCopy, first, summary string, err error) {
	if o.dir != "" {
		backups, copies, err = view.CopiesToCheck(ctx, o.dir, shard)
		return backups, copies, o.dir, "verify-all.summary", err
	}
	backups, copies = view.NamedCopies(o.files)
	return backups, copies, o.files[0], "verify-files.summary", nil
}
