package frame

import (
	"errors"

	"p11bridge/cmd/messages"
	"p11bridge/token"
)

// describeAnswer has the words for an answer that cannot be used. What exactly was answered is for support.
func describeAnswer(a *App, e *token.AnswerError) Failure {
	var limit *token.SearchLimitError
	if errors.As(e, &limit) {
		return Failure{ID: "error.search-limit", Args: messages.Args{"Limit": messages.Number(limit.Limit)}, Stated: stated(e), Code: ExitFailed}
	}
	return Failure{ID: "error.answer", Args: a.answerArgs(e), Stated: stated(e), Code: ExitFailed}
}

func (a *App) answerArgs(e *token.AnswerError) messages.Args {
	return messages.Args{"Function": messages.Own(e.Function), "Fault": messages.Own(a.Text("answer.fault."+string(e.Fault), nil)), "Problem": messages.Own(OneLine(e.Err))}
}
