// Package frame is one run of the program: flags, modules, login, sources of PINs and passwords, errors with their words and exit
// codes. Every command uses it, and it knows no command.
package frame

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
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
)

// globals are the flags that every command knows.
type globals struct {
	Module           string
	NSSDB            string
	TokenLabel       string
	PinSource        string
	AllowLastAttempt bool
	Lang             string
	JSON             bool
	Timeout          time.Duration
	Trace            string
}

// App is one run of the program: what it was told, where it writes, and the process it is.
type App struct {
	globals
	Getenv    func(string) string
	Now       func() time.Time
	Out       *os.File // the result
	Err       *os.File // notices and errors
	Catalog   *messages.Catalog
	Child     *supervise.Child // nil in the supervising parent
	given     supervise.Descriptors
	pins      usedPINs
	described []Description // the errors of commands
	Writes    bool          // the command changes what is on a token
}

// Main runs the command line that newRoot makes and gives the exit code.
func Main(newRoot func(*App) *cobra.Command) int {
	given := supervise.FindDescriptors() // before anything is opened
	worker, err := supervise.BecomeChild(given)
	a := &App{Getenv: os.Getenv, Now: time.Now, Out: os.Stdout, Err: os.Stderr, Child: worker, given: given}
	if worker != nil {
		a.Out, a.Err = worker.Out, worker.Err
	}
	code := ExitFailed
	if err == nil || errors.Is(err, supervise.ErrIsParent) {
		code, err = a.run(newRoot, os.Args[1:])
	}
	if err != nil {
		code = a.report(err)
	}
	if worker != nil {
		worker.Page.Finish()
	}
	return code
}

func (a *App) run(newRoot func(*App) *cobra.Command, args []string) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	if a.Child != nil {
		go supervise.EndUnheeded(ctx)
	}
	lang, spoken := messages.Choose(langFlag(args), a.Getenv)
	if !spoken {
		lang = messages.Languages()[0]
	}
	var err error
	if a.Catalog, err = messages.Load(lang); err != nil {
		return ExitFailed, err
	}
	if !spoken {
		return exitUsage, Usage("error.language", messages.Args{"Asked": terminal.Printable(langFlag(args)), "Spoken": strings.Join(messages.Languages(), ", ")})
	}
	root := newRoot(a)
	a.JSON = slices.Contains(args, "--json") // also where the flags before it cannot be understood
	root.SetArgs(args)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	return ExitDone, root.ExecuteContext(ctx)
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

// Text gives a message in the person's language.
func (a *App) Text(id string, args messages.Args) string { return a.Catalog.Text(id, args) }

// Supervised wraps the work of a command that opens a module: the parent watches a child that does it.
func (a *App) Supervised(sources func() []string, work func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if err := a.CheckModuleFlags(); err != nil {
			return err
		}
		if a.Child != nil {
			return work(c.Context(), args)
		}
		var named []string
		if sources != nil {
			named = sources()
		}
		return a.AfterChild(supervise.Run(c.Context(), supervise.Task{
			Arguments: os.Args[1:], Timeout: a.Timeout, Inherited: a.descriptorsNamed(append(named, a.PinSource)), In: os.Stdin, Out: os.Stdout,
		}))
	}
}

// CheckModuleFlags refuses what no command that opens a module can use.
func (a *App) CheckModuleFlags() error {
	switch {
	case a.Timeout <= 0:
		return Usage("error.timeout", nil)
	case a.Module != "" && a.NSSDB != "":
		return Usage("error.module-and-nss-db", nil)
	}
	return CheckSource("--pin-source", a.PinSource, pinSources)
}

// AfterChild turns a child's end into the command's. A module that fails while it is being closed, after the result was
// told, is worth a note and changes nothing.
func (a *App) AfterChild(end supervise.Outcome, err error) error {
	if err != nil && end.Code == supervise.NotReported {
		return err
	}
	if err != nil {
		fmt.Fprintln(a.Err, a.Text("label.notice", nil)+" "+a.Describe(err).Text(a))
	}
	if end.Code != ExitDone {
		return &ReportedError{Code: end.Code}
	}
	return nil
}

// Told notes in the child that the result is out. err is nil or carries the exit code that goes with the result.
func (a *App) Told(err error) error {
	var reported *ReportedError
	if err == nil {
		a.Child.Page.SetTold(ExitDone)
	} else if errors.As(err, &reported) {
		a.Child.Page.SetTold(reported.Code)
	}
	return err
}

// Closed joins what went wrong while something was being closed: to an error, or as a note where the work was done.
func (a *App) Closed(err, closing error) error {
	var reported *ReportedError
	switch {
	case closing == nil:
		return err
	case err == nil || errors.As(err, &reported):
		fmt.Fprintln(a.Err, a.Text("label.notice", nil)+" "+a.Describe(closing).Text(a))
		return err
	}
	return errors.Join(err, closing)
}

// ReportedError carries the exit code of a child that has told its own story.
type ReportedError struct{ Code int }

// Error is for logs only; nobody prints it.
func (e *ReportedError) Error() string { return "reported by the child process" }
