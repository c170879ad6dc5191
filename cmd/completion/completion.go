// Package completion is the command `completion`: it prints what a shell needs to complete p11bridge's command lines.
package completion

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
)

// shell is one that the script can be made for.
type shell struct {
	name  string
	write func(root *cobra.Command, to io.Writer) error
}

func shells() []shell {
	return []shell{
		{"bash", func(root *cobra.Command, to io.Writer) error { return root.GenBashCompletionV2(to, true) }},
		{"zsh", (*cobra.Command).GenZshCompletion},
		{"fish", func(root *cobra.Command, to io.Writer) error { return root.GenFishCompletion(to, true) }},
		{"powershell", (*cobra.Command).GenPowerShellCompletionWithDesc},
	}
}

func NewCommand(a *frame.App) *cobra.Command {
	var names []string
	for _, s := range shells() {
		names = append(names, s.name)
	}
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "command.completion.short",
		Long:      "command.completion.long",
		Example:   frame.Examples("completion bash > /etc/bash_completion.d/p11bridge", "completion zsh > \"${fpath[1]}/_p11bridge\"", "completion fish > ~/.config/fish/completions/p11bridge.fish", "completion powershell"),
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return frame.UsageMeant("error.shell-missing", messages.Args{"Shells": messages.Own(strings.Join(names, ", "))})
			case len(args) > 1:
				return frame.ExactlyOne("SHELL")(nil, args)
			case !slices.Contains(names, args[0]):
				return frame.UsageAmong("error.shell", messages.Args{"Given": foreign.Text(args[0]), "Shells": messages.Own(strings.Join(names, ", "))}, filepath.Base(args[0]), names)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			for _, s := range shells() {
				if s.name != args[0] {
					continue
				}
				if err := s.write(c.Root(), c.OutOrStdout()); err != nil {
					return fmt.Errorf("%w: %w", terminal.ErrWrite, err)
				}
			}
			return nil
		},
	}
}
