// Package demo is the command `demo`: it makes a throw-away token and shows the main job on it.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"p11bridge/bridge/archive"
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
		Short:   "command.demo.short",
		Long:    "command.demo.long",
		Example: frame.Examples("demo", `demo --dir "$HOME/softhsm-demo" --keep`),
		Args:    frame.NoArguments,
		RunE: a.ByHand(func(ctx context.Context) (frame.Result, error) { return runDemo(ctx, a, o) },
			func(ctx context.Context, w *frame.Worker) (frame.Result, error) {
				return frame.Result{}, makeDemoToken(ctx, w, o)
			}),
	}
	c.Flags().StringVar(&o.dir, "dir", "", "flag.demo-dir")
	c.Flags().BoolVar(&o.keep, "keep", false, "flag.keep")
	return c
}

// runDemo lets a child make the token and then does the main job on it, by the commands that a person would type.
func runDemo(ctx context.Context, a *frame.App, o *demoOptions) (result frame.Result, err error) {
	if o.keep && o.dir == "" {
		return frame.Result{}, frame.Usage("error.keep-without-dir", nil)
	}
	if a.JSON && !o.keep {
		return frame.Result{}, frame.Usage("error.demo-json", nil)
	}
	if _, err := demo.FindSoftHSM(); err != nil {
		return frame.Result{}, err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "p11bridge-demo-"); err != nil {
			return frame.Result{}, fmt.Errorf("make a directory: %w", err)
		}
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return frame.Result{}, fmt.Errorf("make a directory: %w", err)
	}
	there, err := os.ReadDir(dir)
	if isFile(dir) {
		return frame.Result{}, &archive.FileError{Path: o.dir, Fault: archive.NotADirectory}
	}
	ours := errors.Is(err, os.ErrNotExist) || err == nil && len(there) == 0
	defer keepOnWriting()()
	fmt.Fprintln(a.Progress(), a.Text("demo.making", messages.Args{"Directory": messages.Own(dir)}))
	args := []string{"demo", "--dir", dir}
	if a.JSON {
		args = append(args, "--json")
	}
	err = a.AfterChild(a.InChild(ctx, supervise.Task{Arguments: args, In: os.Stdin, Out: os.Stdout}))
	if err != nil && ours {
		err = afterRemoval(err, removeUnfinished(dir))
	}
	if err != nil {
		return frame.Result{}, err
	}
	place, err := demo.ExistingPlace(dir)
	if err != nil {
		return frame.Result{}, err
	}
	if o.keep {
		if err := writePassword(passwordFile(place)); err != nil {
			return frame.Result{}, err
		}
		return environmentResult(place), nil
	}
	defer func() { err = errors.Join(err, supervise.RemoveAll(dir)) }()
	return frame.Result{}, showMainJob(ctx, a, place)
}

// keepOnWriting lets the demo go on where nobody reads any more what it writes, as behind head: its token is to be removed.
func keepOnWriting() (stop func()) {
	unread := make(chan os.Signal, 1)
	signal.Notify(unread, syscall.SIGPIPE)
	return func() { signal.Stop(unread) }
}

// isFile reports whether a file stands where a directory is wanted, or above it. Windows answers the same where nothing is there.
func isFile(dir string) bool {
	info, err := os.Stat(dir)
	if above := filepath.Dir(dir); err != nil && above != dir {
		return isFile(above)
	}
	return err == nil && !info.IsDir()
}

// removeUnfinished takes away what a token that was not made to the end has left in a directory that was empty before, and nothing else.
func removeUnfinished(dir string) error {
	var problems []error
	for _, name := range []string{"pin.txt", "softhsm2.conf", "tokens"} {
		problems = append(problems, supervise.RemoveAll(filepath.Join(dir, name)))
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// afterRemoval is what ended the child, once its token was removed: what was on it is nowhere any more.
func afterRemoval(ended, removal error) error {
	var failure *supervise.ModuleFailure
	if removal != nil || !errors.As(ended, &failure) {
		return errors.Join(ended, removal)
	}
	failure.Changes = supervise.Changes{}
	if failure.Cause == supervise.Interrupted {
		failure.Function = "" // whatever it was in
	}
	return ended
}

// makeDemoToken runs in the child.
func makeDemoToken(ctx context.Context, w *frame.Worker, o *demoOptions) error {
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
	observer, err := w.Observer()
	if err != nil {
		return err
	}
	return place.AddToken(ctx, observer, demoLabel, demo.Everything())
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

// passwordFile holds a password for new files, which is not the token's PIN.
func passwordFile(place demo.Place) string { return filepath.Join(place.Directory, "password.txt") }

// writePassword makes a password that nobody has.
func writePassword(path string) error {
	if err := os.WriteFile(path, []byte(rand.Text()+"\n"), 0o600); err != nil {
		return fmt.Errorf("make a password: %w", err)
	}
	return nil
}

// environmentResult gives lines that a shell can evaluate, and nothing else, on standard output.
func environmentResult(place demo.Place) frame.Result {
	variables := append(environment(place), frame.TokenVariable+"="+demoLabel, frame.PINSourceVariable+"=file:"+place.PINFile(), frame.PasswordSourceVariable+"=file:"+passwordFile(place))
	shown := demoView{Schema: "p11bridge.demo/1", Directory: place.Directory, Token: demoLabel, Environment: map[string]string{}}
	for _, assignment := range variables {
		name, value, _ := strings.Cut(assignment, "=")
		shown.Environment[name] = value
	}
	return frame.Result{JSON: shown, Text: func(p *frame.Printer) {
		for _, assignment := range variables {
			name, value, _ := strings.Cut(assignment, "=")
			fmt.Fprintln(p.Out, terminal.ShellSet(name, value))
		}
		fmt.Fprintln(p.Progress(), p.Text("demo.kept", messages.Args{"Directory": messages.Own(place.Directory)}))
	}}
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
	for _, step := range demoSteps(place) {
		err := a.Deliver(frame.Result{Text: func(p *frame.Printer) {
			fmt.Fprintf(p.Out, "\n%s\n%s\n", p.Colours().Bold(p.Text(step.title, nil)), "$ "+view.CommandLine(step.args))
		}})
		if err != nil {
			return err
		}
		code, err := a.RunAgain(ctx, frame.Again{Arguments: append([]string{"--lang", a.Catalog.Language, "--no-pager"}, step.args...), Environment: environment(place), Joined: true})
		if err != nil {
			return err
		}
		if code != step.code {
			return fmt.Errorf("the step ended with exit code %d instead of %d", code, step.code)
		}
	}
	return a.Deliver(frame.Result{Text: printRepeat(place)})
}

// printRepeat writes the commands that do the same on a token that stays.
func printRepeat(place demo.Place) func(*frame.Printer) {
	return func(p *frame.Printer) {
		fmt.Fprintf(p.Out, "\n%s\n", p.Colours().Bold(p.Text("demo.repeat", nil)))
		kept := place
		kept.Directory = terminal.ShellHome + "p11bridge-demo"
		fmt.Fprintln(p.Out, terminal.ShellRead(`p11bridge demo --dir "`+kept.Directory+`" --keep`, "demo"))
		for _, step := range demoSteps(kept) {
			fmt.Fprintln(p.Out, view.CommandLine(withoutFlags(step.args)))
		}
	}
}

// withoutFlags leaves out what the variables of the token that stays say.
func withoutFlags(args []string) []string {
	var rest []string
	for i := 0; i < len(args); i++ {
		if slices.Contains([]string{"--token", "--pin-source", "--password-source"}, args[i]) {
			i++ // its value
			continue
		}
		rest = append(rest, args[i])
	}
	return rest
}

// demoErrors are the words for what keeps the demo from its token.
func demoErrors() []frame.Description {
	return []frame.Description{
		frame.Is(demo.ErrNoSoftHSM, frame.ExitFailed, "error.no-softhsm"),
		frame.Is(demo.ErrDirectoryNotEmpty, frame.ExitFailed, "error.directory-not-empty"),
	}
}
