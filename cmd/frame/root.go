package frame

import (
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
)

// Root is the command line: the flags of every command, and the commands.
func (a *App) Root(commands func(*App) []*cobra.Command) *cobra.Command {
	root := &cobra.Command{
		Use:           "p11bridge",
		Short:         a.Text("command.root.short", nil),
		Long:          a.Text("command.root.long", nil),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return Usage("error.unknown-command", messages.Args{"Command": foreign.Text(args[0])})
			}
			if a.alone != nil && !a.JSON && terminal.Interactive(terminal.File{File: os.Stdin}, terminal.File{File: os.Stdout}) {
				return a.alone(c, nil)
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
	flags.BoolVar(&a.Verbose, "verbose", false, a.Text("flag.verbose", nil))
	flags.StringVar(&a.Color, "color", "auto", a.Text("flag.color", nil))
	flags.BoolVar(&a.NoPager, "no-pager", false, a.Text("flag.no-pager", nil))
	a.flags = flags
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains([]string{"auto", "always", "never"}, a.Color) {
			return Usage("error.color", nil)
		}
		return nil
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return FlagError(err) })
	root.SetUsageTemplate(a.UsageTemplate())
	root.SetHelpCommand(&cobra.Command{Hidden: true, Use: "no-help"})
	root.AddCommand(commands(a)...)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Short = a.Text("command.completion.short", nil)
			c.Example = Examples("completion bash > /etc/bash_completion.d/p11bridge")
			for _, shell := range c.Commands() {
				shell.Example = Examples("completion " + shell.Name())
			}
		}
	}
	root.InitDefaultHelpFlag()
	for _, c := range append(root.Commands(), root) {
		c.InitDefaultHelpFlag()
		c.Flags().Lookup("help").Usage = a.Text("flag.help", nil)
		c.Long = terminal.Wrap(c.Long, a.helpWidth())
	}
	a.WordFlags(root)
	return root
}
