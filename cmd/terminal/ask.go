package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"p11bridge/token/secret"
)

// maxTyped bounds what is read as one typed line.
const maxTyped = 4096

// question is one that stands on the terminal.
type question struct {
	*console
	text string
}

// Ask puts a question, wrapped to the terminal, and reads a line. Esc does what Ctrl-C does. With hidden set the answer is not shown, and nothing
// that is typed shows from then on until the next question whose answer shows, or Loud. The error is ErrNone, ErrGone or the cause of ctx.
func Ask(ctx context.Context, text string, hidden bool) (*secret.Text, error) {
	answer, err := ask(ctx, text, hidden)
	if errors.Is(err, errEscape) {
		return nil, interrupted(ctx)
	}
	return answer, err
}

// ask is Ask whose error is errEscape at Esc.
func ask(ctx context.Context, text string, hidden bool) (*secret.Text, error) {
	tty, err := openConsole(hidden)
	if err != nil {
		return nil, ErrNone
	}
	defer tty.Close()
	q := &question{tty, Wrap(text, min(tty.width(), MostColumns))}
	stops, unnotify := notifyStops()
	defer unnotify()
	if err := q.put(); err != nil {
		return nil, ErrGone
	}
	answer, err := q.wait(ctx, stops)
	leave := q.restore
	if hidden && err == nil {
		leave = q.quieten
	}
	if left := leave(); left != nil && err == nil {
		answer.Wipe()
		return nil, ErrGone
	}
	if hidden || err != nil {
		fmt.Fprintln(tty)
	}
	return answer, err
}

// put sets the terminal and writes the question.
func (q *question) put() error {
	if err := q.ask(); err != nil {
		return err
	}
	_, err := fmt.Fprint(q, q.text)
	return err
}

// typed is a line, or why there is none.
type typed struct {
	text []byte
	err  error
}

// wait reads the answer.
func (q *question) wait(ctx context.Context, stops <-chan os.Signal) (*secret.Text, error) {
	for {
		if err := q.begin(); err != nil {
			return nil, ErrGone
		}
		lines := make(chan typed, 1)
		go func() {
			text, err := q.line()
			lines <- typed{text, err}
		}()
		select {
		case <-ctx.Done():
			secret.Wipe(q.withdraw(lines).text)
			return nil, context.Cause(ctx)
		case <-stops:
			line := q.withdraw(lines)
			err := q.stop()
			if err == nil && line.err == nil { // the answer was there
				return secret.New(line.text), nil
			}
			secret.Wipe(line.text) // what was typed of it is typed once more
			if err != nil {
				return nil, ErrGone
			}
		case line := <-lines:
			switch {
			case errors.Is(line.err, errEscape):
				return nil, errEscape
			case errors.Is(line.err, errAgain):
				if q.restore() != nil || q.put() != nil {
					return nil, ErrGone
				}
				continue
			case line.err != nil:
				return nil, ErrGone
			}
			return secret.New(line.text), nil
		}
	}
}

// patience is how long is waited for what comes at once, unless the machine is busy.
const patience = time.Second

// withdraw ends the reading, which would take what is typed into the next question, and gives what was read. On Windows one of a whole line
// goes on for as long as the system wants.
func (q *question) withdraw(lines <-chan typed) typed {
	if err := q.cancel(); err != nil {
		return typed{err: err}
	}
	select {
	case line := <-lines:
		return line
	case <-time.After(patience):
		return typed{err: errCancelled}
	}
}

// interrupted does what Ctrl-C does, for all who heed that: this process, the one that watches it, and the conversation that runs both.
func interrupted(ctx context.Context) error {
	if err := interrupt(); err != nil {
		return ErrGone
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(patience): // the signal is ignored
		return ErrGone
	}
}

// stop gives the terminal back, stops the process, and puts the question again once it goes on.
func (q *question) stop() error {
	if err := q.restore(); err != nil {
		return err
	}
	fmt.Fprintln(q)
	if err := Stop(); err != nil {
		return err
	}
	return q.put()
}

// line reads the answer.
func (q *question) line() ([]byte, error) {
	k := &keystrokes{next: q.next, single: q.single}
	if q.hidden {
		return readHidden(k, q.keys())
	}
	return readLine(k)
}

// errAgain means that a key gave a sequence in the middle of a line that shows: what stands there is no longer what was typed.
var errAgain = errors.New("the line is typed again")

// readLine reads one line as the terminal hands it out. The terminal's end of file, by Ctrl-D or because it hung up, is io.EOF.
func readLine(k *keystrokes) ([]byte, error) {
	line := make([]byte, 0, maxTyped)
	for len(line) < maxTyped {
		b, err := k.read(forever)
		if err == nil && b == escape {
			if err = k.skipSequence(); err == nil {
				err = errAgain
			}
		}
		if err != nil {
			return nil, err
		}
		if b == '\n' {
			break
		}
		line = append(line, b)
	}
	return bytes.TrimSuffix(line, []byte("\r")), nil
}
