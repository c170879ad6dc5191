// Package nosupervisor is a command that opens a module without a supervisor. It does not compile.
package nosupervisor

import (
	"github.com/spf13/cobra"

	"p11bridge/cmd/frame"
)

// NewCommand would open a module in the parent.
func NewCommand(a *frame.App) *cobra.Command {
	return &cobra.Command{RunE: func(c *cobra.Command, _ []string) error {
		_, err := a.Token(c.Context(), nil)
		return err
	}}
}
