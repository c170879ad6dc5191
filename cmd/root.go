// Package cmd is p11bridge's command line: commands, questions, files, texts and exit codes. It decides nothing about
// keys.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"p11bridge/cmd/messages"
)

// globals are the flags that every command knows.
type globals struct {
	module           string
	nssDB            string
	tokenLabel       string
	pinSource        string
	allowLastAttempt bool
	lang             string
	json             bool
	timeout          time.Duration
	trace            string
}

// app is one run of the program: what it was told, where it writes, and the process it is.
type app struct {
	globals
	getenv  func(string) string
	now     func() time.Time
	out     *os.File // the result
	err     *os.File // notices and errors
	catalog *messages.Catalog
	child   *child // nil in the supervising parent
	writes  bool   // the command changes what is on a token
}

// Main runs the command line and gives the exit code.
func Main() int {
	worker, err := becomeChild()
	a := &app{getenv: os.Getenv, now: time.Now, out: os.Stdout, err: os.Stderr, child: worker}
	if worker != nil {
		a.out, a.err = worker.out, worker.err
	}
	code := exitFailed
	if err == nil || errors.Is(err, errIsParent) {
		code, err = a.run(os.Args[1:])
	}
	if err != nil {
		code = a.report(err)
	}
	if worker != nil {
		worker.page.finish()
	}
	return code
}

func (a *app) run(args []string) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	if a.child != nil {
		go endUnheeded(ctx)
	}
	lang, spoken := messages.Choose(langFlag(args), a.getenv)
	if !spoken {
		lang = messages.Languages()[0]
	}
	var err error
	if a.catalog, err = messages.Load(lang); err != nil {
		return exitFailed, err
	}
	if !spoken {
		return exitUsage, usage("error.language", messages.Args{"Asked": printable(langFlag(args)), "Spoken": strings.Join(messages.Languages(), ", ")})
	}
	root := newRootCommand(a)
	a.json = slices.Contains(args, "--json") // also where the flags before it cannot be understood
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(a.err)
	return exitDone, root.ExecuteContext(ctx)
}

// langFlag finds --lang before the command line is parsed, because the help texts are made before.
func langFlag(args []string) string {
	for i, arg := range args {
		if arg == "--" {
			return ""
		}
		if value, ok := strings.CutPrefix(arg, "--lang="); ok {
			return value
		}
		if arg == "--lang" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// text gives a message in the person's language.
func (a *app) text(id string, args messages.Args) string { return a.catalog.Text(id, args) }

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "p11bridge",
		Short:         a.text("command.root.short", nil),
		Long:          a.text("command.root.long", nil),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("error.unknown-command", messages.Args{"Command": printable(args[0])})
			}
			return c.Help()
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.module, "module", "", a.text("flag.module", nil))
	flags.StringVar(&a.nssDB, "nss-db", "", a.text("flag.nss-db", nil))
	flags.StringVar(&a.tokenLabel, "token", "", a.text("flag.token", nil))
	flags.StringVar(&a.pinSource, "pin-source", "", a.text("flag.pin-source", nil))
	flags.BoolVar(&a.allowLastAttempt, "allow-last-attempt", false, a.text("flag.allow-last-attempt", nil))
	flags.StringVar(&a.lang, "lang", "", a.text("flag.lang", nil))
	flags.BoolVar(&a.json, "json", false, a.text("flag.json", nil))
	flags.DurationVar(&a.timeout, "timeout", time.Minute, a.text("flag.timeout", nil))
	flags.StringVar(&a.trace, "trace", "", a.text("flag.trace", nil))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.SetUsageTemplate(a.usageTemplate())
	root.SetHelpCommand(&cobra.Command{Hidden: true, Use: "no-help"})
	root.AddCommand(
		newListCommand(a),
		newDiagnoseCommand(a),
		newSnapshotCommand(a),
		newExportCommand(a),
		newVerifyCommand(a),
		newRestoreCommand(a),
		newStatusCommand(a),
		newDoctorCommand(a),
		newRequestCommand(a),
		newInstallCommand(a),
		newExplainCommand(a),
		newDemoCommand(a),
		newVersionCommand(a),
	)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Short = a.text("command.completion.short", nil)
			c.Example = examples("completion bash > /etc/bash_completion.d/p11bridge")
			for _, shell := range c.Commands() {
				shell.Example = examples("completion " + shell.Name())
			}
		}
	}
	root.InitDefaultHelpFlag()
	for _, c := range append(root.Commands(), root) {
		c.InitDefaultHelpFlag()
		c.Flags().Lookup("help").Usage = a.text("flag.help", nil)
	}
	a.wordFlags(root)
	return root
}

// usageTemplate is cobra's layout with headings from the catalog.
func (a *app) usageTemplate() string {
	heading := func(id string) string { return strings.ReplaceAll(a.text("usage."+id, nil), "{{", "") }
	return heading("usage") + `
  {{if .Runnable}}{{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} ` + heading("command") + `{{end}}
{{if .HasExample}}
` + heading("examples") + `
{{.Example}}
{{end}}{{if .HasAvailableSubCommands}}
` + heading("commands") + `{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{if .HasAvailableLocalFlags}}
` + heading("flags") + `
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableInheritedFlags}}
` + heading("global-flags") + `
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}`
}

// supervised wraps the work of a command that opens a module: the parent watches a child that does it.
func (a *app) supervised(sources func() []string, work func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if err := a.checkModuleFlags(); err != nil {
			return err
		}
		if a.child != nil {
			return work(c.Context(), args)
		}
		var named []string
		if sources != nil {
			named = sources()
		}
		return a.afterChild(supervise(c.Context(), errand{
			arguments: os.Args[1:], timeout: a.timeout, inherited: descriptorsNamed(append(named, a.pinSource)), in: os.Stdin, out: os.Stdout,
		}))
	}
}

// checkModuleFlags refuses what no command that opens a module can use.
func (a *app) checkModuleFlags() error {
	switch {
	case a.timeout <= 0:
		return usage("error.timeout", nil)
	case a.module != "" && a.nssDB != "":
		return usage("error.module-and-nss-db", nil)
	}
	return checkSource("--pin-source", a.pinSource, pinSources)
}

// afterChild turns a child's end into the command's. A module that fails while it is being closed, after the result was
// told, is worth a note and changes nothing.
func (a *app) afterChild(end ending, err error) error {
	if err != nil && end.code == exitNotReported {
		return err
	}
	if err != nil {
		fmt.Fprintln(a.err, a.text("label.notice", nil)+" "+a.describe(err).text)
	}
	if end.code != exitDone {
		return &reportedError{end.code}
	}
	return nil
}

// told notes in the child that the result is out. err is nil or carries the exit code that goes with the result.
func (a *app) told(err error) error {
	var reported *reportedError
	if err == nil {
		a.child.page.setTold(exitDone)
	} else if errors.As(err, &reported) {
		a.child.page.setTold(reported.code)
	}
	return err
}

// closed joins what went wrong while something was being closed: to an error, or as a note where the work was done.
func (a *app) closed(err, closing error) error {
	var reported *reportedError
	switch {
	case closing == nil:
		return err
	case err == nil || errors.As(err, &reported):
		fmt.Fprintln(a.err, a.text("label.notice", nil)+" "+a.describe(closing).text)
		return err
	}
	return errors.Join(err, closing)
}

// reportedError carries the exit code of a child that has told its own story.
type reportedError struct{ code int }

// Error is for logs only; nobody prints it.
func (e *reportedError) Error() string { return "reported by the child process" }
