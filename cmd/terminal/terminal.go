// Package terminal asks, paints, measures and makes printable. It knows no keys and no command.
package terminal

// The terminal's rules:
//   - Answers are asked for on the controlling terminal, never on standard input: input may be a pipe that carries a file.
//   - Questions go to the terminal too, so that standard output holds nothing but the result.
//   - A PIN or password is never shown, nor is what is typed between two questions for one; the echo is put back however that ends.
//   - Esc alone at a question does what Ctrl-C does.
//   - A new password is asked for twice; a PIN once, since asking again could cost an attempt.
//   - Who stops the program at a question (Ctrl-Z) gets the terminal back as it was; the question is put again afterwards.
//   - Where there is no terminal nothing is asked: the caller says what to give instead.
//   - Colour goes only to a terminal, and not where NO_COLOR is set or TERM is dumb.

import (
	"errors"
	"os"

	"golang.org/x/term"
)

// ErrNone means that a question had to be asked and nobody can answer it.
var ErrNone = errors.New("no terminal to ask on")

// ErrGone means that the terminal went away while a question was open.
var ErrGone = errors.New("the terminal went away at the question")

// Present reports whether there is somebody to ask.
func Present() bool {
	tty, err := os.OpenFile(Path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	return term.IsTerminal(int(tty.Fd()))
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

// Dim is for what needs no attention.
func (c Colours) Dim(text string) string { return c.paint("90", text) }

// ColoursFor decides on colour for a stream: always, never, or by what the stream and the environment are.
func ColoursFor(when string, out Output, getenv func(string) string) Colours {
	switch when {
	case "always":
		return true
	case "never":
		return false
	}
	return Colours(out != nil && out.Columns() > 0 && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb")
}
