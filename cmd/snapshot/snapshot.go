// Package snapshot is the command `snapshot`: it writes what a diagnosis needs to a file, without a secret.
package snapshot

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

type snapshotOptions struct {
	out     string
	force   bool
	redact  bool
	noLogin bool
}

func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(view.SnapshotErrors()...)
	o := &snapshotOptions{}
	c := &cobra.Command{
		Use:     "snapshot -o FILE",
		Short:   a.Text("command.snapshot.short", nil),
		Long:    a.Text("command.snapshot.long", nil),
		Example: frame.Examples("snapshot -o token.json", "snapshot -o token.json --redact --token demo --pin-source file:pin.txt"),
		Args:    frame.NoArguments,
		RunE: a.Supervised(nil, func(ctx context.Context, w *frame.Worker, _ []string) (frame.Result, error) {
			return runSnapshot(ctx, w, o)
		}),
	}
	c.Flags().StringVarP(&o.out, "out", "o", "", a.Text("flag.out", nil))
	c.Flags().BoolVar(&o.force, "force", false, a.Text("flag.force", nil))
	c.Flags().BoolVar(&o.redact, "redact", false, a.Text("flag.redact", nil))
	c.Flags().BoolVar(&o.noLogin, "no-login", false, a.Text("flag.no-login", nil))
	return c
}

func runSnapshot(ctx context.Context, w *frame.Worker, o *snapshotOptions) (frame.Result, error) {
	if o.out == "" {
		return frame.Result{}, frame.Usage("error.out-missing", nil)
	}
	target := archive.Target{Path: o.out, Force: o.force, Scratch: w.Scratch}
	if err := target.Check(); err != nil {
		return frame.Result{}, err
	}
	shown := view.Snapshot{Schema: view.SnapshotSchema, Created: w.Now().UTC().Truncate(time.Second), Redacted: o.redact}
	tokens, err := w.Inventories(ctx, nil, o.noLogin)
	if err != nil {
		return frame.Result{}, err
	}
	for _, t := range tokens {
		snapshot := t.Inventory.Snapshot()
		if o.redact {
			snapshot.Redact()
		}
		shown.Tokens = append(shown.Tokens, snapshot)
	}
	text, err := json.MarshalIndent(shown, "", "  ")
	if err != nil {
		return frame.Result{}, fmt.Errorf("encode the snapshot: %w", err)
	}
	if len(text) > view.MaxSnapshot {
		return frame.Result{}, &view.SnapshotError{Path: o.out, Err: fmt.Errorf("it would be larger than %d MiB", view.MaxSnapshot>>20)}
	}
	if err := archive.WriteFile(target, append(terminal.EscapeInvisible(text), '\n')); err != nil {
		return frame.Result{}, err
	}
	return frame.Result{
		JSON: map[string]any{"schema": "p11bridge.snapshot-written/1", "file": o.out, "tokens": len(shown.Tokens), "redacted": o.redact},
		Text: func(p *frame.Printer) {
			p.Line("", messages.Args{"File": foreign.Text(o.out), "Count": messages.Number(len(shown.Tokens))}, "snapshot.done")
		},
	}, nil
}
