package terminal

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/windows"
)

// askedHidden means that the last answer was not shown: what is typed from then on may be a secret.
var askedHidden atomic.Bool

// Quieten has what is typed from now on thrown away at Loud. A console shows nothing before it is read.
func Quieten() { askedHidden.Store(true) }

// Expect has nothing to do: a console shows nothing before it is read.
func Expect() {}

// Loud throws away what was typed since the last answer that was not shown: the next question would show it, or cmd would.
func Loud() {
	if !askedHidden.Swap(false) {
		return
	}
	in, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer in.Close()
	_ = windows.FlushConsoleInputBuffer(windows.Handle(in.Fd())) // of a console that is gone nothing shows
}

// Remember gives what puts the console's mode back, for a process that watches another one which may die at a question.
func Remember() (putBack func()) {
	in, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return func() {}
	}
	defer in.Close()
	var mode uint32
	if windows.GetConsoleMode(windows.Handle(in.Fd()), &mode) != nil {
		return func() {}
	}
	return func() {
		in, err := os.OpenFile(Path, os.O_RDWR, 0)
		if err != nil {
			return
		}
		defer in.Close()
		_ = windows.SetConsoleMode(windows.Handle(in.Fd()), mode)
	}
}
