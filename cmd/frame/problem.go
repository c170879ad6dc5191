package frame

import (
	"errors"
	"io"
	"strings"
	"syscall"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// systemAnswers are the operating system's answers that people meet, and the ends of the ids of their words.
var systemAnswers = map[syscall.Errno]string{
	syscall.ENOENT: "missing", syscall.EISDIR: "directory", syscall.ENOTDIR: "not-a-directory", syscall.EACCES: "permission", syscall.EPERM: "not-permitted",
	syscall.ENOSPC: "no-space", syscall.EDQUOT: "quota", syscall.EROFS: "read-only", syscall.EIO: "input-output", syscall.ENAMETOOLONG: "name-too-long",
	syscall.ELOOP: "links", syscall.EEXIST: "exists", syscall.EFBIG: "too-large", syscall.EPIPE: "pipe", syscall.ENOMEM: "memory", syscall.EBUSY: "busy", syscall.EMFILE: "open-files", syscall.ENFILE: "open-files",
	syscall.EAGAIN: "processes",
}

// Problem says in the person's language what an error is, to stand within a sentence: the system's answer, what a call of the module
// answered, what is wrong with something that was typed. What is left is something that should not happen; its own English words
// are for support.
func (a *App) Problem(err error) string {
	if err == nil {
		return ""
	}
	if errors.As(err, new(*archive.SavedError)) { // that the file stands says more than why it may not
		return strings.TrimSuffix(a.describe(err).Text(a), ".")
	}
	if words := a.causeWords(err); words != OneLine(err) {
		return words
	}
	if f := a.describe(err); f.ID != "error.other" && f.ID != "error.failed" {
		return strings.TrimSuffix(f.Text(a), ".")
	}
	rest := strings.TrimSuffix(OneLine(withoutPath(err)), ".") // Windows' own answers are sentences
	return a.Text("problem.own-words", messages.Args{"Problem": messages.Own(rest)})
}

// causeWords are the words for the causes that need no description of their own; the error's own, where there are none.
func (a *App) causeWords(err error) string {
	var uri *token.URIError
	var name *pki.NameError
	var record archive.RecordFault
	var answer *token.Error
	var unusable *token.AnswerError
	var cause bridge.Cause
	var system syscall.Errno
	switch {
	case errors.As(err, &uri):
		return a.Text("uri.fault."+string(uri.Fault), messages.Args{"Attribute": foreign.Text(uri.Attribute)})
	case errors.As(err, &name):
		return a.Text("name.fault."+string(name.Fault), messages.Args{"Part": foreign.Text(name.Part)})
	case errors.As(err, &record):
		return a.Text("record.fault."+string(record), nil)
	case errors.As(err, &cause):
		return a.Text("cause."+string(cause), nil)
	case errors.As(err, &unusable):
		return a.Text("problem.answer", a.answerArgs(unusable))
	case errors.As(err, &answer):
		return a.Text("problem.call", messages.Args{"Function": messages.Own(answer.Function), "Code": messages.Own(answer.Code.String())})
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return a.Text("problem.cut-off", nil)
	case errors.As(err, &system) && ownAnswers[system] != "":
		return a.Text("system."+ownAnswers[system], nil)
	case errors.As(err, &system) && systemAnswers[system] != "":
		return a.Text("system."+systemAnswers[system], nil)
	}
	return OneLine(err)
}

// cannotShow says why a key cannot show whose it is.
func (a *App) cannotShow(e *token.CannotShowError) string {
	switch {
	case len(e.Answers) > 0:
		return foreign.Text(e.Answers[len(e.Answers)-1]).Printable()
	case e.PIN:
		return a.Text("problem.wants-pin", nil)
	}
	return a.Text("problem.no-use", nil)
}
