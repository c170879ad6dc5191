package secret

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Fault is what a text has that nobody types as a PIN or a password.
type Fault string

// The faults of a text, and what they come from.
const (
	ByteOrderMark    Fault = "byte-order-mark"   // EF BB BF: an editor on Windows
	UTF16            Fault = "utf-16"            // FF FE, FE FF, or every other byte is zero: a redirection in PowerShell
	NUL              Fault = "nul"               // a zero byte
	SeveralLines     Fault = "several-lines"     // a line end within: what is meant, the first line or all?
	ControlCharacter Fault = "control-character" // any other character that controls or does not show
)

// FaultError is the error of Check.
type FaultError struct{ Fault Fault }

// Error names the fault.
func (e *FaultError) Error() string { return "the secret has a fault: " + string(e.Fault) }

// Check reports whether a text can be what a person typed, so that no attempt at a login is spent on it and no file gets a
// password that nobody can type. The text comes without the line end that may end a file. The error is a *FaultError.
func Check(text []byte) error {
	switch {
	case bytes.HasPrefix(text, []byte{0xEF, 0xBB, 0xBF}):
		return &FaultError{ByteOrderMark}
	case bytes.HasPrefix(text, []byte{0xFF, 0xFE}), bytes.HasPrefix(text, []byte{0xFE, 0xFF}), alternatesWithZero(text):
		return &FaultError{UTF16}
	case bytes.IndexByte(text, 0) >= 0:
		return &FaultError{NUL}
	case bytes.ContainsAny(text, "\r\n"):
		return &FaultError{SeveralLines}
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if size > 1 && invisible(r) || size == 1 && (r < ' ' || r == 0x7F) {
			return &FaultError{ControlCharacter}
		}
		text = text[size:]
	}
	return nil
}

// alternatesWithZero reports whether every other byte is zero, as in ASCII that was written as UTF-16.
func alternatesWithZero(text []byte) bool {
	if len(text) < 2 {
		return false
	}
	for _, first := range []int{0, 1} {
		zeros := true
		for i := first; i < len(text); i += 2 {
			zeros = zeros && text[i] == 0
		}
		if zeros {
			return true
		}
	}
	return false
}

// invisible reports whether a character shows nothing. The two joiners stand between letters in Persian and in Indic scripts.
func invisible(r rune) bool {
	const nonJoiner, joiner = 0x200C, 0x200D
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || unicode.Is(unicode.Cf, r) && r != nonJoiner && r != joiner
}
