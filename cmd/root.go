// Package cmd is p11bridge's command line. It lists the commands, by hand, and nothing else.
package cmd

import (
	"time"

	"github.com/spf13/cobra"

	"p11bridge/cmd/demo"
	"p11bridge/cmd/diagnose"
	"p11bridge/cmd/doctor"
	"p11bridge/cmd/explain"
	"p11bridge/cmd/export"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/install"
	"p11bridge/cmd/list"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/request"
	"p11bridge/cmd/restore"
	"p11bridge/cmd/snapshot"
	"p11bridge/cmd/status"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/verify"
	"p11bridge/cmd/version"
)

// Main runs the command line and gives the exit code.
func Main() int { return frame.Main(newRootCommand) }

func newRootCommand(a *frame.App) *cobra.Command {
	root := &cobra.Command{
		Use:           "p11bridge",
		Short:         a.Text("command.root.short", nil),
		Long:          a.Text("command.root.long", nil),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return frame.Usage("error.unknown-command", messages.Args{"Command": terminal.Printable(args[0])})
			}
			return c.Help()
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.Module, "module", "", a.Text("flag.module", nil))
	flags.StringVar(&a.NSSDB, "nss-db", "", a.Text("flag.nss-db", nil))
	flags.StringVar(&a.TokenLabel, "token", "", a.Text("flag.token", nil))
	flags.StringVar(&a.PinSource, "pin-source", "", a.Text("flag.pin-source", nil))
	flags.BoolVar(&a.AllowLastAttempt, "allow-last-attempt", false, a.Text("flag.allow-last-attempt", nil))
	flags.StringVar(&a.Lang, "lang", "", a.Text("flag.lang", nil))
	flags.BoolVar(&a.JSON, "json", false, a.Text("flag.json", nil))
	flags.DurationVar(&a.Timeout, "timeout", time.Minute, a.Text("flag.timeout", nil))
	flags.StringVar(&a.Trace, "trace", "", a.Text("flag.trace", nil))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return frame.FlagError(err) })
	root.SetUsageTemplate(a.UsageTemplate())
	root.SetHelpCommand(&cobra.Command{Hidden: true, Use: "no-help"})
	root.AddCommand(
		list.NewCommand(a),
		diagnose.NewCommand(a),
		snapshot.NewCommand(a),
		export.NewCommand(a),
		verify.NewCommand(a),
		restore.NewCommand(a),
		status.NewCommand(a),
		doctor.NewCommand(a),
		request.NewCommand(a),
		install.NewCommand(a),
		explain.NewCommand(a),
		demo.NewCommand(a),
		version.NewCommand(a),
	)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Short = a.Text("command.completion.short", nil)
			c.Example = frame.Examples("completion bash > /etc/bash_completion.d/p11bridge")
			for _, shell := range c.Commands() {
				shell.Example = frame.Examples("completion " + shell.Name())
			}
		}
	}
	root.InitDefaultHelpFlag()
	for _, c := range append(root.Commands(), root) {
		c.InitDefaultHelpFlag()
		c.Flags().Lookup("help").Usage = a.Text("flag.help", nil)
	}
	a.WordFlags(root)
	return root
}
