package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/demo"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/host"
)

// failure is what a person is told when a command ends without its result: what happened, what to do next, and the exit
// code.
type failure struct {
	text    string
	remedy  string
	reasons []verdict.Reason
	stated  []verdict.Reason // what the text tells already: for the document
	code    int
}

// errorView is what --json shows of a failure.
type errorView struct {
	Schema   string           `json:"schema"`
	ExitCode int              `json:"exit_code"`
	Error    string           `json:"error"`
	Reasons  []verdict.Reason `json:"reasons"`
}

// report tells an error once, on standard error, and gives the exit code. With --json the result is the error's document.
func (a *app) report(err error) int {
	var reported *reportedError
	if errors.As(err, &reported) {
		return reported.code
	}
	if a.catalog == nil { // not even the texts could be loaded
		fmt.Fprintln(a.err, "p11bridge:", err)
		return exitFailed
	}
	f := a.describe(err)
	fmt.Fprintln(a.err, "p11bridge: "+f.text+codes(f.stated))
	for _, reason := range f.reasons {
		fmt.Fprint(a.err, a.reasonParagraph(reason))
	}
	if f.remedy != "" {
		fmt.Fprintln(a.err, indentLines(f.remedy, "  "))
	}
	if a.json {
		view := errorView{"p11bridge.error/1", f.code, oneLine(err), noNil(append(f.reasons, f.stated...))}
		if err := a.writeJSON(view); err != nil {
			fmt.Fprintln(a.err, "p11bridge:", err)
		}
	}
	return f.code
}

// describe maps every type of error to its words and exit code. It is the only place that does.
func (a *app) describe(err error) failure {
	say := func(code int, id string, args messages.Args) failure {
		return failure{text: a.text(id, args), remedy: a.optional(id+".remedy", args), code: code}
	}
	var (
		usageErr  *usageError
		cutShort  *bridge.InterruptedError
		module    *moduleFailure
		load      *token.LoadError
		blocked   *blockedError
		refused   *bridge.RefusedError
		notCopy   *notACopyError
		file      *archive.FileError
		noToken   *noTokenError
		several   *severalTokensError
		notFound  *objectNotFoundError
		ambiguous *ambiguousError
		source    *sourceError
		noPass    *passwordMissingError
		input     *inputError
		snapshot  *snapshotError
		uri       *token.URIError
		ckr       *token.Error
		answer    *token.AnswerError
	)
	switch {
	case errors.As(err, &usageErr):
		f := say(exitUsage, usageErr.id, usageErr.args)
		f.remedy = strings.TrimSpace(f.remedy + "\n" + a.text("error.see-help", nil))
		return f
	case errors.As(err, &module):
		return a.describeModule(module)
	case errors.As(err, &cutShort):
		return say(exitFailed, "error.interrupted-all", messages.Args{"Done": cutShort.Done, "Total": cutShort.Total})
	case errors.Is(err, context.Canceled):
		return say(exitFailed, "error.interrupted", nil)
	case errors.As(err, &load):
		f := say(exitFailed, "error.load."+string(load.Fault), messages.Args{"Path": printable(load.Path), "Text": printable(load.Text)})
		f.stated = []verdict.Reason{verdict.JudgeFailure(load.Path, *token.FailureOf(load))}
		return f
	case errors.As(err, &blocked):
		f := say(exitPIN, "error.login", nil)
		f.reasons = blocked.Reasons
		if blocked.Err != nil && len(blocked.Reasons) == 0 {
			f = say(exitFailed, "error.other", messages.Args{"Problem": printable(blocked.Error())})
		}
		return f
	case errors.As(err, &refused):
		f := say(exitRefused, "error.refused", nil)
		f.reasons = refused.Verdict.Reasons
		return f
	case errors.As(err, &notCopy):
		return failure{text: a.text("verify.invalid", messages.Args{"File": printable(notCopy.file)}), reasons: notCopy.reasons, code: exitNotACopy}
	case errors.As(err, &file):
		return say(exitFailed, "error.file."+string(file.Fault), messages.Args{"Path": printable(file.Path), "Problem": systemWords(file.Err)})
	case errors.As(err, &noToken):
		return a.describeNoToken(noToken)
	case errors.As(err, &several):
		return say(exitUsage, "error.several-tokens", messages.Args{"Tokens": printableList(several.Present)})
	case errors.As(err, &notFound):
		id := "error.object-not-found"
		if notFound.Hidden {
			id = "error.object-hidden"
		}
		f := say(exitFailed, id, messages.Args{"Name": printable(notFound.Name)})
		if len(notFound.Known) > 0 && len(notFound.Known) <= 20 {
			f.remedy += "\n" + a.text("error.known-objects", nil) + "\n" + printableList(notFound.Known)
		}
		return f
	case errors.As(err, &ambiguous):
		return say(exitUsage, "error.ambiguous", messages.Args{"Name": printable(ambiguous.Name), "Candidates": printableList(ambiguous.Candidates)})
	case errors.As(err, &source):
		code := exitFailed
		if source.Flag == "--pin-source" {
			code = exitPIN
		}
		return say(code, "error.source-unreadable", messages.Args{"Flag": source.Flag, "Source": source.Source, "Problem": printable(source.Err.Error())})
	case errors.As(err, &noPass):
		f := say(exitFailed, "error.password", nil)
		f.reasons = []verdict.Reason{{Code: verdict.PasswordMissing}}
		return f
	case errors.As(err, &snapshot) && snapshot.newer != "":
		return say(exitFailed, "error.snapshot-newer", messages.Args{"Path": printable(snapshot.path), "Schema": printable(snapshot.newer)})
	case errors.As(err, &snapshot):
		return say(exitFailed, "error.snapshot", messages.Args{"Path": printable(snapshot.path), "Problem": oneLine(snapshot.err)})
	case errors.As(err, &input):
		return say(exitFailed, "error.input", messages.Args{"Path": printable(input.path), "Problem": systemWords(input.err)})
	case errors.Is(err, token.ErrPINValue):
		return say(exitUsage, "error.pin-value", nil)
	case errors.Is(err, token.ErrFingerprint):
		return say(exitUsage, "error.fingerprint", nil)
	case errors.As(err, &uri):
		return say(exitUsage, "error.uri", messages.Args{"Problem": printable(uri.Problem)})
	}
	if f, is := a.describeRequest(err); is {
		return f
	}
	if f, is := a.describeRestore(err); is {
		return f
	}
	for known, id := range map[error]string{
		errNoTerminal: "error.no-terminal", errTerminalGone: "error.terminal-gone", errPasswordsDiffer: "error.passwords-differ",
		bridge.ErrNoCertificate: "error.no-certificate", archive.ErrNotProven: "error.not-proven",
		host.ErrNoNSSDatabase: "error.no-nss-database", host.ErrNoSoftokn: "error.no-softokn", noModuleError{}: "error.no-module",
		bridge.ErrPasswordEmpty: "error.password-empty", bridge.ErrPasswordEncoding: "error.password-encoding",
		demo.ErrNoSoftHSM: "error.no-softhsm", demo.ErrDirectoryNotEmpty: "error.directory-not-empty",
	} {
		if errors.Is(err, known) {
			f := say(exitFailed, id, messages.Args{"Problem": oneLine(err)})
			if errors.Is(err, noModuleError{}) {
				f.stated = []verdict.Reason{verdict.NoModuleReason(host.Configurations())}
			}
			return f
		}
	}
	if errors.As(err, &ckr) {
		f := say(exitFailed, "error.ckr", messages.Args{"Function": ckr.Function, "Code": ckr.Code.String()})
		f.stated = []verdict.Reason{verdict.JudgeFailure("", *token.FailureOf(ckr))}
		return f
	}
	f := say(exitFailed, "error.other", messages.Args{"Problem": oneLine(err)})
	if errors.As(err, &answer) {
		f.stated = []verdict.Reason{verdict.JudgeFailure("", *token.FailureOf(answer))}
	}
	return f
}

func (a *app) describeModule(m *moduleFailure) failure {
	id := "error.module-crashed"
	switch {
	case m.Hung:
		id = "error.module-hung"
	case m.Signal == "":
		id = "error.module-exited"
	}
	function := m.Function
	if function == "" { // between two calls: no module's doing
		id, function = "error.child-ended", "–"
	}
	args := messages.Args{"Module": printable(m.Module), "Function": function, "Signal": m.Signal, "After": m.After.String()}
	stated := []verdict.Reason{verdict.JudgeIncident(m.Module, *m.incident())}
	return failure{text: a.text(id, args), remedy: a.optional(id+".remedy", args), stated: stated, code: exitFailed}
}

// codes are the codes of reasons in brackets.
func codes(reasons []verdict.Reason) string {
	var out strings.Builder
	for _, reason := range reasons {
		out.WriteString(" [" + string(reason.Code) + "]")
	}
	return out.String()
}

func (a *app) describeNoToken(e *noTokenError) failure {
	id := "error.no-token"
	args := messages.Args{"Wanted": printable(e.Wanted), "Tokens": printableList(e.Present)}
	if e.Wanted != "" {
		id = "error.no-such-token"
	}
	f := failure{text: a.text(id, args), remedy: a.optional(id+".remedy", args), reasons: e.reasons(), code: exitFailed}
	if e.Wanted != "" && len(e.Present) > 0 {
		f.remedy = a.text("error.present-tokens", nil) + "\n" + printableList(e.Present)
	}
	for _, problem := range e.ModuleProblems {
		f.remedy += "\n" + printable(problem)
	}
	f.remedy = strings.TrimSpace(f.remedy)
	return f
}

// oneLine is an error in its own English words; joined errors stand behind one another.
func oneLine(err error) string { return printable(strings.ReplaceAll(err.Error(), "\n", "; ")) }

// optional gives a text that need not exist.
func (a *app) optional(id string, args messages.Args) string {
	if text := a.text(id, args); text != id {
		return text
	}
	return ""
}

// systemWords are the operating system's own words for an error, without the path.
func systemWords(err error) string {
	if err == nil {
		return ""
	}
	return printable(withoutPath(err).Error())
}

func indentLines(text, indent string) string {
	return indent + strings.ReplaceAll(text, "\n", "\n"+indent)
}
