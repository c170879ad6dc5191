package terminal

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// Path is the controlling terminal.
const Path = "/dev/tty"

// OpenOutput opens the terminal to write on it.
func OpenOutput() (*os.File, error) { return os.OpenFile(Path, os.O_WRONLY, 0) }

// settings are a terminal's.
type settings = unix.Termios

// console is the controlling terminal, to ask on.
type console struct {
	*os.File
	hidden    bool
	saved     *settings // those that it had, to be put back
	asking    settings  // those while a question stands
	typed     int       // the terminal once more, for reads that do not wait
	withdrawn [2]int    // a pipe: once its far end is closed, nobody waits any longer for what is typed
}

// none is no file descriptor.
const none = -1

// openConsole opens the terminal for a question whose answer is hidden, or shown.
func openConsole(hidden bool) (*console, error) {
	tty, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	saved, err := settingsOf(tty)
	if err != nil {
		return nil, errors.Join(ErrNone, tty.Close())
	}
	typed, err := unix.Open(Path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(err, tty.Close())
	}
	c := &console{File: tty, hidden: hidden, saved: saved, asking: *saved, typed: typed, withdrawn: [2]int{none, none}}
	c.asking.Lflag |= unix.ICANON | unix.ISIG | unix.ECHO
	c.asking.Iflag |= unix.ICRNL | unix.IUTF8
	c.asking.Cc[unix.VEOL] = escape
	if hidden {
		c.asking.Lflag &^= unix.ECHO
	}
	return c, nil
}

// settingsOf are those that the terminal has, or, while it is quiet, those that it had before.
func settingsOf(tty *os.File) (*settings, error) {
	if loud := between.settings(); loud != nil {
		return loud, nil
	}
	return unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
}

// Close closes all that was opened.
func (c *console) Close() error {
	return errors.Join(c.cancel(), c.closeEnd(0), c.File.Close(), unix.Close(c.typed))
}

// begin is called before an answer is read. cancel ends the wait for it.
func (c *console) begin() error {
	if err := errors.Join(c.cancel(), c.closeEnd(0)); err != nil {
		return err
	}
	return unix.Pipe2(c.withdrawn[:], unix.O_CLOEXEC)
}

func (c *console) cancel() error { return c.closeEnd(1) }

func (c *console) closeEnd(i int) error {
	if c.withdrawn[i] == none {
		return nil
	}
	end := c.withdrawn[i]
	c.withdrawn[i] = none
	return unix.Close(end)
}

// files are the ends that a form reads and draws on.
func (c *console) files() (in, out *os.File) { return c.File, c.File }

func (c *console) width() int {
	width, _ := size(c.File)
	return width
}

// next waits for a byte that was typed.
func (c *console) next(patience time.Duration) (byte, error) {
	wait := -1
	if patience >= 0 {
		wait = int(patience.Milliseconds())
	}
	for {
		ends := []unix.PollFd{{Fd: int32(c.typed), Events: unix.POLLIN}, {Fd: int32(c.withdrawn[0]), Events: unix.POLLIN}}
		ready, err := unix.Poll(ends, wait)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case ready == 0:
			return 0, errNothing
		case ends[0].Revents == 0 && ends[1].Revents != 0: // of a line that has been typed no rest stays for the next question
			return 0, errCancelled
		}
		var one [1]byte
		n, err := unix.Read(c.typed, one[:])
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR): // somebody else has read it
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return one[0], nil
	}
}

// keys are those that edit a line on this terminal.
func (c *console) keys() editing {
	of := c.saved.Cc
	return editing{erase: of[unix.VERASE], word: of[unix.VWERASE], line: of[unix.VKILL], redraw: of[unix.VREPRINT], end: of[unix.VEOF], literal: of[unix.VLNEXT]}
}

// interrupt sends what the terminal sends at Ctrl-C, to those to whom it sends it: who reads from a terminal is in the group that has it.
func interrupt() error { return unix.Kill(0, unix.SIGINT) }

// ask sets the terminal for the question.
func (c *console) ask() error { return unix.IoctlSetTermios(int(c.Fd()), unix.TCSETS, &c.asking) }

// single has the terminal give key after key, until the question is put again or another one.
func (c *console) single() error {
	keys := c.asking
	keys.Lflag &^= unix.ICANON | unix.ECHO
	keys.Cc[unix.VMIN], keys.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(int(c.Fd()), unix.TCSETS, &keys)
}

// restore puts the settings back.
func (c *console) restore() error {
	between.end()
	return unix.IoctlSetTermios(int(c.Fd()), unix.TCSETS, c.saved)
}

// quieten puts the settings back but for the echo.
func (c *console) quieten() error {
	if err := setQuiet(c.File, c.saved); err != nil {
		return err
	}
	between.begin(c.saved, true)
	return nil
}

// setQuiet gives the terminal the settings but for its echo.
func setQuiet(tty *os.File, loud *settings) error {
	quiet := *loud
	quiet.Lflag &^= unix.ECHO | unix.ECHONL
	return unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, &quiet)
}

// ours reports whether the terminal is this process's to set: a process in the background would be stopped.
func ours(tty *os.File) bool {
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// pagerSignals are the pager's while it runs.
var pagerSignals = []os.Signal{unix.SIGINT, unix.SIGQUIT}

// usualPager is what shows long texts where PAGER names nothing else.
const usualPager = "less"

// pagerCommand runs what PAGER holds.
func pagerCommand(command string) []string { return []string{"sh", "-c", command} }

// Prepare has nothing to do: a terminal understands colours and UTF-8.
func Prepare(...*os.File) {}

// notifyStops tells of the signals that ask the program to stop for a while (Ctrl-Z).
func notifyStops() (stops <-chan os.Signal, unnotify func()) {
	signals := make(chan os.Signal, 1)
	return signals, NotifyStops(signals)
}

// NotifyStops tells of the signal that asks a program to stop for a while. Whoever is told calls Stop.
func NotifyStops(stops chan<- os.Signal) (unnotify func()) {
	between.heeded.Add(1)
	signal.Notify(stops, unix.SIGTSTP)
	return func() {
		signal.Stop(stops)
		between.heeded.Add(-1)
	}
}
