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

// TestPathLines keeps a path in one piece, and breaks one that no line can hold behind its separators.
func TestPathLines(t *testing.T) {
	for _, row := range []struct {
		path  string
		width int
		want  string
	}{
		{"/home/anna/My Documents/a.pfx", 0, "/home/anna/My Documents/a.pfx"},
		{"/home/anna/My Documents/a.pfx", 29, "/home/anna/My Documents/a.pfx"},
		{"/home/anna/My Documents/a.pfx", 28, "/home/anna/My Documents/\na.pfx"},
		{"/home/anna/My Documents/a.pfx", 12, "/home/anna/\nMy Documents/\na.pfx"},
		{`C:\Users\anna\a.pfx`, 12, "C:\\Users\\\nanna\\a.pfx"},
		{"/東京/東京/a", 9, "/東京/\n東京/a"},
		{"/a-name-that-is-wider-than-the-line/a", 9, "/\na-name-that-is-wider-than-the-line/\na"},
	} {
		if got := Wrap(PathLines(row.path, row.width), 20); strings.ReplaceAll(got, joint, " ") != row.want {
			t.Errorf("%s at %d: %q", row.path, row.width, got)
		}
	}
}
