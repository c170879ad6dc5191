// Package frame is one run of the program: flags, modules, login, sources of PINs and passwords, errors with their words and exit
// codes. Every command uses it, and it knows no command.
package frame

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// App is one run of the program: what it was told, where it writes, and the process it is.
type App struct {
	globals
	Getenv    func(string) string
	Now       func() time.Time
	out       terminal.Output // the result
	Err       terminal.Output // notices and errors
	Catalog   *messages.Catalog
	child     *supervise.Child // nil in the supervising parent
	flags     *pflag.FlagSet   // of every command
	given     supervise.Descriptors
	pins      usedPINs
	unsealing unsealing
	worker    *Worker       // nil where no module is opened
	browser   bool          // the token is a browser's database
	guided    bool          // this is the guided mode, or a command that it runs
	described []Description // the errors of commands
	// documented means that a document of --json is out.
	documented bool
	alone      func(*cobra.Command, []string) error
	root       *cobra.Command
	addOthers  func()         // adds the commands that this run did not name; nil where all are there
	inWords    bool           // the help is in the person's language
	command    *cobra.Command // the one that was named, nil where none was
	arguments  []string       // of the command line
	names      names          // what commands in texts are filled with
	version    bool
}

// Main runs the command line that consists of the commands and gives the exit code.
func Main(commands []Command) int {
	// First of all, and until the process ends: at SIGQUIT, Go's runtime would print registers.
	ctx, _ := supervise.Interruptible(context.Background())
	defer terminal.Loud()                // where this panics
	given := supervise.FindDescriptors() // before anything is opened
	worker, err := supervise.BecomeChild(given)
	a := &App{Getenv: os.Getenv, Now: time.Now, out: terminal.File{File: os.Stdout}, Err: terminal.File{File: os.Stderr}, child: worker, given: given, guided: os.Getenv(guidedVariable) != ""}
	terminal.Prepare(os.Stdout, os.Stderr)
	if worker != nil {
		a.out, a.Err = worker.Out, worker.Err
	}
	code := ExitFailed
	if errors.Is(err, supervise.ErrIsParent) {
		err = supervise.ForbidCoreDumps()
	}
	if err == nil {
		code, err = a.run(ctx, commands, os.Args[1:])
	}
	if err != nil {
		code = a.report(err)
	}
	terminal.Loud()
	if worker != nil {
		worker.Finish(code)
	}
	return code
}

func (a *App) run(ctx context.Context, commands []Command, args []string) (int, error) {
	if a.child != nil {
		go supervise.EndUnheeded(ctx)
	}
	a.JSON = wantsJSON(args)
	asked := langFlag(args)
	if asked == "" {
		asked = a.Getenv(LanguageVariable)
	}
	lang, spoken := messages.Choose(asked, a.Getenv)
	if !spoken {
		lang = messages.Languages()[0]
	}
	var err error
	if a.Catalog, err = messages.Load(lang); err != nil {
		return ExitFailed, err
	}
	if !spoken {
		args := messages.Args{"Asked": foreign.Text(asked), "Spoken": messages.Own(strings.Join(messages.Languages(), ", "))}
		if meant := meantLanguages[strings.ToLower(asked)]; meant != "" {
			return exitUsage, UsageMeant("error.language", args, "--lang "+meant)
		}
		return exitUsage, Usage("error.language", args)
	}
	for i, arg := range args { // as in cmd
		if arg == "/?" || arg == "-?" {
			args = append(slices.Clone(args[:i]), "--help")
			break
		}
	}
	if len(args) > 1 && (args[0] == "--help" || args[0] == "-h") && !strings.HasPrefix(args[1], "-") { // of the command behind it
		args = append(slices.Clone(args[1:]), args[0])
	}
	a.arguments = args
	root := a.Root(commands)
	a.JSON = wantsJSON(args) // the flag's default has taken its place
	if err := a.longDash(args); err != nil {
		return ExitDone, err
	}
	if a.unbroken(args) {
		return ExitDone, Usage("error.unbroken", nil)
	}
	root.SetArgs(args)
	help := &helpOutput{to: a.out}
	root.SetOut(help)
	root.SetErr(a.Err)
	command, err := root.ExecuteContextC(ctx)
	if err == nil && help.err != nil {
		err = fmt.Errorf("%w: %w", terminal.ErrWrite, help.err)
	}
	if command != nil && command.HasParent() && command.Name() != helpName { // whose own help lists no command
		a.command = command
	}
	return ExitDone, err
}

// helpOutput is where cobra writes the help. Cobra looks at no error, so the first one is kept.
type helpOutput struct {
	to  io.Writer
	err error
}

// Write implements io.Writer.
func (h *helpOutput) Write(text []byte) (int, error) {
	n, err := h.to.Write(text)
	if h.err == nil {
		h.err = err
	}
	return n, err
}

// wantsJSON finds --json before the command line is parsed: the document is promised also where the flags before it cannot be
// understood.
func wantsJSON(args []string) bool {
	wanted := false
	for _, arg := range args {
		if arg == "--" {
			break
		}
		if arg == "--json" {
			wanted = true
		}
		if value, is := strings.CutPrefix(arg, "--json="); is {
			wanted, _ = strconv.ParseBool(value) // what is neither is a mistake that is told elsewhere
		}
	}
	return wanted
}

// langFlag finds --lang before the command line is parsed, because the help texts are made before.
func langFlag(args []string) string {
	for i, arg := range args {
		if arg == "--" {
			return ""
		}
		if value, ok := strings.CutPrefix(arg, "--lang="); ok {
			return value
		}
		if arg == "--lang" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// Alone is what the program does without a command where a person sits at the terminal. Elsewhere it prints the help.
func (a *App) Alone(run func(*cobra.Command, []string) error) { a.alone = run }

// browserSuffix ends the ids of the texts that are for a browser's database, and guideSuffix of those that are for the guided mode.
const (
	browserSuffix = ".nss"
	guideSuffix   = ".guide"
)

// Text gives a message in the person's language.
//
// Where a browser's database was logged in to, a text that speaks of PINs has words of its own for its primary password. In the guided mode a
// text that speaks of flags has words of its own for the questions: nobody typed a flag there.
func (a *App) Text(id string, args messages.Args) string {
	if label, is := args["Token"].(foreign.Text); is {
		args = maps.Clone(args)
		args["Token"] = a.TokenName(label)
	}
	for _, suffix := range a.suffixes() {
		if text := a.Catalog.Text(id+suffix, args); text != id+suffix {
			return a.names.fill(text)
		}
	}
	return a.names.fill(a.Catalog.Text(id, args))
}

// suffixes are those of the texts that go before the general one, the first of them before the others.
func (a *App) suffixes() []string {
	switch {
	case a.browser && a.Guided():
		return []string{guideSuffix + browserSuffix, guideSuffix, browserSuffix}
	case a.browser:
		return []string{browserSuffix}
	case a.Guided():
		return []string{guideSuffix}
	}
	return nil
}

// Guided reports whether this is the guided mode, or a command that it runs.
func (a *App) Guided() bool { return a.guided }

// BeGuided makes this the guided mode.
func (a *App) BeGuided() { a.guided = true }

// SpeakOf chooses the words for the token that is worked on: what a card calls its PIN is the primary password of a browser's database.
func (a *App) SpeakOf(browser bool) { a.browser = browser }

// CheckModuleFlags refuses what no command that opens a module can use.
func (a *App) CheckModuleFlags(c *cobra.Command, args []string) error {
	switch {
	case a.Timeout <= 0:
		return Usage("error.timeout", nil)
	case a.Module != "" && a.NSSDB != "":
		return Usage("error.module-and-nss-db", nil)
	case token.IsURI(a.TokenLabel):
		if _, err := token.ParseURI(a.TokenLabel); err != nil {
			return err
		}
	}
	if err := a.checkTrace(c, args); err != nil {
		return err
	}
	return CheckSource("--pin-source", a.PinSource, pinSources)
}

// ReportedError carries the exit code of a child that has told its own story.
type ReportedError struct{ Code int }

// Error is for logs only; nobody prints it.
func (e *ReportedError) Error() string { return "reported by the child process" }

// repeated are the flags of every command that the next command needs as well, where they were given.
var repeated = []string{"module", "nss-db", "token", "pin-source", "lang", "timeout"}

// ForNext are the given flags that a command which follows this one needs too, word by word. A file descriptor is open in this run
// alone.
func (a *App) ForNext() []string {
	var words []string
	a.flags.VisitAll(func(f *pflag.Flag) {
		value := f.Value.String()
		if f.Changed && slices.Contains(repeated, f.Name) && !strings.HasPrefix(value, "fd:") {
			words = append(words, "--"+f.Name, value)
		}
	})
	return words
}

// givenGlobals are the flags of every command that were given, and the language, for a child that does a part of a command's
// work. Its results and errors are read by the parent, so that they are never JSON.
func (a *App) givenGlobals() []string {
	arguments := []string{"--lang=" + a.Catalog.Language}
	for _, flag := range a.GivenFlags() {
		if !strings.HasPrefix(flag, "--lang=") {
			arguments = append(arguments, flag)
		}
	}
	return arguments
}
