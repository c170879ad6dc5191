package token

import "errors"

// Failure is an error of this package as plain values.
type Failure struct {
	Fault    LoadFault // for a library that could not be loaded, else empty
	Function string    // "C_Initialize"; empty for a library that could not be loaded
	Code     CKR       // what the function answered; CKR_OK where the answer could not be used
	Text     string    // the error in its own words; for a library that could not be loaded the loader's
}

// AnswerOf is what a call of the module answered in its place, as plain values. It is nil where err did not come from a call.
func AnswerOf(err error) *Failure {
	if failure := FailureOf(err); failure != nil && failure.Function != "" {
		return failure
	}
	return nil
}

// FailureOf gives err as plain values. It is nil for nil.
func FailureOf(err error) *Failure {
	var load *LoadError
	var answer *AnswerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &load):
		return &Failure{Fault: load.Fault, Text: load.Text}
	case errors.As(err, &answer):
		return &Failure{Function: answer.Function, Text: answer.Err.Error()}
	}
	failure := &Failure{Function: functionOf(err), Text: err.Error()}
	failure.Code, _ = CodeOf(err)
	return failure
}
