// Package untold is a command that keeps its result to itself. It does not compile.
package untold

import (
	"context"

	"github.com/spf13/cobra"

	"p11bridge/cmd/frame"
)

// NewCommand would return without a result for the frame to print.
func NewCommand(a *frame.App) *cobra.Command {
	return &cobra.Command{RunE: a.Supervised(nil, func(ctx context.Context, w *frame.Worker, _ []string) error {
		_, err := w.Token(ctx, nil)
		return err
	})}
}
