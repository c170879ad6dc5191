package frame

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
)

// Result is what a command has to tell. The command gathers it; the frame prints it, notes that it was told, and only then
// closes the modules. So no module that crashes, hangs or exits while it is closed can take a result away.
type Result struct {
	JSON any            // the one document of --json
	Text func(*Printer) // writes the same for people
	Err  error          // told on standard error in place of the text, as a failure is
	Code int            // the exit code that goes with it
}

// Printer gathers the text of a result. It is written in one piece, and a write that fails is an error of the command.
type Printer struct {
	*App
	Out io.Writer
}

// Colours paints where the result goes to a terminal, unless --color says otherwise.
func (a *App) Colours() terminal.Colours { return terminal.ColoursFor(a.Color, a.out, a.Getenv) }

// Width is the number of columns for what goes to the terminal, 0 where it goes to none.
func (a *App) Width() int { return widthOf(a.out) }

func widthOf(out terminal.Output) int {
	if out == nil || out.Columns() == 0 {
		return 0
	}
	return min(out.Columns(), terminal.MostColumns)
}

// textWidth is the width by which a text is measured that may go to no terminal.
func (a *App) textWidth() int {
	if width := a.Width(); width > 0 {
		return width
	}
	return terminal.UsualColumns
}

// Line writes texts of the catalog with an indent, one below the other.
func (p *Printer) Line(indent string, args messages.Args, ids ...string) {
	for _, id := range ids {
		fmt.Fprintln(p.Out, IndentLines(p.Text(id, args), indent))
	}
}

// Deliver writes a result before the run is at its end, where what follows depends on it being out. The command then
// returns an empty Result.
func (a *App) Deliver(r Result) error {
	err := a.print(r, supervise.Mark{})
	if err == nil && a.child != nil {
		a.child.Page.ForgetChanges()
	}
	return err
}

// Raw writes bytes of our own making as they are: a request in PEM.
func (p *Printer) Raw(text []byte) {
	// A Printer's writer keeps what it gets in memory; standard error has nobody to tell of its own failure.
	_, _ = p.Out.Write(text)
}

// print writes the result in the form that was asked for. An empty one was delivered before.
func (a *App) print(r Result, mark supervise.Mark) error {
	switch {
	case r.JSON == nil && r.Text == nil:
		return nil
	case a.JSON:
		return a.writeJSON(r.JSON, mark)
	}
	if r.Err != nil {
		return a.writeMarked(a.Err, []byte(a.failureText(a.Describe(r.Err))), mark)
	}
	var text bytes.Buffer
	r.Text(&Printer{a, &text})
	return a.writeMarked(a.out, []byte(terminal.Wrap(text.String(), a.Width())), mark)
}

// pager shows a result that does not fit on the screen.
func (a *App) pager(out *os.File) *terminal.Pager {
	return &terminal.Pager{Out: out, Getenv: a.Getenv, Off: a.NoPager || a.JSON}
}

// writeMarked writes a text; nothing is done before it is out. The parent of a worker notes the mark in the same step.
func (a *App) writeMarked(to terminal.Output, text []byte, mark supervise.Mark) error {
	if len(text) == 0 {
		return nil
	}
	var err error
	if stream, is := to.(*supervise.Stream); is {
		err = stream.Tell(text, mark)
	} else if pager := a.pager(os.Stdout); to == a.out && mark.Told && !mark.Document && pager.Hold(text) {
		err = pager.Show()
	} else {
		_, err = to.Write(text)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", terminal.ErrWrite, err)
	}
	a.documented = a.documented || mark.Document
	return nil
}
