package terminal

import (
	"os"
	"os/signal"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Between two questions:
//   - A terminal shows what is typed as it comes, read or not. So its echo stays off after an answer that is not shown: who types a password while
//     the one before is judged would read it on the screen.
//   - What was typed meanwhile is the next answer. Where none is wanted, or one is drawn, it is thrown away: nobody saw it, it may be a secret, and
//     a shell would show it and run it.
//   - A program that is stopped (Ctrl-Z) gives the echo back; one that dies has the process that watches it do so.

// quietness is the time between two questions. There is one terminal.
type quietness struct {
	mutex  sync.Mutex
	loud   *settings // what the terminal gets back; nil where it is not quiet
	asked  bool      // what is typed may be meant for a question that stood, and not for the shell
	watch  sync.Once
	heeded atomic.Int32 // how many are told of a wish to stop
}

var between quietness

func (q *quietness) settings() *settings {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return q.loud
}

func (q *quietness) begin(loud *settings, asked bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.loud, q.asked = loud, asked
	q.watch.Do(func() {
		stops := make(chan os.Signal, 1)
		signal.Notify(stops, unix.SIGTSTP)
		go q.stopAtWish(stops)
	})
}

// stopAtWish stops the process as the signal does by default, where nobody else does.
func (q *quietness) stopAtWish(stops <-chan os.Signal) {
	for range stops {
		if q.heeded.Load() == 0 {
			_ = Stop() // it goes on where it cannot be stopped
		}
	}
}

func (q *quietness) end() (asked bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	asked = q.asked
	q.loud, q.asked = nil, false
	return asked
}

// Quieten has nothing show that is typed from now on, until the next question whose answer shows, or Loud.
func Quieten() { quieten(true) }

// Expect is Quieten before the first question, which may never be put: what is typed then is the shell's.
func Expect() { quieten(false) }

func quieten(asked bool) {
	tty, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer tty.Close()
	loud, err := settingsOf(tty)
	if err == nil && ours(tty) && setQuiet(tty, loud) == nil {
		between.begin(loud, asked)
	}
}

// Loud has what is typed show again, and throws away what was typed while it did not. It does nothing where everything shows.
func Loud() {
	loud := between.settings()
	if loud == nil {
		return
	}
	asked := between.end()
	tty, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer tty.Close()
	if ours(tty) { // of a terminal that is gone nothing shows
		if asked && loud.Lflag&unix.ECHO != 0 { // else it stays quiet, for the conversation that runs this command
			_ = unix.IoctlSetInt(int(tty.Fd()), unix.TCFLSH, unix.TCIFLUSH)
		}
		_ = unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, loud)
	}
}

// pause gives the terminal back as it was; resume has it quiet again, unless somebody else has set it or has it now.
func (q *quietness) pause() (resume func()) {
	loud := q.settings()
	tty, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return func() {}
	}
	if loud == nil || !ours(tty) || unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, loud) != nil {
		return func() { tty.Close() }
	}
	return func() {
		defer tty.Close()
		if now, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err == nil && *now == *loud && ours(tty) {
			_ = setQuiet(tty, loud) // the next question sets it
		}
	}
}

// Remember gives what puts the terminal's settings back, for a process that watches another one which may die at a question.
func Remember() (putBack func()) {
	tty, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return func() {}
	}
	defer tty.Close()
	saved, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		return func() {}
	}
	return func() {
		tty, err := os.OpenFile(Path, os.O_RDWR, 0)
		if err != nil {
			return
		}
		defer tty.Close()
		if ours(tty) {
			_ = unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, saved)
		}
	}
}
