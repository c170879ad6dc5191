package terminal

import (
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	for _, row := range []struct {
		text  string
		width int
		want  string
	}{
		{"one two three", 0, "one two three"},
		{"one two three", 7, "one two\nthree"},
		{"  1. one two three", 11, "  1. one\n     two\n     three"},
		{"  12. one two", 10, "  12. one\n      two"},
		{"p11bridge: one two", 14, "p11bridge: one\n  two"},
		{"see `a b c` now", 9, "see\n`a b c`\nnow"},
		{"see `a b c d e f g` now", 9, "see `a b\nc d e f\ng` now"},
		{"  " + Whole("p11bridge list --wide now"), 9, "  p11bridge list --wide now"},
		{"\x1b[31mone two\x1b[0m", 7, "\x1b[31mone two\x1b[0m"},
		{"漢字 漢字 漢字", 9, "漢字 漢字\n漢字"},
		{"a https://a.very.long.word b", 6, "a\nhttps://a.very.long.word\nb"},
		{"one\n\n  two", 3, "one\n\n  two"},
	} {
		got := Wrap(row.text, row.width)
		if got != row.want {
			t.Errorf("%q at %d: %q, not %q", row.text, row.width, got, row.want)
		}
		if strings.Count(got, "\n")+1 != Lines(row.text+"\n", row.width) {
			t.Errorf("%q has %d lines", row.text, Lines(row.text+"\n", row.width))
		}
	}
}
