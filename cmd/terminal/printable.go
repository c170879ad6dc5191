package terminal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable makes a text from a token, a file or a module safe for a terminal: characters that control it, reorder it or
// do not show are written as escapes, and the length is bounded. Every such text passes through here on its way out.
func Printable(text string) string {
	const most = 400
	var out strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > most {
			out.WriteString("…")
			break
		}
		switch {
		case r == utf8.RuneError || unicode.IsPrint(r) && !unicode.Is(unicode.Cf, r):
			out.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&out, `\x%02X`, r)
		default:
			fmt.Fprintf(&out, `\u%04X`, r)
		}
	}
	return out.String()
}

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
