package supervise

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Cause is how a module took the child with it.
type Cause string

// The causes of a ModuleFailure.
const (
	Crashed     Cause = "crashed"     // the process died of a signal
	Exited      Cause = "exited"      // the module ended the process
	Hung        Cause = "hung"        // it did not return from a call
	TooSlow     Cause = "too-slow"    // each call returned, and all together took too long
	Interrupted Cause = "interrupted" // it did not return from a call after a signal that asks the program to end
)

// ModuleFailure is a module that took the child with it. The parent reports it.
type ModuleFailure struct {
	Cause    Cause
	Module   string        // the library's path
	Function string        // the C_* call it was in; empty where it was in none
	After    time.Duration // how long it was in that call, or for TooSlow in all calls
	Signal   string        // the signal that it died of, for Crashed
	Code     int           // the exit code, for Exited
	// Changes are those of a child that had not told its result. Once another child has looked what became of them, they are those
	// that it could not find out.
	Changes
	// Remaining means that not all is as it was before, which is told beside the failure.
	Remaining bool
	// Saved are the files that the child gave their final names, or, where SavedInPart is set, the first of them.
	Saved       []string
	SavedInPart bool
	// Login is the login that was made, where it can be made again.
	Login Login
}

// Error says what happened, and in which call.
func (e *ModuleFailure) Error() string {
	function := e.Function
	if function == "" {
		function = "no call"
	}
	switch e.Cause {
	case Hung:
		return fmt.Sprintf("the module did not return from %s within %s", function, e.After)
	case TooSlow:
		return fmt.Sprintf("the module's calls took %s together, the last was %s", e.After, function)
	case Interrupted:
		return fmt.Sprintf("interrupted while the module was in %s", function)
	case Exited:
		return fmt.Sprintf("the module ended the process in %s", function)
	}
	return fmt.Sprintf("the module crashed with %s in %s", e.Signal, function)
}

// descriptorsGone is in what Go's runtime says when somebody has closed its file descriptors: the module, in a call that
// has returned since. Where the descriptor that the runtime says it on is closed as well, an exit is without a word.
const descriptorsGone = "netpoll failed"

// failureOf finds how a child ended that could not say so itself.
func failureOf(page *Page, state *os.ProcessState, said string) *ModuleFailure {
	failure := &ModuleFailure{Cause: Exited, Code: state.ExitCode()}
	failure.Module, failure.Function, _ = page.longest()
	if page.withoutDescriptors() { // the signal was the child's own
		return failure
	}
	if failure.Signal = deathSignal(state, said); failure.Signal != "" {
		failure.Cause = Crashed
	}
	if failure.Function == "" && (strings.Contains(said, descriptorsGone) || said == "" && failure.Signal == "") {
		failure.Module, failure.Function = page.last()
	}
	return failure
}

// printedBeforeCrash is what the module printed before Go's runtime told of the crash on the same stream.
func printedOnCrash(crash, printed string) string {
	first, _, _ := strings.Cut(crash, "\n")
	if first == "" {
		return printed
	}
	printed, _, _ = strings.Cut(printed, first)
	return strings.TrimSpace(printed)
}
