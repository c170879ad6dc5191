package frame

import (
	"errors"
	"io/fs"
	"strings"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/token/secret"
)

func describeSource(a *App, e *sourceError) Failure {
	f := Failure{ID: "error.source-unreadable", Args: messages.Args{"Flag": messages.Own(e.Flag), "Source": messages.Own(e.Source), "Problem": messages.Own(a.sourceProblem(e.Err))}, Code: ExitFailed}
	if e.Flag == "--pin-source" {
		f.Code = exitPIN
	}
	if strings.HasPrefix(e.Source, "file:~") && errors.Is(e.Err, fs.ErrNotExist) {
		f.More = a.Text("remedy.source.tilde", nil)
	}
	var fault *secret.FaultError
	if errors.As(e.Err, &fault) {
		f.ID = "error.source-fault"
	}
	return f
}

// sourceProblems are the causes for which a source gives no secret, and their words.
var sourceProblems = []struct {
	err error
	id  string
}{
	{errEmptySecret, "source.empty"},
	{errNotSet, "source.not-set"},
	{errTooLong, "source.too-long"},
	{errNoCredentials, "source.no-credentials"},
	{errNotACredential, "source.not-a-credential"},
	{errNobodyWrites, "source.nobody-writes"},
	{supervise.ErrNotGiven, "source.not-given"},
	{supervise.ErrDescriptorChanged, "source.changed"},
}

// sourceProblem has the words for a source that gives no secret; the system's own, where it is the system's error.
func (a *App) sourceProblem(err error) string {
	var fault *secret.FaultError
	if errors.As(err, &fault) {
		return a.Text("source.fault."+string(fault.Fault), nil)
	}
	for _, known := range sourceProblems {
		if errors.Is(err, known.err) {
			return a.Text(known.id, messages.Args{"Most": messages.Number(maxSecret)})
		}
	}
	return a.Problem(err)
}
