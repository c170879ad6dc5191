package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Output is where a result, a notice or an error goes.
type Output interface {
	io.Writer
	// Columns is the width of the terminal that it goes to, 0 where it goes to none.
	Columns() int
}

// File is an open file as an Output.
type File struct{ *os.File }

// Nowhere is an Output that shows nothing.
type Nowhere struct{}

// Write implements Output.
func (Nowhere) Write(text []byte) (int, error) { return len(text), nil }

// Columns implements Output.
func (Nowhere) Columns() int { return 0 }

// UsualColumns and usualRows are the size of a terminal that does not tell its own.
const (
	UsualColumns = 80
	usualRows    = 24
)

// Columns implements Output.
func (f File) Columns() int {
	if !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return UsualColumns
}
