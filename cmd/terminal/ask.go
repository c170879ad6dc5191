package terminal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"p11bridge/token/secret"
)

// maxTyped bounds what is read as one typed line.
const maxTyped = 4096

// question is one that stands on the terminal.
type question struct {
	*console
	text string
}

// Ask puts a question, wrapped to the terminal, and reads a line. With hidden set the answer is not shown. The error is ErrNone, ErrGone or the
// cause of ctx.
func Ask(ctx context.Context, text string, hidden bool) (*secret.Text, error) {
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
	if restored := q.restore(); restored != nil && err == nil {
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

// wait reads the answer.
func (q *question) wait(ctx context.Context, stops <-chan os.Signal) (*secret.Text, error) {
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := readLine(q)
		answers <- answer{text, err}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-stops:
			if err := q.stop(); err != nil {
				return nil, ErrGone
			}
		case a := <-answers:
			if a.err != nil {
				return nil, ErrGone
			}
			return secret.New(a.text), nil
		}
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

// readLine reads one line. The terminal's end of file, by Ctrl-D or because it hung up, is io.EOF.
func readLine(tty io.Reader) ([]byte, error) {
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
