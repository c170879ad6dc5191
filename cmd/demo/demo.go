// Package demo is the command `demo`: it makes a throw-away token and shows the main job on it.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"p11bridge/bridge/demo"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
)

type demoOptions struct {
	dir  string
	keep bool
}

// demoLabel is the label of the token that demo makes.
const demoLabel = "demo"

func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(demoErrors()...)
	o := &demoOptions{}
	c := &cobra.Command{
		Use:     "demo",
		Short:   a.Text("command.demo.short", nil),
		Long:    a.Text("command.demo.long", nil),
		Example: frame.Examples("demo", `demo --dir "$HOME/softhsm-demo" --keep`),
		Args:    frame.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.Child != nil {
				return makeDemoToken(c.Context(), a, o)
			}
			return runDemo(c.Context(), a, o)
		},
	}
	c.Flags().StringVar(&o.dir, "dir", "", a.Text("flag.demo-dir", nil))
	c.Flags().BoolVar(&o.keep, "keep", false, a.Text("flag.keep", nil))
	return c
}

// runDemo lets a child make the token and then does the main job on it, by the commands that a person would type.
func runDemo(ctx context.Context, a *frame.App, o *demoOptions) (err error) {
	if o.keep && o.dir == "" {
		return frame.Usage("error.keep-without-dir", nil)
	}
	if a.JSON && !o.keep {
		return frame.Usage("error.demo-json", nil)
	}
	if _, err := demo.FindSoftHSM(); err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "p11bridge-demo-"); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	fmt.Fprintln(a.Err, a.Text("demo.making", messages.Args{"Directory": dir}))
	args := []string{"demo", "--lang", a.Catalog.Language, "--dir", dir}
	if a.JSON {
		args = append(args, "--json")
	}
	if a.Trace != "" {
		args = append(args, "--trace", a.Trace)
	}
	err = a.AfterChild(supervise.Run(ctx, supervise.Task{Arguments: args, Timeout: a.Timeout, In: os.Stdin, Out: os.Stdout}))
	if err != nil {
		return err
	}
	place, err := demo.ExistingPlace(dir)
	if err != nil {
		return err
	}
	if o.keep {
		return tellEnvironment(a, place)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return showMainJob(ctx, a, place)
}

// makeDemoToken runs in the child.
func makeDemoToken(ctx context.Context, a *frame.App, o *demoOptions) error {
	pin, err := demo.NewPIN()
	if err != nil {
		return err
	}
	place, err := demo.NewPlace(o.dir, pin)
	if err != nil {
		return err
	}
	if err := os.Setenv("SOFTHSM2_CONF", place.Configuration()); err != nil {
		return fmt.Errorf("set SOFTHSM2_CONF: %w", err)
	}
	observer, err := a.Observer()
	if err != nil {
		return err
	}
	err = place.AddToken(ctx, observer, demoLabel, demo.Everything())
	if observer.Trace != nil {
		err = errors.Join(err, observer.Trace.Close())
	}
	return err
}

// environment is what a pipeline sets to use the token.
func environment(place demo.Place) []string {
	return []string{"SOFTHSM2_CONF=" + place.Configuration(), frame.ModuleVariable + "=" + place.Library.Path}
}

// demoView is what demo --keep --json shows.
type demoView struct {
	Schema      string            `json:"schema"`
	Directory   string            `json:"directory"`
	Token       string            `json:"token"`
	Environment map[string]string `json:"environment"`
}

// tellEnvironment prints lines that a shell can evaluate, and nothing else, on standard output.
func tellEnvironment(a *frame.App, place demo.Place) error {
	variables := append(environment(place), "P11BRIDGE_DEMO_PIN_SOURCE=file:"+place.PINFile())
	if a.JSON {
		shown := demoView{Schema: "p11bridge.demo/1", Directory: place.Directory, Token: demoLabel, Environment: map[string]string{}}
		for _, assignment := range variables {
			name, value, _ := strings.Cut(assignment, "=")
			shown.Environment[name] = value
		}
		return a.WriteJSON(shown)
	}
	for _, assignment := range variables {
		name, value, _ := strings.Cut(assignment, "=")
		fmt.Fprintf(a.Out, "export %s=%s\n", name, view.ShellQuote(value))
	}
	fmt.Fprintln(a.Err, a.Text("demo.kept", messages.Args{"Directory": place.Directory}))
	return nil
}

// demoStep is one command of the demo and the exit code that shows that it did its job.
type demoStep struct {
	title string
	args  []string
	code  int
}

func demoSteps(place demo.Place) []demoStep {
	pin := []string{"--token", demoLabel, "--pin-source", "file:" + place.PINFile()}
	password := []string{"--password-source", "file:" + place.PINFile()}
	file := func(name string) string { return filepath.Join(place.Directory, name) }
	with := func(args []string, more ...[]string) []string {
		for _, m := range more {
			args = append(args, m...)
		}
		return args
	}
	return []demoStep{
		{"demo.step.list", with([]string{"list"}, pin), frame.ExitDone},
		{"demo.step.wrap", with([]string{"export", "alice", "-o", file("alice.pfx")}, pin, password), frame.ExitDone},
		{"demo.step.attributes", with([]string{"export", "carol", "-o", file("carol.pfx")}, pin, password), frame.ExitDone},
		{"demo.step.verify", with([]string{"verify", file("alice.pfx")}, password), frame.ExitDone},
		{"demo.step.verify", with([]string{"verify", file("carol.pfx")}, password), frame.ExitDone},
		{"demo.step.refusal", with([]string{"export", "bob", "-o", file("bob.pfx")}, pin, password), frame.ExitRefused},
	}
}

func showMainJob(ctx context.Context, a *frame.App, place demo.Place) error {
	colour := terminal.ColoursFor(a.Out, a.Getenv)
	steps := demoSteps(place)
	for _, step := range steps {
		fmt.Fprintf(a.Out, "\n%s\n%s\n", colour.Bold(a.Text(step.title, nil)), "$ "+view.CommandLine(step.args))
		code, err := runSelf(ctx, a, place, step.args)
		if err != nil {
			return err
		}
		if code != step.code {
			return fmt.Errorf("the step ended with exit code %d instead of %d", code, step.code)
		}
	}
	fmt.Fprintf(a.Out, "\n%s\n", colour.Bold(a.Text("demo.repeat", nil)))
	fmt.Fprintln(a.Out, `p11bridge demo --dir "$HOME/p11bridge-demo" --keep > demo.env && . ./demo.env`)
	kept := place
	kept.Directory = "$HOME/p11bridge-demo"
	for _, step := range demoSteps(kept) {
		fmt.Fprintln(a.Out, strings.ReplaceAll(view.CommandLine(step.args), "'file:"+kept.PINFile()+"'", `"$P11BRIDGE_DEMO_PIN_SOURCE"`))
	}
	return nil
}

// runSelf runs this program on the demo's token as a command of its own.
func runSelf(ctx context.Context, a *frame.App, place demo.Place, args []string) (int, error) {
	command := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"--lang", a.Catalog.Language}, args...)...)
	command.Args[0] = os.Args[0]
	command.Env = append(os.Environ(), environment(place)...)
	command.Stdout, command.Stderr = io.Writer(a.Out), io.Writer(a.Out)
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return frame.ExitFailed, fmt.Errorf("run a step: %w", err)
	}
	return frame.ExitDone, nil
}

// demoErrors are the words for what keeps the demo from its token.
func demoErrors() []frame.Description {
	return []frame.Description{
		frame.Is(demo.ErrNoSoftHSM, frame.ExitFailed, "error.no-softhsm"),
		frame.Is(demo.ErrDirectoryNotEmpty, frame.ExitFailed, "error.directory-not-empty"),
	}
}
