package terminal

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"p11bridge/token/foreign"
)

// Printable makes a text from a token, a file or a module safe for a terminal, as foreign.Text does.
func Printable(text string) string { return foreign.Text(text).String() }

// Columns is the number of terminal columns that a printable text takes.
func Columns(text string) int { return columns(text) }

// columns is the number of terminal columns that a printable text takes (UAX #11, UAX #29): a wide character takes two, a
// mark none, and what is drawn as one character counts as one.
func columns(text string) int { return uniseg.StringWidth(text) }

// fit cuts a printable text to a number of columns, between what is drawn as one character.
func fit(text string, most int) string {
	taken, end, state := 0, 0, -1
	for rest := text; rest != ""; {
		var cluster string
		var width int
		cluster, rest, width, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if taken += width; taken > most {
			break
		}
		end += len(cluster)
	}
	return text[:end]
}

// EscapeInvisible replaces every character beyond ASCII that does not print. Outside of strings JSON has none, so every
// one found may be written as an escape. Where there is none, the text itself is given.
func EscapeInvisible(text []byte) []byte {
	if !slices.ContainsFunc(text, func(b byte) bool { return b >= 0x7F }) {
		return text
	}
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
