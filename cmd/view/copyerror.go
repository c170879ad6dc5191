package view

import (
	"errors"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
)

// NotACopyError carries why a file is no valid copy.
type NotACopyError struct {
	file    string
	reasons []verdict.Reason
}

// Error gives the first reason's code.
func (e *NotACopyError) Error() string {
	if len(e.reasons) == 0 {
		return "not a valid copy"
	}
	return "not a valid copy: " + string(e.reasons[0].Code)
}

// NotACopy is the error of a file that is no valid copy, with the reasons.
func NotACopy(file string, reasons []verdict.Reason) error { return &NotACopyError{file, reasons} }

// CopyErrors are the words for a file that is no valid copy.
func CopyErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(_ *frame.App, e *NotACopyError) frame.Failure {
			return frame.Failure{ID: "verify.invalid", Args: messages.Args{"File": terminal.Printable(e.file)}, Reasons: e.reasons, Code: frame.ExitNotACopy}
		}),
	}
}

// InvalidCopy names the file of a copy that is none.
func InvalidCopy(file string, err error) error {
	var invalid *bridge.InvalidCopyError
	if errors.As(err, &invalid) {
		return NotACopy(file, invalid.Reasons)
	}
	return err
}

// FirstCode is the code that decided, empty where there is none.
func FirstCode(judged verdict.Verdict) string {
	if len(judged.Reasons) == 0 {
		return ""
	}
	return string(judged.Reasons[0].Code)
}
