package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"p11bridge/cmd/terminal"
)

const (
	// graceAfterSignal is how long a call may take to return after a signal that asks the program to end.
	graceAfterSignal = 5 * time.Second
	// callsOfOneCommand bounds how long a command may spend in calls altogether, as a multiple of --timeout. At a minute for
	// a call that is 100 minutes: a network HSM that needs 20 ms for a call makes 300,000 calls in that time.
	callsOfOneCommand = 100
	// tick is how often the page is looked at.
	tick = 100 * time.Millisecond
)

// keyGenerationLimit is how long C_GenerateKeyPair may take, whatever --timeout says: a card takes minutes for a long
// RSA key, and one that is killed meanwhile may not answer again before it is taken out. It is a variable for the linker alone: a
// test builds a program that does not wait so long.
var keyGenerationLimit = "10m"

// limitOf is how long one call may take.
func limitOf(function string, timeout time.Duration) time.Duration {
	if function != "C_GenerateKeyPair" {
		return timeout
	}
	limit, err := time.ParseDuration(keyGenerationLimit)
	if err != nil {
		panic("keyGenerationLimit: " + err.Error())
	}
	return max(timeout, limit)
}

// watchdog ends a child that stays in one call too long, that spends too long in all its calls, or that does not end after
// a signal.
type watchdog struct {
	page    *Page
	process *os.Process
	timeout time.Duration
	signals <-chan os.Signal // that ask the program to end
	stops   <-chan os.Signal // SIGTSTP
	done    chan struct{}
	verdict chan *ModuleFailure // nil where the child was left alone

	signalled time.Time     // when a signal came; zero for none
	looked    time.Time     // when the page was looked at last
	resumed   time.Time     // when this process went on after it had been stopped
	inCalls   time.Duration // how long the child was seen in some call
}

func (w *watchdog) run(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	w.looked = time.Now()
	w.resumed = w.looked
	for {
		select {
		case <-w.done:
			w.verdict <- nil
			return
		case s := <-w.signals:
			w.pass(s)
		case <-w.stops:
			StopAfter(w.process)
		case <-ctx.Done():
			w.pass(pleaseEnd)
			ctx = context.Background()
		case <-ticker.C:
			if failure := w.look(time.Now()); failure != nil {
				w.send(os.Kill)
				w.verdict <- failure
				return
			}
		}
	}
}

// look judges what the page shows. It gives the failure for which the child is to be ended.
func (w *watchdog) look(now time.Time) *ModuleFailure {
	module, function, since := w.page.longest()
	return w.judge(now, module, function, since)
}

// judge judges the call that has been under way for the longest time; function is empty where there is none.
func (w *watchdog) judge(now time.Time, module, function string, since time.Duration) *ModuleFailure {
	const stopped = 20 * tick // nobody looks for so long, unless the process was stopped (Ctrl-Z), and the child with it
	passed := now.Sub(w.looked)
	w.looked = now
	if passed > stopped {
		w.resumed, passed = now, tick
	}
	if function == "" {
		return nil
	}
	w.inCalls += passed
	since = min(since, now.Sub(w.resumed))
	failure := &ModuleFailure{Module: module, Function: function, After: since.Round(tick)}
	switch {
	case !w.signalled.IsZero():
		failure.Cause = Interrupted
		if now.Sub(w.signalled) <= graceAfterSignal {
			return nil
		}
	case since > limitOf(function, w.timeout):
		failure.Cause = Hung
	case w.inCalls > callsOfOneCommand*max(w.timeout, tick) && function != "C_GenerateKeyPair":
		failure.Cause, failure.After = TooSlow, w.inCalls.Round(tick)
	default:
		return nil
	}
	return failure
}

// StopAfter does what SIGTSTP does by default, which the terminal sent to the child as well, but not before the child has
// stopped: a child that is asking something first puts the terminal's settings back, and the shell takes the terminal as
// soon as this process stops.
func StopAfter(child *os.Process) {
	const patience = 2 * time.Second
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && !childStopped(child); {
		time.Sleep(tick / 10)
	}
	if err := terminal.Stop(); err != nil {
		fmt.Fprintf(os.Stderr, "p11bridge: stop: %v\n", err)
	}
}

// pass hands a signal on, and notes when the first came.
func (w *watchdog) pass(s os.Signal) {
	if w.signalled.IsZero() {
		w.signalled = time.Now()
	}
	w.send(s)
}

// send sends the child a signal. A child that has ended meanwhile needs none.
func (w *watchdog) send(s os.Signal) {
	if err := signalChild(w.process, s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		fmt.Fprintf(os.Stderr, "p11bridge: pass a signal on: %v\n", err)
	}
}
