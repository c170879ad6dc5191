package terminal

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// Path is where the console's input is read, by Windows' own name for it.
const Path = "CONIN$"

// outputPath is where the console is written to.
const outputPath = "CONOUT$"

// OpenOutput opens the console to write on it. It is UTF-8: Go's runtime writes UTF-16 to a console.
func OpenOutput() (*os.File, error) { return os.OpenFile(outputPath, os.O_RDWR, 0) }

// console is the process's console, to ask on: its input is read, its output is written.
type console struct {
	in, out *os.File
	saved   uint32 // the mode that the input had, to be put back
	asking  uint32 // that while a question stands
	hidden  bool   // false: the console edits every answer by itself, with its own meaning of Esc, and hands out whole lines
}

// openConsole opens the console for a question whose answer is hidden, or shown.
func openConsole(hidden bool) (*console, error) {
	in, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	out, err := OpenOutput()
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	c := &console{in: in, out: out}
	if err := windows.GetConsoleMode(windows.Handle(in.Fd()), &c.saved); err != nil {
		return nil, errors.Join(ErrNone, c.Close())
	}
	c.asking = c.saved | windows.ENABLE_LINE_INPUT | windows.ENABLE_PROCESSED_INPUT | windows.ENABLE_ECHO_INPUT
	c.asking &^= windows.ENABLE_VIRTUAL_TERMINAL_INPUT
	if hidden {
		c.asking &^= windows.ENABLE_ECHO_INPUT
	}
	return c, nil
}

// next waits for a byte of the line that is typed, as UTF-8, however long that takes.
func (c *console) next(time.Duration) (byte, error) {
	var one [1]byte
	n, err := c.in.Read(one[:])
	if err == nil && n == 0 {
		err = io.EOF
	}
	return one[0], err
}

// begin and cancel have nothing to do: Ctrl-C ends the wait for a line.
func (*console) begin() error { return nil }

func (*console) cancel() error { return nil }

// keys and single are for answers that are edited here.
func (*console) keys() editing { return editing{} }

func (*console) single() error { return nil }

// interrupt sends what the console sends at Ctrl-C, to all that share it.
func interrupt() error { return windows.GenerateConsoleCtrlEvent(windows.CTRL_C_EVENT, 0) }

// Write shows a text in UTF-8.
func (c *console) Write(text []byte) (int, error) { return c.out.Write(text) }

// Close closes both ends.
func (c *console) Close() error { return errors.Join(c.in.Close(), c.out.Close()) }

// files are the ends that a form reads and draws on. Of standard input the form asks for key after key, and stops when it ends. Of any other
// handle it would have a read that nobody ends, which takes the first key that is meant for the next question.
func (c *console) files() (in, out *os.File) {
	var mode uint32
	if windows.GetConsoleMode(windows.Handle(os.Stdin.Fd()), &mode) == nil {
		return os.Stdin, c.out
	}
	return c.in, c.out
}

func (c *console) width() int {
	width, _ := size(c.out)
	return width
}

// ask sets the console for the question.
func (c *console) ask() error { return windows.SetConsoleMode(windows.Handle(c.in.Fd()), c.asking) }

// restore puts the mode back.
func (c *console) restore() error {
	askedHidden.Store(false)
	return windows.SetConsoleMode(windows.Handle(c.in.Fd()), c.saved)
}

// quieten puts the mode back. A console shows what is typed only when it is read.
func (c *console) quieten() error {
	err := c.restore()
	askedHidden.Store(true)
	return err
}

// notifyStops tells of nothing: a console has no Ctrl-Z that stops a program.
func notifyStops() (stops <-chan os.Signal, unnotify func()) { return nil, func() {} }

// NotifyStops does nothing, for the same reason.
func NotifyStops(chan<- os.Signal) (unnotify func()) { return func() {} }

// Stop does nothing, for the same reason.
func Stop() error { return nil }

// orphaned reports that nothing here may stop the program.
func orphaned() bool { return true }

// pagerSignals are the pager's while it runs.
var pagerSignals = []os.Signal{os.Interrupt}

// usualPager is empty: Windows has no pager that shows colours, and its console scrolls back.
const usualPager = ""

// pagerCommand runs what PAGER holds.
func pagerCommand(command string) []string { return []string{"cmd", "/c", command} }

// Prepare has the consoles that the files lead to understand colours (virtual terminal sequences), as every Windows does that Go
// supports. A file that leads to no console is left alone.
func Prepare(files ...*os.File) {
	for _, file := range files {
		var mode uint32
		console := windows.Handle(file.Fd())
		if windows.GetConsoleMode(console, &mode) == nil {
			_ = windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) // without it, colours show as text
		}
	}
}
