package terminal

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// pause stands for nothing being typed for a while.
const pause = 0xff

// typing gives the bytes one after the other, and no answer where a pause is.
func typing(t *testing.T, text string) *keystrokes {
	rest := []byte(text)
	next := func(patience time.Duration) (byte, error) {
		for len(rest) > 0 && rest[0] == pause {
			rest = rest[1:]
			if patience != forever {
				return 0, errNothing
			}
		}
		if len(rest) == 0 {
			t.Fatalf("%q is read beyond its end", text)
		}
		b := rest[0]
		rest = rest[1:]
		return b, nil
	}
	return &keystrokes{next: next, single: func() error { return nil }}
}

func TestReadHidden(t *testing.T) {
	keys := editing{erase: '\x7f', word: '\x17', line: '\x15', redraw: '\x12', end: '\x04', literal: '\x16'}
	for _, test := range []struct {
		typed, want string
		err         error
	}{
		{typed: "1234\n", want: "1234"},
		{typed: "1234\r", want: "1234"},
		{typed: "\n"},
		{typed: "Grüße\x7f\x7fn\n", want: "Grün"},
		{typed: "\x7f1\x082\n", want: "2"},
		{typed: "\xe9\x7f1\n", want: "1"},
		{typed: "wrong\x15right\n", want: "right"},
		{typed: "one two  \x17three\n", want: "one three"},
		{typed: "one\x17two\n", want: "two"},
		{typed: "ab\x12c\n", want: "abc"},
		{typed: "a\x16\x7fb\n", want: "a\x7fb"},
		{typed: "a\tb\n", want: "a\tb"},
		{typed: "\x04", err: io.EOF},
		{typed: "\x00", err: io.EOF},
		{typed: "12\x0434\x00\n", want: "1234"},
		{typed: strings.Repeat("x", maxTyped) + "more\n", want: strings.Repeat("x", maxTyped)},
		// Esc alone, whatever was typed before.
		{typed: "\x1b\xff", err: errEscape},
		{typed: "half\x1b\xff", err: errEscape},
		{typed: "\x1b\x1b\xff", err: errEscape},
		{typed: "\x1b\n", err: errEscape},
		// Keys that give a sequence.
		{typed: "\x1b[A1\x1b[B2\x1bOP3\n", want: "123"},
		{typed: "1\x1b[1;5C2\x1b[3~3\x1b[[A4\x1bO1;2P5\n", want: "12345"},
		{typed: "1\x1bx2\x1b\x1b[D3\x1bé4\n", want: "1234"},
		{typed: "\x1b[200~12 34\x1b[201~\n", want: "12 34"},
		{typed: "1\x1b]11;rgb:0/0/0\x072\x1b]11;rgb:0/0/0\x1b\\3\x1bP1$r0m\x1b\\4\n", want: "1234"},
		// One that breaks off, or that the end of the line ends.
		{typed: "1\x1b[\xff2\n", want: "12"},
		{typed: "1\x1b[\n", want: "1"},
		{typed: "1\x1b[5\n", want: "1"},
		{typed: "1\x1bO\n", want: "1"},
	} {
		line, err := readHidden(typing(t, test.typed), keys)
		if !errors.Is(err, test.err) || string(line) != test.want {
			t.Errorf("%q: %q, %v", test.typed, line, err)
		}
	}
}

// TestReadHiddenWipes looks behind the line: what was taken back is not left there, nor is a line that was given up.
func TestReadHiddenWipes(t *testing.T) {
	line, err := readHidden(typing(t, "secret\x15word wo\x17x\x7f\n"), editing{word: '\x17', line: '\x15'})
	if rest := line[len(line):cap(line)]; err != nil || string(line) != "word " || len(bytes.Trim(rest, "\x00")) > 0 {
		t.Errorf("%q, and behind it %q, %v", line, bytes.Trim(rest, "\x00"), err)
	}
}
