package bridge

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"p11bridge/token/secret"
)

// The reasons for which a password cannot protect a PFX file.
var (
	// ErrPasswordEmpty refuses the empty password, unless it is wanted.
	ErrPasswordEmpty = errors.New("the password is empty")
	// ErrPasswordEncoding refuses a password that is not text, or that has characters outside the basic multilingual plane:
	// the file's MAC has no encoding for them (RFC 7292 appendix B.1).
	ErrPasswordEncoding = errors.New("the password has characters that a PFX file cannot take")
)

// CheckPassword reports whether a password can protect a PFX file, before anything is done.
func CheckPassword(password *secret.Text, allowEmpty bool) error {
	if password.Len() == 0 && !allowEmpty {
		return ErrPasswordEmpty
	}
	if !password.ValidUTF8() {
		return ErrPasswordEncoding
	}
	for text := password.Bytes(); len(text) > 0; {
		r, size := utf8.DecodeRune(text)
		if r > 0xFFFF {
			return ErrPasswordEncoding
		}
		text = text[size:]
	}
	return nil
}

// passwordAlphabet has 32 characters that are hard to take for one another, and none that a shell treats specially.
const passwordAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"

// passwordGroup is how many characters stand between two hyphens.
const passwordGroup = 5

// NewPassword makes a password that can be typed: so many groups of five characters, each character of 5 bits.
func NewPassword(random io.Reader, groups int) (*secret.Text, error) {
	octets := make([]byte, groups*passwordGroup)
	defer secret.Wipe(octets)
	if _, err := io.ReadFull(randomOr(random), octets); err != nil {
		return nil, fmt.Errorf("generate a password: %w", err)
	}
	text := make([]byte, 0, len(octets)+groups)
	for i, b := range octets {
		if i > 0 && i%passwordGroup == 0 {
			text = append(text, '-')
		}
		text = append(text, passwordAlphabet[int(b)%len(passwordAlphabet)])
	}
	return secret.New(text), nil
}
