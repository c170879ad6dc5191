package guide

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
)

// run runs a command on the terminal, with its own questions, and gives its exit code. Ctrl-C in it is terminal.ErrBack: the
// command has ended with nothing half done, and the conversation goes on.
func (c *conversation) run(ctx context.Context, arguments []string, secrets ...frame.GivenSecret) (int, error) {
	if err := c.write(""); err != nil {
		return 0, err
	}
	return c.again(ctx, frame.Again{Arguments: arguments, Secrets: secrets})
}

// perform runs a command until it has done its work or the person wants something else, and shows it then.
func (c *conversation) perform(ctx context.Context, arguments []string, secrets ...frame.GivenSecret) error {
	for {
		code, err := c.run(ctx, arguments, secrets...)
		if err != nil {
			return err
		}
		if code == frame.ExitDone || code == frame.ExitPartly {
			return c.show(arguments)
		}
		if err := c.failed(ctx, code); err != nil {
			return err
		}
	}
}

// show prints the command that did the work.
func (c *conversation) show(arguments []string) error {
	return c.write("\n" + c.Text("guide.command", nil) + "\n  " + terminal.Whole(c.commandLine(arguments)))
}

// quietly runs a command whose document the conversation reads. Questions, notices and errors go to the terminal.
func (c *conversation) quietly(ctx context.Context, out io.Writer, arguments []string, secrets ...frame.GivenSecret) error {
	_, err := c.again(ctx, frame.Again{Arguments: arguments, Secrets: secrets, Out: out})
	return err
}

func (c *conversation) again(ctx context.Context, r frame.Again) (int, error) {
	r.Arguments = append(slices.Clone(r.Arguments), unnamed(r.Arguments, c.globals())...)
	r.Environment = append(r.Environment, frame.LanguageVariable+"="+c.Catalog.Language) // a flag would be in the commands that are printed
	code, err := interruptible(ctx, func(ctx context.Context) (int, error) { return c.RunAgain(ctx, r) })
	return code, asBack(err)
}

// asBack makes Ctrl-C, at a question of ours or in a command, the wish to go back.
func asBack(err error) error {
	var interruption *supervise.Interruption
	if errors.As(err, &interruption) && interruption.Signal == os.Interrupt {
		return terminal.ErrBack
	}
	return err
}

// globals are the flags of every command that the conversation was given, and what it adds: no pager, since a text is to stay above
// the next question.
func (c *conversation) globals() []string {
	const noPager = "--no-pager"
	given := c.GivenFlags()
	if !slices.Contains(given, noPager) {
		given = append(given, noPager)
	}
	return given
}

// unnamed are the flags that the arguments do not hold already: the conversation names the token itself, and a flag is given once.
func unnamed(arguments, flags []string) []string {
	return slices.DeleteFunc(slices.Clone(flags), func(flag string) bool {
		name, _, _ := strings.Cut(flag, "=")
		return slices.Contains(arguments, name)
	})
}

// commandLine is a command as it can be pasted. Who typed --lang sees it there, too.
func (c *conversation) commandLine(arguments []string) string {
	var words []string
	for _, word := range append(slices.Clone(arguments), unnamed(arguments, c.GivenFlags())...) {
		flag, value, joined := strings.Cut(word, "=")
		if joined && strings.HasPrefix(flag, "--") { // so that the value is quoted, and a tilde would be the shell's
			words = append(words, flag, value)
			continue
		}
		words = append(words, word)
	}
	return view.CommandLine(words)
}

// onToken adds what names the token.
func (t heldToken) onToken(arguments ...string) []string {
	if t.name == "" {
		return arguments
	}
	return append(arguments, "--token", t.name)
}
