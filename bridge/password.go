package bridge

import (
	"errors"
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
