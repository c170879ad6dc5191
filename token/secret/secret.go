// Package secret holds PINs and passwords while they are needed and keeps them out of everything that prints.
package secret

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

const redacted = "[redacted]"

// Text is a PIN or a password in UTF-8. Every way of printing or serialising it gives "[redacted]".
// The zero Text is "none given", which is not the same as an empty secret.
type Text struct {
	bytes []byte
	given bool
}

// None is no secret at all.
var None *Text

// New takes ownership of b; the caller must not use it afterwards. It is locked in memory, as Lock does.
func New(b []byte) *Text {
	Lock(b)
	return &Text{bytes: b, given: true}
}

// Bytes returns the secret itself, not a copy: it becomes zeros at Wipe.
func (t *Text) Bytes() []byte {
	if t == nil {
		return nil
	}
	return t.bytes
}

// Reveal returns the secret as a string, for interfaces that take nothing else. That copy cannot be wiped.
func (t *Text) Reveal() string { return string(t.Bytes()) }

// Given reports whether there is a secret at all, be it an empty one.
func (t *Text) Given() bool { return t != nil && t.given }

// Len is the secret's length in bytes.
func (t *Text) Len() int { return len(t.Bytes()) }

// Equal reports whether two secrets are the same, in a time that does not depend on where they differ.
func (t *Text) Equal(other *Text) bool {
	return t.Given() == other.Given() && subtle.ConstantTimeCompare(t.Bytes(), other.Bytes()) == 1
}

// ValidUTF8 reports whether the secret is text.
func (t *Text) ValidUTF8() bool { return utf8.Valid(t.Bytes()) }

// Wipe overwrites the secret with zeros.
func (t *Text) Wipe() {
	if t == nil {
		return
	}
	Wipe(t.bytes)
	t.bytes, t.given = nil, false
}

// String implements fmt.Stringer and never shows the secret.
func (*Text) String() string { return redacted }

// Format implements fmt.Formatter, so that no verb shows the secret.
func (*Text) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// MarshalJSON implements json.Marshaler and never shows the secret.
func (*Text) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Wipe overwrites b with zeros.
func Wipe(b []byte) { clear(b) }
