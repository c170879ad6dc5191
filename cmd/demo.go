package cmd

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
	"p11bridge/cmd/messages"
)

type demoOptions struct {
	dir  string
	keep bool
}

// demoLabel is the label of the token that demo makes.
const demoLabel = "demo"

func newDemoCommand(a *app) *cobra.Command {
	o := &demoOptions{}
	c := &cobra.Command{
		Use:     "demo",
		Short:   a.text("command.demo.short", nil),
		Long:    a.text("command.demo.long", nil),
		Example: examples("demo", `demo --dir "$HOME/softhsm-demo" --keep`),
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.child != nil {
				return makeDemoToken(c.Context(), a, o)
			}
			return runDemo(c.Context(), a, o)
		},
	}
	c.Flags().StringVar(&o.dir, "dir", "", a.text("flag.demo-dir", nil))
	c.Flags().BoolVar(&o.keep, "keep", false, a.text("flag.keep", nil))
	return c
}

// runDemo lets a child make the token and then does the main job on it, by the commands that a person would type.
func runDemo(ctx context.Context, a *app, o *demoOptions) (err error) {
	if o.keep && o.dir == "" {
		return usage("error.keep-without-dir", nil)
	}
	if a.json && !o.keep {
		return usage("error.demo-json", nil)
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
	fmt.Fprintln(a.err, a.text("demo.making", messages.Args{"Directory": dir}))
	args := []string{"demo", "--lang", a.catalog.Language, "--dir", dir}
	if a.json {
		args = append(args, "--json")
	}
	if a.trace != "" {
		args = append(args, "--trace", a.trace)
	}
	err = a.afterChild(supervise(ctx, errand{arguments: args, timeout: a.timeout, in: os.Stdin, out: os.Stdout}))
	if err != nil {
		return err
	}
	place, err := demo.ExistingPlace(dir)
	if err != nil {
		return err
	}
	if o.keep {
		return a.tellEnvironment(place)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return a.showMainJob(ctx, place)
}

// makeDemoToken runs in the child.
func makeDemoToken(ctx context.Context, a *app, o *demoOptions) error {
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
	observer, err := a.observer()
	if err != nil {
		return err
	}
	err = place.AddToken(ctx, observer, demoLabel, demo.Everything())
	if observer.trace != nil {
		err = errors.Join(err, observer.trace.close())
	}
	return err
}

// environment is what a pipeline sets to use the token.
func environment(place demo.Place) []string {
	return []string{"SOFTHSM2_CONF=" + place.Configuration(), moduleVariable + "=" + place.Library.Path}
}

// demoView is what demo --keep --json shows.
type demoView struct {
	Schema      string            `json:"schema"`
	Directory   string            `json:"directory"`
	Token       string            `json:"token"`
	Environment map[string]string `json:"environment"`
}

// tellEnvironment prints lines that a shell can evaluate, and nothing else, on standard output.
func (a *app) tellEnvironment(place demo.Place) error {
	variables := append(environment(place), "P11BRIDGE_DEMO_PIN_SOURCE=file:"+place.PINFile())
	if a.json {
		view := demoView{Schema: "p11bridge.demo/1", Directory: place.Directory, Token: demoLabel, Environment: map[string]string{}}
		for _, assignment := range variables {
			name, value, _ := strings.Cut(assignment, "=")
			view.Environment[name] = value
		}
		return a.writeJSON(view)
	}
	for _, assignment := range variables {
		name, value, _ := strings.Cut(assignment, "=")
		fmt.Fprintf(a.out, "export %s=%s\n", name, shellQuote(value))
	}
	fmt.Fprintln(a.err, a.text("demo.kept", messages.Args{"Directory": place.Directory}))
	return nil
}

func shellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
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
		{"demo.step.list", with([]string{"list"}, pin), exitDone},
		{"demo.step.wrap", with([]string{"export", "alice", "-o", file("alice.pfx")}, pin, password), exitDone},
		{"demo.step.attributes", with([]string{"export", "carol", "-o", file("carol.pfx")}, pin, password), exitDone},
		{"demo.step.verify", with([]string{"verify", file("alice.pfx")}, password), exitDone},
		{"demo.step.verify", with([]string{"verify", file("carol.pfx")}, password), exitDone},
		{"demo.step.refusal", with([]string{"export", "bob", "-o", file("bob.pfx")}, pin, password), exitRefused},
	}
}

func (a *app) showMainJob(ctx context.Context, place demo.Place) error {
	colour := coloursFor(a.out, a.getenv)
	steps := demoSteps(place)
	for _, step := range steps {
		fmt.Fprintf(a.out, "\n%s\n%s\n", colour.bold(a.text(step.title, nil)), "$ "+commandLine(step.args))
		code, err := a.runSelf(ctx, place, step.args)
		if err != nil {
			return err
		}
		if code != step.code {
			return fmt.Errorf("the step ended with exit code %d instead of %d", code, step.code)
		}
	}
	fmt.Fprintf(a.out, "\n%s\n", colour.bold(a.text("demo.repeat", nil)))
	fmt.Fprintln(a.out, `p11bridge demo --dir "$HOME/p11bridge-demo" --keep > demo.env && . ./demo.env`)
	kept := place
	kept.Directory = "$HOME/p11bridge-demo"
	for _, step := range demoSteps(kept) {
		fmt.Fprintln(a.out, strings.ReplaceAll(commandLine(step.args), "'file:"+kept.PINFile()+"'", `"$P11BRIDGE_DEMO_PIN_SOURCE"`))
	}
	return nil
}

// runSelf runs this program on the demo's token as a command of its own.
func (a *app) runSelf(ctx context.Context, place demo.Place, args []string) (int, error) {
	command := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"--lang", a.catalog.Language}, args...)...)
	command.Args[0] = os.Args[0]
	command.Env = append(os.Environ(), environment(place)...)
	command.Stdout, command.Stderr = io.Writer(a.out), io.Writer(a.out)
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return exitFailed, fmt.Errorf("run a step: %w", err)
	}
	return exitDone, nil
}

// commandLine writes a command as it can be typed.
func commandLine(args []string) string {
	words := []string{"p11bridge"}
	for _, arg := range args {
		switch {
		case strings.HasPrefix(arg, "$HOME/"):
			arg = `"` + arg + `"`
		case strings.ContainsAny(arg, " '\"$\\()*?[]{}<>|&;`!#~") || strings.HasPrefix(arg, "file:"):
			arg = shellQuote(arg)
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}
