package frame

import (
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"p11bridge/cmd/terminal"
)

// Command is one command of the command line.
type Command struct {
	Name string // by which it is called
	New  func(*App) *cobra.Command
}

// addCommands makes the commands. Where the first argument is the name of one, the others are made when one of their errors is met.
func (a *App) addCommands(root *cobra.Command, commands []Command) {
	add := func(commands []Command) {
		for _, c := range commands {
			root.AddCommand(c.New(a))
		}
	}
	named := slices.IndexFunc(commands, func(c Command) bool { return len(a.arguments) > 0 && c.Name == a.arguments[0] })
	if named < 0 {
		add(commands)
		return
	}
	add(commands[named : named+1])
	a.addOthers = sync.OnceFunc(func() { add(slices.Concat(commands[:named], commands[named+1:])) })
}

// Root is the command line: the flags of every command, and the commands.
func (a *App) Root(commands []Command) *cobra.Command {
	root := &cobra.Command{
		Use:           "p11bridge",
		Short:         "command.root.short",
		Long:          "command.root.long",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.unknownCommand(args[0], args)
			}
			if a.version {
				return a.runNamed(c, "version")
			}
			if a.alone != nil && !a.JSON && terminal.Interactive(terminal.File{File: os.Stdin}, terminal.File{File: os.Stdout}) {
				return a.alone(c, nil)
			}
			return c.Help()
		},
	}
	flags := root.PersistentFlags()
	a.addFlags(flags)
	a.flags = flags
	root.PersistentPreRunE = func(c *cobra.Command, args []string) error {
		a.command, a.names = c, a.namesIn(c, args)
		if !slices.Contains([]string{"auto", "always", "never"}, a.Color) {
			return Usage("error.color", nil)
		}
		if err := a.checkValues(c); err != nil {
			return err
		}
		return a.applyVariables(c)
	}
	root.Flags().BoolVar(&a.version, "version", false, "flag.version")
	a.root = root
	root.SetFlagErrorFunc(a.flagError)
	root.SetHelpCommand(a.helpCommand())
	a.addCommands(root, commands)
	root.CompletionOptions.DisableDefaultCmd = true // there is our own
	cobra.MousetrapHelpText = ""                    // else a double-click in Windows' Explorer is sent away, and the guided mode is what it wants
	help := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		a.DescribeHelp()
		c.Long = a.helpText(c)
		help(c, args)
	})
	if completing(a.arguments) {
		root.InitDefaultHelpCmd() // cobra adds it later, and offers it with its description
		a.DescribeHelp()
		a.complete(root)
	}
	return root
}

const helpName = "help"

// helpCommand is `help [COMMAND]`, which the help itself need not list.
func (a *App) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: helpName + " [COMMAND]", Hidden: true, Short: "flag.help",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range a.root.Commands() {
				if !c.Hidden {
					names = append(names, c.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := a.root.Find(args)
			if err != nil || len(rest) > 0 && c == a.root {
				a.command = nil // the program's help lists them
				return a.unknownCommand(args[0], args)
			}
			return c.Help()
		},
	}
}

// runNamed runs another command in place of the root.
func (a *App) runNamed(root *cobra.Command, name string) error {
	c, _, err := root.Find([]string{name})
	if err != nil {
		return err
	}
	c.SetContext(root.Context())
	return c.RunE(c, nil)
}

// globals are the flags that every command knows.
type globals struct {
	Module           string
	NSSDB            string
	TokenLabel       string
	PinSource        string
	AllowLastAttempt bool
	RequireLogin     bool
	Quiet            bool
	Lang             string
	JSON             bool
	Timeout          time.Duration
	Trace            string
	Verbose          bool
	Color            string
	NoPager          bool
}

// addFlags gives every command the flags that all commands know.
func (a *App) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&a.Module, "module", "", "flag.module")
	flags.StringVar(&a.NSSDB, "nss-db", "", "flag.nss-db")
	flags.StringVar(&a.TokenLabel, "token", "", "flag.token")
	flags.StringVar(&a.PinSource, "pin-source", "", "flag.pin-source")
	flags.BoolVar(&a.AllowLastAttempt, "allow-last-attempt", false, "flag.allow-last-attempt")
	flags.BoolVar(&a.RequireLogin, "require-login", false, "flag.require-login")
	flags.BoolVarP(&a.Quiet, "quiet", "q", false, "flag.quiet")
	flags.StringVar(&a.Lang, "lang", "", "flag.lang")
	flags.BoolVar(&a.JSON, "json", false, "flag.json")
	flags.DurationVar(&a.Timeout, "timeout", time.Minute, "flag.timeout")
	flags.StringVar(&a.Trace, "trace", "", "flag.trace")
	flags.BoolVar(&a.Verbose, "verbose", false, "flag.verbose")
	flags.StringVar(&a.Color, "color", "auto", "flag.color")
	flags.BoolVar(&a.NoPager, "no-pager", false, "flag.no-pager")
}
