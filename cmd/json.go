package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// writeJSON writes the one document that --json promises. Characters that a terminal would act on are written as \u
// escapes: labels come from tokens, and the document may be read on a screen.
func (a *app) writeJSON(document any) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	if _, err := a.out.Write(escapeInvisible(out.Bytes())); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// escapeInvisible replaces every character beyond ASCII that does not print. Outside of strings JSON has none, so every
// one found may be written as an escape.
func escapeInvisible(text []byte) []byte {
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
