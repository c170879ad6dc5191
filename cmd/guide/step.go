package guide

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
)

// step is one question of a task. It reports whether anything was asked: one that had a single answer is passed over on the
// way back, too.
type step func(ctx context.Context) (asked bool, err error)

// walk takes the steps in their order. At terminal.ErrBack it goes to the question before; before the first one the error is
// the walk's.
func walk(ctx context.Context, steps ...step) error {
	asked := make([]bool, len(steps))
	for i := 0; i < len(steps); {
		was, err := steps[i](ctx)
		if err != nil && !errors.Is(err, terminal.ErrBack) {
			return err
		}
		if err == nil {
			asked[i] = was
			i++
			continue
		}
		for i--; i >= 0 && !asked[i]; i-- {
		}
		if i < 0 {
			return terminal.ErrBack
		}
	}
	return nil
}

// interruptible is for one question or one command: Ctrl-C ends it and nothing else.
func interruptible[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	ctx, stop := supervise.Interruptible(context.WithoutCancel(ctx))
	defer stop()
	return do(ctx)
}

func (c *conversation) choose(ctx context.Context, q terminal.Choice) (int, error) {
	return interruptible(ctx, func(ctx context.Context) (int, error) { return c.form.Choose(ctx, q) })
}

// pick is choose with answers that are ids of texts.
func (c *conversation) pick(ctx context.Context, title, description string, args messages.Args, proposed int, answers ...string) (int, error) {
	q := terminal.Choice{Title: c.Text(title, args), Proposed: proposed}
	if description != "" {
		q.Description = c.Text(description, args)
	}
	for _, id := range answers {
		q.Answers = append(q.Answers, c.Text(id, args))
	}
	return c.choose(ctx, q)
}

// problem is what is wrong with an answer, in the person's language.
type problem string

// Error gives the words.
func (p problem) Error() string { return string(p) }

// line asks for a line. What is wrong with it is a problem, or an error that has its words.
func (c *conversation) line(ctx context.Context, title, description string, args messages.Args, proposed string, check func(string) error) (string, error) {
	q := terminal.Line{Title: c.Text(title, args), Proposed: proposed, Problem: func(text string) string {
		err := check(text)
		var p problem
		switch {
		case err == nil:
			return ""
		case errors.As(err, &p):
			return string(p)
		}
		return c.problemOf(err)
	}}
	if description != "" {
		q.Description = c.Text(description, args)
	}
	return interruptible(ctx, func(ctx context.Context) (string, error) { return c.form.Line(ctx, q) })
}

// problemOf has the words for what is wrong with an answer, and what to answer instead where the remedy says that: others speak of flags.
func (c *conversation) problemOf(err error) string {
	words := c.Describe(err)
	var file *archive.FileError
	if !errors.As(err, &file) || !slices.Contains([]archive.FileFault{archive.NotWritable, archive.NoDirectory, archive.FileIsDirectory}, file.Fault) {
		return words.Text(c.App)
	}
	return words.Text(c.App) + "\n" + words.Remedy(c.App)
}

// say writes a text of the catalog.
func (c *conversation) say(id string, args messages.Args) error { return c.write(c.Text(id, args)) }

func (c *conversation) write(text string) error {
	return c.Deliver(frame.Result{Text: func(p *frame.Printer) { fmt.Fprintln(p.Out, text) }})
}

// home puts the person's directory in the place of a tilde, as a shell does.
func home(path string) string {
	rest, is := strings.CutPrefix(path, "~/")
	directory, err := os.UserHomeDir()
	if !is || err != nil {
		return path
	}
	return filepath.Join(directory, rest)
}
