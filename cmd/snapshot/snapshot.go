// Package snapshot is the command `snapshot`: it writes what a diagnosis needs to a file, without a secret.
package snapshot

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/spf13/cobra"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token"
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
		Short:   "command.snapshot.short",
		Long:    "command.snapshot.long",
		Example: frame.Examples("snapshot -o token.json", "snapshot -o token.json --redact --token demo --pin-source file:pin.txt"),
		Args:    frame.NoArguments,
		RunE: a.Supervised(nil, func(ctx context.Context, w *frame.Worker, _ []string) (frame.Result, error) {
			return runSnapshot(ctx, w, o)
		}),
	}
	c.Flags().StringVarP(&o.out, "out", "o", "", "flag.out")
	c.Flags().BoolVar(&o.force, "force", false, "flag.force")
	c.Flags().BoolVar(&o.redact, "redact", false, "flag.redact")
	c.Flags().BoolVar(&o.noLogin, "no-login", false, "flag.no-login")
	return c
}

func runSnapshot(ctx context.Context, w *frame.Worker, o *snapshotOptions) (frame.Result, error) {
	if o.out == "" {
		return frame.Result{}, frame.UsageMeant("error.out-missing", nil, "-o p11bridge-"+w.Now().Format(time.DateOnly)+".json")
	}
	o.out = view.InDirectory(o.out, "p11bridge-"+w.Now().Format(time.DateOnly)+".json")
	target := archive.Target{Path: o.out, Force: o.force, Scratch: w.Scratch, Placing: w.Placing}
	if err := target.Check(); err != nil {
		return frame.Result{}, err
	}
	tokens, err := w.Inventories(ctx, nil, o.noLogin)
	if err != nil {
		return frame.Result{}, err
	}
	shown := view.Snapshot{Schema: view.SnapshotSchema, Created: w.Now().UTC().Truncate(time.Second)}
	for _, t := range tokens {
		shown.Tokens = append(shown.Tokens, t.Inventory)
	}
	var redaction *token.Redaction // one for all tokens, so that all are replaced alike
	if o.redact {
		if redaction, err = token.NewRedaction(rand.Reader, verdict.Landmarks(shown.Created)...); err != nil {
			return frame.Result{}, err
		}
	}
	if err := archive.WriteFileBy(target, func(out io.Writer) error { return shown.Write(o.out, out, redaction) }); err != nil {
		return frame.Result{}, err
	}
	return snapshotResult(o, len(tokens), redaction), nil
}

// writtenView is what snapshot --json shows.
type writtenView struct {
	Schema    string               `json:"schema"`
	File      string               `json:"file"`
	Tokens    int                  `json:"tokens"`
	Redacted  bool                 `json:"redacted"`
	Redaction *token.RedactionNote `json:"redaction,omitempty"`
}

func snapshotResult(o *snapshotOptions, tokens int, redaction *token.Redaction) frame.Result {
	args := messages.Args{"File": foreign.Text(o.out), "Count": messages.Number(tokens)}
	written := writtenView{Schema: "p11bridge.snapshot-written/1", File: o.out, Tokens: tokens}
	if redaction != nil {
		written.Redacted, written.Redaction = true, redaction.Note()
	}
	return frame.Result{
		JSON: written,
		Text: func(p *frame.Printer) {
			p.Line("", args, "snapshot.done")
			p.Place("  ", o.out)
			if written.Redacted {
				p.Line("", args, "snapshot.replaced", "snapshot.left")
			}
		},
	}
}
