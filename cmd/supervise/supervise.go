// Package supervise is a parent that outlives a crashing module: call page, child, trace.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"p11bridge/cmd/terminal"
)

// A PKCS#11 module is other people's C code in our process: it may crash, hang, print, or end the process. So a command
// that opens one runs twice. The parent starts this program once more, with the same arguments, files and terminal, and
// only watches; the child does all the work and leaves the name of each C_* call in the shared page.

// childVariable names for the child where what is ours is: the call page, and the file for what Go's runtime says of a crash. It is
// for this program's own use.
const childVariable = "P11BRIDGE_CHILD"

// NotReported is no exit code: the child had told no result when it died.
const NotReported = -1

// Task is what a child is sent to do.
type Task struct {
	Arguments []string // of this program
	Timeout   time.Duration
	Variables []string             // the environment variables that the user named as a source
	Inherited []int                // the file descriptors that the user named as a source; they keep their numbers
	LookAgain *LookAgain           // what the child is to look for in place of its work; nil for none
	LeftOut   func(*ModuleFailure) // is told of each module that is left out; may be nil
	In, Out   *os.File             // the child's standard input, and where its output goes
	Finish    func(string) error   // is called with the beginning of their paths before unfinished files are removed; may be nil
	Hold      func([]byte) bool    // keeps a result that is not to be written now; nil keeps none
}

// Outcome is how a child ended: with its exit code, or, where a module took it along, the exit code of the result that it
// had told before, or notReported.
type Outcome struct {
	Code    int
	Printed string // the beginning of what its module printed
	// Documented means that a document of --json is out.
	Documented bool
}

// Run runs this program in a child and waits for it. The error is a *ModuleFailure where the child did not end in its own
// words. Where a module takes the child along that nobody named, the child is started again without it.
func Run(ctx context.Context, e Task) (Outcome, error) {
	page, pageFile, err := newCallPage()
	if err != nil {
		return Outcome{Code: NotReported}, &StartError{err}
	}
	defer pageFile.Close()
	if err := page.moveVariables(e.Variables); err != nil {
		return Outcome{Code: NotReported}, err
	}
	page.setLookAgain(e.LookAgain)
	for {
		end, err := runChild(ctx, e, page, pageFile)
		var failure *ModuleFailure
		if !errors.As(err, &failure) || failure.Cause == Interrupted || !page.discovering() || !page.leaveOut(failure.Module) {
			return end, err
		}
		if e.LeftOut != nil {
			e.LeftOut(failure)
		}
	}
}

// StartError means that the child, or what it is watched by, could not be made: nothing has been done.
type StartError struct{ Err error }

// Error names the cause.
func (e *StartError) Error() string { return fmt.Sprintf("start the child process: %v", e.Err) }

// Unwrap gives it.
func (e *StartError) Unwrap() error { return e.Err }

// runChild runs one child to its end.
func runChild(ctx context.Context, e Task, page *Page, pageFile *os.File) (Outcome, error) {
	end := Outcome{Code: NotReported}
	printed, err := MemoryFile("p11bridge-module-output")
	if err != nil {
		return end, &StartError{err}
	}
	defer printed.Close()
	crash, err := MemoryFile("p11bridge-crash")
	if err != nil {
		return end, &StartError{err}
	}
	defer crash.Close()
	child, err := childCommand(pageFile, crash, e)
	if err != nil {
		return end, &StartError{err}
	}
	child.Stdout, child.Stderr = printed, printed
	putBack := terminal.Remember()
	failure, err := watchChild(ctx, e, page, child)
	if err != nil {
		return end, err
	}
	if failure != nil || !page.finished() { // it may have been asking
		putBack()
	}
	end.Printed = printedOnCrash(startOf(crash), startOf(printed))
	end.Documented = page.documented()
	switch {
	case failure == nil && page.finished():
		end.Code = page.exitCode(child.ProcessState.ExitCode())
		return end, nil
	case failure == nil:
		failure = failureOf(page, child.ProcessState, startOf(crash))
	case failure.Function == "": // it was interrupted in no call
		failure.Module, failure.Function, _ = page.longest()
	}
	failure.Saved, failure.Login = page.saved(), page.login()
	err = failure
	if scratch := page.scratch(); scratch != "" { // what the child can no longer remove
		if removed := e.endUnfinished(scratch); removed != nil {
			err = errors.Join(err, removed)
		}
	}
	failure.Changes, failure.SavedInPart = page.changes(), page.inPart(savedFiles)
	if code, set := page.told(); set {
		end.Code, failure.Changes, failure.Remaining = code, Changes{}, true
	}
	return end, err
}

// watchChild starts the child, writes what it says and watches over it until its end. The failure is that for which the
// child was ended, or that it was interrupted and did not end in its own words.
func watchChild(ctx context.Context, e Task, page *Page, child *exec.Cmd) (*ModuleFailure, error) {
	ours := streams{{File: e.Out}, {File: os.Stderr}}
	ours.setColumns(page)
	signals, stops := make(chan os.Signal, 8), make(chan os.Signal, 1)
	signal.Notify(signals, endSignals...)
	defer signal.Stop(signals)
	defer terminal.NotifyStops(stops)()
	bound, err := startBound(child)
	if err != nil {
		return nil, err
	}
	defer bound()
	watch := watchdog{page: page, process: child.Process, timeout: e.Timeout, signals: signals, stops: stops, done: make(chan struct{}), verdict: make(chan *ModuleFailure, 1)}
	go watch.run(ctx)
	written := make(chan struct{})
	go func() {
		defer close(written)
		ours.write(page, e.Hold)
	}()
	err = child.Wait()
	close(watch.done)
	failure := <-watch.verdict
	endOutput(page)
	select { // the child died while the parent was writing for it, and nobody reads: leave it
	case <-written:
	case <-time.After(graceAfterSignal):
	}
	if err != nil && child.ProcessState == nil {
		return nil, fmt.Errorf("wait for the child process: %w", err)
	}
	if failure == nil && !watch.signalled.IsZero() && !page.finished() {
		failure = &ModuleFailure{Cause: Interrupted}
	}
	return failure, nil
}

// endUnfinished finishes what can be finished, and removes the rest.
func (e Task) endUnfinished(path string) error {
	if e.Finish != nil {
		if err := e.Finish(path); err != nil {
			return err
		}
	}
	return removeUnfinished(path)
}

// startOf reads the first of what was written to a file in memory.
func startOf(file *os.File) string {
	const most = 64 << 10
	text, err := io.ReadAll(io.NewSectionReader(file, 0, most))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
