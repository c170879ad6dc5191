// Package guide is the guided mode: a conversation in the person's language that ends in the commands which do the work. It
// knows no act of its own. Every answer becomes an argument, every command runs in a process of its own, as if it had been
// typed, and is shown at the end. So a module that crashes takes a command along and never the conversation.
package guide

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
	"p11bridge/token/secret"
)

// plainVariable asks for questions as numbered lines, as --accessible does.
const plainVariable = "P11BRIDGE_ACCESSIBLE"

// errNoTerminal means that there is nobody to talk to.
var errNoTerminal = errors.New("no terminal for a conversation")

// NewCommand also makes the conversation what the program does alone on a terminal.
func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(frame.Is(errNoTerminal, frame.ExitFailed, "error.guide-terminal"))
	accessible := false
	talk := a.Unsupervised(func(ctx context.Context, _ []string) (frame.Result, error) {
		return frame.Result{}, converse(ctx, a, accessible)
	})
	run := func(c *cobra.Command, args []string) error {
		if err := a.CheckModuleFlags(c, args); err != nil {
			return err
		}
		return talk(c, args)
	}
	c := &cobra.Command{
		Use:     "guide",
		Short:   "command.guide.short",
		Long:    "command.guide.long",
		Example: frame.Examples("guide", "guide --lang es", "guide --accessible"),
		Args:    frame.NoArguments,
		RunE:    run,
	}
	c.Flags().BoolVar(&accessible, "accessible", false, "flag.accessible")
	a.Alone(run)
	return c
}

// conversation is one run of the guided mode.
type conversation struct {
	*frame.App
	form terminal.Form
	used *heldToken // what the last command of this task logged in to; nil where none has

	instead *way // is offered, too, where the command of this task failed; nil for nothing
}

// converse leads through one task after the other until the person leaves.
func converse(ctx context.Context, a *frame.App, accessible bool) error {
	switch {
	case a.JSON:
		return frame.Usage("error.guide-json", nil)
	case !terminal.Interactive(terminal.File{File: os.Stdin}, terminal.File{File: os.Stdout}):
		return errNoTerminal
	}
	secret.LockProcess()
	a.BeGuided()
	name := a.Getenv("TERM")
	c := &conversation{App: a, form: terminal.Form{
		Plain: accessible || a.Getenv(plainVariable) != "" || name == "" || name == "dumb", Colours: a.Colours(),
		Words: terminal.FormWords{
			ChoiceKeys: a.Text("guide.keys.choice", nil), LineKeys: a.Text("guide.keys.line", nil), Number: a.Text("guide.number", nil),
			Line: a.Text("guide.line", nil), Back: a.Text("guide.back", nil), NoChoice: a.Text("guide.no-choice", nil),
			Count: func(n int) string { return a.Text("guide.count", messages.Args{"Answers": messages.Number(n)}) },
		},
	}}
	if err := c.say("guide.welcome", nil); err != nil {
		return err
	}
	return left(c.tasks(ctx))
}

// left tells apart a conversation that came to its end and one that a signal ended.
func left(err error) error {
	var interruption *supervise.Interruption
	switch {
	case errors.Is(err, terminal.ErrLeft):
		return nil
	case errors.As(err, &interruption) && interruption.Signal == os.Interrupt:
		return nil
	}
	return err
}

// errToMenu means that the person wants something else, and errDone that a way out of a task came to its end.
var (
	errToMenu = errors.New("to the first question")
	errDone   = errors.New("the task is done")
)

// task is one thing that a person wants done.
type task struct {
	text string
	do   func(context.Context) error
}

// tasks asks for a task and does it, again and again.
func (c *conversation) tasks(ctx context.Context) error {
	list := []task{
		{"guide.menu.backup", func(ctx context.Context) error { return c.backUp(ctx) }},
		{"guide.menu.check", func(ctx context.Context) error { return c.checkCopy(ctx) }},
		{"guide.menu.bring-back", func(ctx context.Context) error { return c.bringBack(ctx) }},
		{"guide.menu.request", func(ctx context.Context) error { return c.request(ctx, nil) }},
		{"guide.menu.install", func(ctx context.Context) error { return c.install(ctx) }},
		{"guide.menu.doctor", func(ctx context.Context) error { return c.findOut(ctx) }},
		{"guide.menu.leave", func(context.Context) error { return terminal.ErrLeft }},
	}
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = c.Text(t.text, nil)
	}
	chosen := 0
	for {
		var err error
		c.used = nil
		if chosen, err = c.choose(ctx, terminal.Choice{Title: c.Text("guide.menu.title", nil), Answers: texts, Proposed: chosen}); err == nil {
			err = list[chosen].do(ctx)
		} else if errors.Is(err, terminal.ErrBack) { // there is nothing to go back to
			return terminal.ErrLeft
		}
		if err == nil || errors.Is(err, errDone) {
			err = c.pause(ctx)
		}
		if err != nil && !errors.Is(err, terminal.ErrBack) && !errors.Is(err, errToMenu) {
			return err
		}
	}
}

// pause is a short question, so that what was told of the task stands above it on a small screen.
func (c *conversation) pause(ctx context.Context) error {
	if i, err := c.pick(ctx, "guide.failed.title", "", nil, 0, "guide.to-menu", "guide.menu.leave"); err != nil || i == 0 {
		return err
	}
	return terminal.ErrLeft
}
