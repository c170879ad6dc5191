package view

import (
	"errors"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/token/foreign"
)

// NotACopyError carries why a file is no valid copy, or why it could not be judged.
type NotACopyError struct {
	file     string
	unjudged bool
	reasons  []verdict.Reason
}

// Error gives the first reason's code.
func (e *NotACopyError) Error() string {
	text := "not a valid copy"
	if e.unjudged {
		text = "could not be judged"
	}
	if len(e.reasons) == 0 {
		return text
	}
	return text + ": " + string(e.reasons[0].Code)
}

// NotACopy is the error of a file that is no valid copy, or could not be judged, with the reasons.
func NotACopy(file string, v *bridge.VerifyResult) *NotACopyError {
	return &NotACopyError{file, v.Unjudged, v.Reasons}
}

// Code is the exit code: what could not be judged may be a valid copy.
func (e *NotACopyError) Code() int {
	if e.unjudged {
		return frame.ExitPartly
	}
	return frame.ExitNotACopy
}

// Has reports whether the code is among the reasons.
func (e *NotACopyError) Has(code verdict.Code) bool {
	return verdict.Verdict{Reasons: e.reasons}.Has(code)
}

// Failure has the words for it.
func (e *NotACopyError) Failure() frame.Failure {
	id := "verify.invalid"
	switch {
	case e.unjudged:
		id = "verify.unjudged"
	case len(e.reasons) > 0 && e.reasons[0].Code == verdict.PasswordIncorrect: // with another password it may be one
		id = "verify.not-opened"
	}
	return frame.Failure{ID: id, Args: messages.Args{"File": foreign.Text(e.file)}, Reasons: e.reasons, Code: e.Code()}
}

// CopyErrors are the words for a file that is no valid copy.
func CopyErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(_ *frame.App, e *NotACopyError) frame.Failure { return e.Failure() }),
	}
}

// InvalidCopy names the file of a copy that is none.
func InvalidCopy(file string, err error) error {
	var invalid *bridge.InvalidCopyError
	var unjudged *bridge.UnjudgedError
	switch {
	case errors.As(err, &invalid):
		return &NotACopyError{file, false, invalid.Reasons}
	case errors.As(err, &unjudged):
		return &NotACopyError{file, true, unjudged.Reasons}
	}
	return err
}
