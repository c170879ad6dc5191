package terminal

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"p11bridge/token/foreign"
)

// Printable makes a text from a token, a file or a module safe for a terminal, as foreign.Text does.
func Printable(text string) string { return foreign.Text(text).String() }

// columns is the number of terminal columns that a printable text takes: two for wide characters, none for marks.
func columns(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
		case r >= 0x1100 && (r <= 0x115F || r >= 0x2E80 && r <= 0xA4CF || r >= 0xAC00 && r <= 0xD7A3 || r >= 0xF900 && r <= 0xFAFF ||
			r >= 0xFE30 && r <= 0xFE6F || r >= 0xFF00 && r <= 0xFF60 || r >= 0xFFE0 && r <= 0xFFE6 || r >= 0x1F300 && r <= 0x1FAFF || r >= 0x20000 && r <= 0x3FFFD):
			n += 2
		default:
			n++
		}
	}
	return n
}

// EscapeInvisible replaces every character beyond ASCII that does not print. Outside of strings JSON has none, so every
// one found may be written as an escape.
func EscapeInvisible(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == 0x7F, r >= 0x80 && r <= 0xFFFF && (!unicode.IsPrint(r) || unicode.Is(unicode.Cf, r)):
			out = fmt.Appendf(out, `\u%04x`, r)
		case r > 0xFFFF && !unicode.IsPrint(r):
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
		default:
			out = append(out, text[:size]...)
		}
		text = text[size:]
	}
	return out
}
