package frame

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
)

// Failure is what a person is told when a command ends without its result: what happened, what to do next, and the exit
// code.
type Failure struct {
	ID      string // of the text; the remedy is ID.remedy, where the catalog has one
	Args    messages.Args
	Instead string           // the remedy, where the catalog's own is of no use
	More    string           // stands below the remedy
	Reasons []verdict.Reason // each is explained below the text
	Led     bool             // the text has the sentence of the first reason
	Stated  []verdict.Reason // what the text tells already: for the document
	Answer  *token.Failure   // what a call of the module answered; nil where none failed
	Code    int              // the exit code

	Candidates []string // names that were offered in place of one that names nothing, or too much
}

// Text is what happened, in the person's language.
func (f Failure) Text(a *App) string { return a.Text(f.ID, f.Args) }

// Remedy is what to do next, empty where there is nothing to say.
func (f Failure) Remedy(a *App) string {
	remedy := f.Instead
	if remedy == "" {
		remedy = a.optional(f.ID+".remedy", f.Args)
	}
	return strings.TrimSpace(remedy + "\n" + f.More)
}

// Description has the words for one kind of error. It answers false for every other.
type Description func(a *App, err error) (Failure, bool)

// As describes the errors of a type.
func As[E error](describe func(a *App, err E) Failure) Description {
	return func(a *App, err error) (Failure, bool) {
		var found E
		if !errors.As(err, &found) {
			return Failure{}, false
		}
		return describe(a, found), true
	}
}

// Is describes one error value by a text that may name {{.Problem}}, the error in its own words.
func Is(known error, code int, id string) Description {
	return func(a *App, err error) (Failure, bool) {
		if !errors.Is(err, known) {
			return Failure{}, false
		}
		return Failure{ID: id, Args: messages.Args{"Problem": messages.Own(a.causeWords(err))}, Code: code}, true
	}
}

// Errors adds a command's own errors to those that the frame knows. They are asked first.
func (a *App) Errors(descriptions ...Description) {
	a.described = append(a.described, descriptions...)
}

// Describe maps an error to its words and exit code, by the first description that knows it. What is left on a token is told
// with every failure, and so is the call that failed.
func (a *App) Describe(err error) Failure {
	f := a.describe(err)
	f.Answer = token.AnswerOf(err)
	return f
}

func (a *App) describe(err error) Failure {
	var looked *lookedAgainError
	if errors.As(err, &looked) {
		return describeLookedAgain(a, looked)
	}
	var remains *token.RemainsError
	if errors.As(err, &remains) {
		return describeRemains(a, remains)
	}
	if a.addOthers != nil { // an error that one command describes may be met in another
		a.addOthers()
	}
	for _, known := range slices.Concat(a.described, frameErrors()) {
		if f, is := known(a, err); is {
			return f
		}
	}
	if words := a.causeWords(err); words != OneLine(err) { // the system's answer has words, whoever it was given to
		var at *fs.PathError
		if errors.As(err, &at) {
			words = terminal.Printable(at.Path) + ": " + words
		}
		return Failure{ID: "error.failed", Args: messages.Args{"Problem": messages.Own(words)}, Code: ExitFailed}
	}
	return Failure{ID: "error.other", Args: messages.Args{"Problem": messages.Own(OneLine(err))}, Code: ExitFailed}
}
