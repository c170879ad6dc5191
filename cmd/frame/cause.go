package frame

import (
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/host"
)

// startError means that the one module that was named cannot be started, or does not list its slots.
type startError struct {
	run verdict.ModuleRun
	err *token.Error
}

// Error is the failed call's.
func (e *startError) Error() string { return e.err.Error() }

// Unwrap gives the failed call.
func (e *startError) Unwrap() error { return e.err }

// runOf is what a worker saw of a module: of the same kind as what doctor's child sees, and asked less.
func runOf(library token.Library, slots []token.Slot, err error) verdict.ModuleRun {
	return verdict.ModuleRun{Library: library, Inspection: host.Seen(library.Path, slots, err)}
}

// causesOf says why no token can be used, by what the modules answered and by what costs nothing to look at: the socket of
// pcscd, and SoftHSM's configuration.
func causesOf(runs []verdict.ModuleRun) []verdict.Reason {
	daemon, softHSM := host.PCSCDaemon{}, host.SoftHSMConfiguration{}
	for _, run := range runs {
		if run.Inspection.PCSC && daemon.Socket == "" {
			daemon = host.FindPCSCDaemon()
		}
		if run.Inspection.SoftHSM && softHSM.File == "" {
			softHSM = host.FindSoftHSMConfiguration()
		}
	}
	var reasons []verdict.Reason
	for _, run := range runs {
		reasons = append(reasons, verdict.JudgeModule(run, daemon, softHSM).All()...)
	}
	return verdict.Causes(reasons)
}

func describeStart(a *App, e *startError) Failure {
	f := Failure{ID: "error.module-start", Args: messages.Args{"Module": foreign.Text(e.run.Library.Path), "Function": messages.Own(e.err.Function), "Code": messages.Own(e.err.Code.String())}, Code: ExitFailed}
	f.Reasons = causesOf([]verdict.ModuleRun{e.run})
	f.More = a.toTry(f.Reasons)
	return f
}

// toTry are the commands for the causes, the likeliest first, and the one that looks at everything.
func (a *App) toTry(causes []verdict.Reason) string {
	var lines []string
	for _, cause := range causes {
		if command := CommandFor(cause); command != "" && !slices.Contains(lines, "  "+command) {
			lines = append(lines, "  "+command)
		}
	}
	if len(lines) > 0 {
		lines = slices.Insert(lines, 0, a.Text("label.commands", nil))
	}
	return strings.Join(append(lines, a.Text("label.doctor", nil)), "\n")
}

// factOf is a fact's text, empty where there is none.
func factOf(reason verdict.Reason, name string) string {
	for _, fact := range reason.Evidence {
		if text, is := fact.Value.(string); is && fact.Name == name {
			return text
		}
	}
	return ""
}

// quoted is a text as a shell takes it as one word, and as a terminal shows it.
func quoted(text string) string {
	text = terminal.Printable(text)
	if text != "" && strings.Trim(text, plainInShell) == "" {
		return text
	}
	return terminal.ShellQuote(text)
}

// plainInShell are the characters that no shell treats specially.
const plainInShell = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-"
