// Package foreign has the type of text that comes from a token, a module or a file. It may hold anything: characters that
// control a terminal, that turn the direction of writing, or that do not show.
package foreign

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is text of foreign origin, as it was found. To print it is safe: String, which fmt uses, escapes. To compare it or to
// hand it back to where it came from, convert it to a string; JSON has it whole.
type Text string

// Printable is String. It is what a message of the command line asks of a value.
func (t Text) Printable() string { return t.String() }

// String makes the text safe for a terminal: characters that control it, reorder it or do not show are written as escapes, and
// the length is bounded to 400 characters.
func (t Text) String() string {
	text := string(t)
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
