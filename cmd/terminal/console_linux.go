package terminal

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Path is the controlling terminal.
const Path = "/dev/tty"

// OpenOutput opens the terminal to write on it.
func OpenOutput() (*os.File, error) { return os.OpenFile(Path, os.O_WRONLY, 0) }

// console is the controlling terminal, to ask on.
type console struct {
	*os.File
	saved  *unix.Termios // the settings that it had, to be put back
	asking unix.Termios  // those while a question stands
}

// openConsole opens the terminal for a question whose answer is hidden, or shown.
func openConsole(hidden bool) (*console, error) {
	tty, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	saved, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		return nil, ErrNone
	}
	c := &console{File: tty, saved: saved, asking: *saved}
	c.asking.Lflag |= unix.ICANON | unix.ISIG
	c.asking.Iflag |= unix.ICRNL
	if hidden {
		c.asking.Lflag &^= unix.ECHO
	}
	return c, nil
}

// files are the ends that a form reads and draws on.
func (c *console) files() (in, out *os.File) { return c.File, c.File }

func (c *console) width() int {
	width, _ := size(c.File)
	return width
}

// ask sets the terminal for the question.
func (c *console) ask() error { return unix.IoctlSetTermios(int(c.Fd()), unix.TCSETS, &c.asking) }

// restore puts the settings back.
func (c *console) restore() error { return unix.IoctlSetTermios(int(c.Fd()), unix.TCSETS, c.saved) }

// notifyStops tells of the signals that ask the program to stop for a while (Ctrl-Z).
func notifyStops() (stops <-chan os.Signal, unnotify func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTSTP)
	return signals, func() { signal.Stop(signals) }
}

// pagerSignals are the pager's while it runs.
var pagerSignals = []os.Signal{unix.SIGINT, unix.SIGQUIT}

// usualPager is what shows long texts where PAGER names nothing else.
const usualPager = "less"

// pagerCommand runs what PAGER holds.
func pagerCommand(command string) []string { return []string{"sh", "-c", command} }

// Prepare has nothing to do: a terminal understands colours and UTF-8.
func Prepare(...*os.File) {}
