package frame

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
)

// Worker is the half of a supervised command that does the work, in a child process of its own. Only a worker opens
// modules, and only Supervised makes one: a command that forgets its supervisor does not compile.
type Worker struct {
	*App
	Writes bool // the command changes what is on a token
	Exact  bool // an object is named as it is called, since it is to be destroyed

	child   *supervise.Child
	keeping bool           // the PIN of the next login is kept
	kept    []keptPIN      // of tokens with a key that opens sealed passwords
	closers []func() error // of what was opened, in that order

	unstarted []string // the configured modules that show nothing, where no token was named
}

// Work is what a command does as a worker: it gathers its result and closes nothing that the worker opened for it.
type Work func(ctx context.Context, w *Worker, args []string) (Result, error)

// Supervised makes the run of a command that opens a module: the parent watches a child that does the work. sources are
// those of the command's own secrets, so that a file descriptor named there reaches the child; nil for none.
func (a *App) Supervised(sources func() []string, work Work) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		a.command = c
		if err := a.CheckModuleFlags(c, args); err != nil {
			return err
		}
		if a.child != nil {
			if want := a.child.Page.LookAgain(); want != nil {
				return a.workAgain(c.Context(), want, args)
			}
			return a.work(c.Context(), func(ctx context.Context, w *Worker) (Result, error) { return work(ctx, w, args) })
		}
		runtime.GOMAXPROCS(1) // this process waits, and for idle processors Go's scheduler would look around every 20 µs
		var named []string
		if sources != nil {
			named = sources()
		}
		if twice := a.usedTwice(named); twice != "" {
			return Usage("error.same-source", messages.Args{"Source": foreign.Text(twice)})
		}
		leftOut := func(f *supervise.ModuleFailure) {
			a.Notice("notice.module-left-out", messages.Args{"Problem": messages.Own(a.Describe(f).Text(a))})
		}
		pager := a.pager(os.Stdout)
		end, err := supervise.Run(c.Context(), supervise.Task{
			Hold: pager.Hold, Arguments: os.Args[1:], Timeout: a.Timeout, LeftOut: leftOut, Variables: variablesNamed(append(named, a.PinSource)), Inherited: a.descriptorsNamed(append(named, a.PinSource)), In: os.Stdin, Out: os.Stdout,
			Finish: archive.FinishRecords,
		})
		if shown := pager.Show(); shown != nil {
			return shown
		}
		return a.AfterChild(end, a.lookAgain(c.Context(), err))
	}
}

// Unsupervised makes the run of a command that opens no module.
func (a *App) Unsupervised(work func(ctx context.Context, args []string) (Result, error)) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		a.command = c
		result, err := work(c.Context(), args)
		if err != nil {
			return err
		}
		return a.finish(result)
	}
}

// finish prints a result and gives its exit code.
func (a *App) finish(result Result) error {
	if err := a.print(result, supervise.Mark{Told: true, Code: result.Code}); err != nil {
		return err
	}
	if result.Code != ExitDone {
		return &ReportedError{Code: result.Code}
	}
	return nil
}

// work does a child's work: it tells the result, or the error, before it closes what was opened.
func (a *App) work(ctx context.Context, work func(context.Context, *Worker) (Result, error)) error {
	w := &Worker{App: a, child: a.child}
	a.worker = w
	if a.asksForPIN() {
		terminal.Expect()
	}
	result, err := work(ctx, w)
	if err == nil {
		err = a.finish(result)
	}
	code, left := ExitDone, gone(err)
	if err != nil {
		code = a.report(err)
		err = &ReportedError{Code: code}
	}
	a.child.Page.SetTold(code)
	if closing := w.close(); closing != nil && !(left && gone(closing)) { // that a token which is gone cannot be closed is no news
		a.note(closing)
	}
	return err
}

// asksForPIN reports whether the command may ask for a PIN on the terminal. A module may take seconds until then, and who knows the
// question types the answer meanwhile. Behind a pipe stands a program that may set the terminal itself.
func (a *App) asksForPIN() bool {
	withoutLogin := false
	if f := a.command.Flags().Lookup("no-login"); f != nil {
		withoutLogin = f.Changed
	}
	return !withoutLogin && (a.PinSource == "" || a.PinSource == "prompt") && a.Width() > 0 && terminal.Present()
}

// CloseOpened closes what was opened so far, before the end: a module that is needed no longer, where another one takes its place.
func (w *Worker) CloseOpened() error {
	w.unsealing.named, w.unsealing.found, w.unsealing.ready = nil, nil, false
	return w.close()
}

// Opened notes how to close what was opened. The frame closes it once the result is told.
func (w *Worker) Opened(closer func() error) { w.closers = append(w.closers, closer) }

// close closes everything, the last first.
func (w *Worker) close() error {
	var result error
	for _, closer := range slices.Backward(w.closers) {
		result = errors.Join(result, closer())
	}
	w.closers = nil
	return result
}

// InChild runs this program once more, with the arguments of a command and all flags of every command that were given.
func (a *App) InChild(ctx context.Context, task supervise.Task) (supervise.Outcome, error) {
	task.Arguments = append(a.givenGlobals(), task.Arguments...)
	task.Timeout = a.Timeout
	return supervise.Run(ctx, task)
}

// AfterChild turns a child's end into the command's. A module that fails while it is being closed, after the result was
// told, is worth a note and changes nothing.
func (a *App) AfterChild(end supervise.Outcome, err error) error {
	a.documented = a.documented || end.Documented
	if err != nil && end.Code == supervise.NotReported {
		return err
	}
	if err != nil {
		a.note(err)
	}
	if end.Code != ExitDone {
		return &ReportedError{Code: end.Code}
	}
	return nil
}

// ByHand makes the run of a command that decides by itself what its children do: parent starts them by InChild, and child is
// the work of one.
func (a *App) ByHand(parent func(ctx context.Context) (Result, error), child func(ctx context.Context, w *Worker) (Result, error)) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		a.command = c
		if err := a.CheckModuleFlags(c, args); err != nil {
			return err
		}
		if a.child != nil {
			return a.work(c.Context(), child)
		}
		result, err := parent(c.Context())
		if err != nil {
			return err
		}
		return a.finish(result)
	}
}

// ToParent is where a child's work writes what its parent reads.
func (w *Worker) ToParent() io.Writer { return w.out }

// note shows an error that changes nothing.
func (a *App) note(err error) {
	a.notice(a.Describe(err).Text(a))
}
