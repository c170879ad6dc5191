// Package whole is a command that keeps the three duties. It compiles.
package whole

import (
	"context"

	"github.com/spf13/cobra"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
)

// NewCommand prints the label of the one token.
func NewCommand(a *frame.App) *cobra.Command {
	return &cobra.Command{RunE: a.Supervised(nil, func(ctx context.Context, w *frame.Worker, _ []string) (frame.Result, error) {
		slot, err := w.Token(ctx, nil)
		if err != nil {
			return frame.Result{}, err
		}
		return frame.Result{JSON: slot.Token, Text: func(p *frame.Printer) {
			p.Line("", messages.Args{"Token": slot.Token.Label}, "prompt.pin")
		}}, nil
	})}
}
