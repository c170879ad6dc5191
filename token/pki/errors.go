package pki

import (
	"errors"
	"fmt"
)

// ErrSignature says that a well-formed signature was not made over this message by this key.
var ErrSignature = errors.New("signature does not verify")

// MalformedError says that bytes are not what they should be: broken DER, a point off its curve,
// RSA parts that contradict each other. Err is the detail and may be nil.
type MalformedError struct {
	What string // the structure or field at fault, e.g. "certificate" or "RSA private key"
	Err  error
	// Contradicts means that the form is right, and that the numbers of a private key do not belong together.
	Contradicts bool
}

// Error implements error.
func (e *MalformedError) Error() string {
	if e.Err == nil {
		return "malformed " + e.What
	}
	return fmt.Sprintf("malformed %s: %v", e.What, e.Err)
}

// Unwrap gives the detail to errors.Is and errors.As.
func (e *MalformedError) Unwrap() error { return e.Err }

// UnsupportedError says that bytes are well-formed and of an algorithm, a curve or a variant that this package
// cannot compute with. Algorithm is its name or its dotted OID.
type UnsupportedError struct {
	Algorithm string
}

// Error implements error. The name may come from a token, so it is quoted.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("unsupported algorithm %q", e.Algorithm)
}

// contradicts builds a *MalformedError of numbers that do not belong together.
func contradicts(what string, err error) error {
	return &MalformedError{What: what, Err: err, Contradicts: true}
}

// malformed builds a *MalformedError from a format like fmt.Errorf's.
func malformed(what, format string, args ...any) error {
	return &MalformedError{What: what, Err: fmt.Errorf(format, args...)}
}
