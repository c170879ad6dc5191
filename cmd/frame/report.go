package frame

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
)

// errorView is what --json shows of a failure.
type errorView struct {
	Schema     string           `json:"schema"`
	Code       string           `json:"code"`
	ExitCode   int              `json:"exit_code"`
	Error      string           `json:"error"`
	Reasons    []verdict.Reason `json:"reasons"`
	Candidates []string         `json:"candidates"` // names that were offered
}

// report shows an error once, on standard error, and gives the exit code. With --json the result is the error's document, where
// none was out before.
func (a *App) report(err error) int {
	var reported *ReportedError
	if errors.As(err, &reported) {
		return reported.Code
	}
	if a.Catalog == nil { // not even the texts could be loaded
		fmt.Fprintln(a.Err, "p11bridge:", err)
		return ExitFailed
	}
	f := a.Describe(err)
	told := supervise.Mark{Told: true, Code: f.Code}
	document := a.JSON && !a.documented
	mark := told
	if document {
		mark = supervise.Mark{}
	}
	// What standard error does not take, nobody can be told; the exit code says it.
	_ = a.writeMarked(a.Err, []byte(a.failureText(f)), mark)
	if document {
		view := errorView{"p11bridge.error/1", codeOf(f.ID), f.Code, OneLine(err), NoNil(append(f.Reasons, f.Stated...)), NoNil(f.Candidates)}
		if err := a.writeJSON(view, told); err != nil && !errors.Is(err, terminal.ErrWrite) {
			fmt.Fprintln(a.Err, "p11bridge:", err)
		} else if err != nil && f.ID != errorWrite { // else it was said
			fmt.Fprintln(a.Err, "p11bridge: "+a.Describe(err).Text(a))
		}
	}
	return f.Code
}

// errorWrite is the id of the error that nothing could be written.
const errorWrite = "error.write"

// failureText is a failure for people.
func (a *App) failureText(f Failure) string {
	var text strings.Builder
	paint := terminal.ColoursFor(a.Color, a.Err, a.Getenv).Bad
	for i, line := range strings.Split(f.Text(a)+a.marks(f.Stated), "\n") {
		if i == 0 {
			line = "p11bridge: " + line
		}
		fmt.Fprintln(&text, paint(line))
	}
	remedy := ""
	if words := f.Remedy(a); words != "" {
		remedy = IndentLines(words, "  ") + "\n"
	}
	around := terminal.Lines(text.String()+remedy, a.textWidth())
	fmt.Fprint(&text, a.reasonsWithin(min(mostReasonLines, mostLines-around), f.Reasons, f.Led)+remedy)
	return terminal.Wrap(text.String()+a.unnamed(f, text.String()), widthOf(a.Err))
}

// unnamed is the call that failed, where the text does not name it. What a login says of the PIN is a reason of its own.
func (a *App) unnamed(f Failure, text string) string {
	if f.Answer == nil || strings.Contains(text, f.Answer.Function) || f.Code == exitPIN {
		return ""
	}
	evidence := slices.DeleteFunc(verdict.JudgeFailure("", *f.Answer).Evidence, func(f verdict.Fact) bool { return f.Value == nil })
	return "  " + a.Text("label.evidence", nil) + " " + EvidenceText(evidence) + "\n"
}

// marks are the codes of reasons in brackets, with --verbose.
func (a *App) marks(reasons []verdict.Reason) string {
	var out strings.Builder
	for _, reason := range reasons {
		out.WriteString(a.Mark(reason))
	}
	return out.String()
}

// OneLine is an error in its own English words; joined errors stand behind one another.
func OneLine(err error) string {
	return terminal.Printable(strings.ReplaceAll(err.Error(), "\n", "; "))
}

// optional gives a text that need not exist.
func (a *App) optional(id string, args messages.Args) string {
	if text := a.Text(id, args); text != id {
		return text
	}
	return ""
}

func IndentLines(text, indent string) string {
	return indent + strings.ReplaceAll(text, "\n", "\n"+indent)
}

// IncidentOf is the failure as verdicts know it.
func IncidentOf(e *supervise.ModuleFailure) *verdict.Incident {
	return &verdict.Incident{Function: e.Function, Signal: e.Signal, Hung: e.Cause == supervise.Hung || e.Cause == supervise.TooSlow, After: e.After}
}
