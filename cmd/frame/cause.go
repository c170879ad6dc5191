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

// CommandFor is the command that removes the cause, or looks closer at it; empty where there is none that is sure to be right.
func CommandFor(cause verdict.Reason) string {
	path := quoted(factOf(cause, "path"))
	switch cause.Code {
	case verdict.SoftHSMConfiguration:
		return softHSMCommand(host.SoftHSMFault(factOf(cause, "problem")), path, factOf(cause, "SOFTHSM2_CONF") != "")
	case verdict.SoftHSMEmpty:
		return "softhsm2-util --init-token --free --label NAME"
	case verdict.PCSCDNotRunning:
		return "sudo systemctl enable --now pcscd.socket"
	case verdict.NoModuleFound:
		return "sudo apt install opensc"
	case verdict.NoReader:
		return "lsusb"
	case verdict.ModuleNotReadable:
		return "namei -l " + quoted(factOf(cause, "module"))
	case verdict.ModuleDependencyMissing:
		return "ldd " + quoted(factOf(cause, "module"))
	}
	return ""
}

// softHSMCommand mends SoftHSM's set-up. Debian keeps the system's for the members of a group.
func softHSMCommand(fault host.SoftHSMFault, path string, ofVariable bool) string {
	system := strings.HasPrefix(path, "/etc/softhsm") || strings.HasPrefix(path, "/var/lib/softhsm")
	switch fault {
	case host.SoftHSMFileMissing:
		if ofVariable {
			return "unset SOFTHSM2_CONF"
		}
		return "sudo apt install softhsm2"
	case host.SoftHSMDirectoryMissing:
		return "mkdir -p -m 700 " + path + " && softhsm2-util --init-token --free --label NAME"
	case host.SoftHSMFileUnreadable, host.SoftHSMDirectoryUnreadable, host.SoftHSMTokenUnreadable:
		if system {
			return `sudo adduser "$USER" softhsm`
		}
		return "chmod -R u+rX " + path
	}
	return ""
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
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-"
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
