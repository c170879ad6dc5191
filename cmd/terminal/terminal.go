// Package terminal asks, paints, measures and makes printable. It knows no keys and no command.
package terminal

// The terminal's rules:
//   - Answers are asked for on the controlling terminal, never on standard input: input may be a pipe that carries a file.
//   - Questions go to the terminal too, so that standard output holds nothing but the result.
//   - A PIN or password is never shown, and the terminal's echo is put back however the question ends.
//   - A new password is asked for twice; a PIN once, since asking again could cost an attempt.
//   - Where there is no terminal nothing is asked: the caller says what to give instead.
//   - Colour goes only to a terminal, and not where NO_COLOR is set or TERM is dumb.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"p11bridge/token/secret"
)

// ErrNone means that a question had to be asked and nobody can answer it.
var ErrNone = errors.New("no terminal to ask on")

// ErrGone means that the terminal went away while a question was open.
var ErrGone = errors.New("the terminal went away at the question")

const Path = "/dev/tty"

// maxTyped bounds what is read as one typed line.
const maxTyped = 4096

// Present tells whether there is somebody to ask.
func Present() bool {
	tty, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	return term.IsTerminal(int(tty.Fd()))
}

// Ask puts a question and reads a line. With hidden set the answer is not shown.
func Ask(ctx context.Context, question string, hidden bool) (*secret.Text, error) {
	tty, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return nil, ErrNone
	}
	defer tty.Close()
	fd := int(tty.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, ErrNone
	}
	fmt.Fprint(tty, question)
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := readTyped(tty, fd, hidden)
		answers <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		if err := term.Restore(fd, state); err != nil {
			return nil, ErrGone
		}
		fmt.Fprintln(tty)
		return nil, context.Cause(ctx)
	case a := <-answers:
		if hidden {
			fmt.Fprintln(tty)
		}
		if a.err != nil {
			return nil, ErrGone
		}
		return secret.New(a.text), nil
	}
}

// readTyped reads one line, without echo where it is hidden. The terminal's end of file, by Ctrl-D or because it hung up,
// is io.EOF.
func readTyped(tty *os.File, fd int, hidden bool) ([]byte, error) {
	if hidden {
		modes, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return nil, err
		}
		silent := *modes
		silent.Lflag &^= unix.ECHO
		silent.Lflag |= unix.ICANON | unix.ISIG
		silent.Iflag |= unix.ICRNL
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
			return nil, err
		}
		defer func() { // whoever cancels restores the terminal as well
			if err := unix.IoctlSetTermios(fd, unix.TCSETS, modes); err != nil {
				fmt.Fprintln(tty)
			}
		}()
	}
	line := make([]byte, 0, maxTyped)
	var one [1]byte
	for len(line) < maxTyped {
		n, err := tty.Read(one[:])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, io.EOF
		}
		if one[0] == '\n' {
			break
		}
		line = append(line, one[0])
	}
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// Colours writes with or without colour.
type Colours bool

func (c Colours) paint(code, text string) string {
	if !c {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (c Colours) Good(text string) string  { return c.paint("32", text) }
func (c Colours) Bad(text string) string   { return c.paint("31", text) }
func (c Colours) Doubt(text string) string { return c.paint("33", text) }
func (c Colours) Bold(text string) string  { return c.paint("1", text) }

// ColoursFor decides on colour for a stream.
func ColoursFor(file *os.File, getenv func(string) string) Colours {
	return Colours(term.IsTerminal(int(file.Fd())) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb")
}
