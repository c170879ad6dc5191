package token

import "fmt"

// AnswerFault says what is wrong with an answer that cannot be used. Every one has words in cmd.
type AnswerFault string

// The faults of answers.
const (
	AnswerUnusable    AnswerFault = "unusable"     // a length, a count or a handle that cannot be
	AnswerHandle      AnswerFault = "handle"       // the handle of another object, or one that came twice
	AnswerEndless     AnswerFault = "endless"      // a search without an end
	AnswerData        AnswerFault = "data"         // what it tells of an object makes no sense
	AnswerSignature   AnswerFault = "signature"    // no signature of this key
	AnswerWrapped     AnswerFault = "wrapped"      // no wrapped key
	AnswerOtherObject AnswerFault = "other-object" // it made something else than it was asked for
	AnswerNotDone     AnswerFault = "not-done"     // CKR_OK, and nothing came of it
	AnswerDone        AnswerFault = "done"         // it refused, and did it all the same
	AnswerUnknown     AnswerFault = "unknown"      // it refused, and what it did could not be found out
	AnswerLimit       AnswerFault = "limit"        // no search gives all objects: the error is a *SearchLimitError
)

// SearchLimitError means that no search gives more than so many objects, and that there are more.
type SearchLimitError struct{ Limit int }

// Error gives the number.
func (e *SearchLimitError) Error() string {
	return fmt.Sprintf("no search gives more than %d objects, and there are more", e.Limit)
}
