package terminal

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for _, row := range []struct{ name, in, out string }{
		{"empty", "", ""}, {"plain", "Jürgen 東京 é", "Jürgen 東京 é"}, {"escape", "a\x1b[2Jb", `a\x1B[2Jb`}, {"bell, line end, tabulator", "\a\n\r\t", `\x07\x0A\x0D\x09`},
		{"delete", "\x7f", `\x7F`}, {"C1", "\u009b31m", `\x9B31m`}, {"turned round", "a\u202eb", `a\u202Eb`}, {"isolated", "\u2066\u2069", `\u2066\u2069`},
		{"without width", "a\u200bb\ufeff", `a\u200Bb\uFEFF`}, {"soft hyphen", "a\u00adb", `a\xADb`}, {"line and paragraph", "\u2028\u2029", `\u2028\u2029`},
		{"other blanks", "a\u00a0b\u3000", `a\xA0b\u3000`}, {"private use", "\ue000", `\uE000`}, {"beyond the plane", "😀\U000e0001", `😀\uE0001`},
		{"raw bytes", "a\x9b\xffb", "a\ufffd\ufffdb"}, {"backslash", `\x1B`, `\x1B`}, {"combining", "e\u0301", "e\u0301"},
	} {
		if got := Printable(row.in); got != row.out {
			t.Errorf("%s: %q, not %q", row.name, got, row.out)
		}
	}
	if got := Printable(strings.Repeat("é", 1000)); utf8.RuneCountInString(got) != 401 || !strings.HasSuffix(got, "…") {
		t.Errorf("%d characters", utf8.RuneCountInString(got))
	}
}

// FuzzPrintable: whatever comes in, nothing comes out that a terminal would act on, and what is harmless stays.
func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"alice", "\x1b]0;x\a", "\u202e\u2066\u200b", "\xff\x9b", "東京", "😀"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out := Printable(text)
		for _, r := range out {
			if !unicode.IsPrint(r) && r != utf8.RuneError || unicode.Is(unicode.Cf, r) {
				t.Fatalf("%U comes out of %q", r, text)
			}
		}
		if !utf8.ValidString(out) || len(out) > 10*401 {
			t.Fatalf("%d bytes come out of %q", len(out), text)
		}
		if again := Printable(out); utf8.RuneCountInString(out) <= 400 && again != out {
			t.Fatalf("%q becomes %q", out, again)
		}
		columns(out)
	})
}

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "é": 1, "e\u0301": 1, "東京": 4, "한국": 4, "😀": 2, "ｆｕｌｌ": 8, "–…": 2, "Ω": 1, "𠮷": 2} {
		if got := columns(text); got != want {
			t.Errorf("%q takes %d columns, not %d", text, got, want)
		}
	}
}

// FuzzEscapeInvisible: JSON stays the same document, and shows nothing that a terminal would act on.
func FuzzEscapeInvisible(f *testing.F) {
	for _, seed := range []string{"alice", "\x1b\u009b\u202e", "\U000e0001\U0010ffff", "\u2028<>&", "\x7f\u00ad"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		document, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var want, got string
		if err := json.Unmarshal(document, &want); err != nil {
			t.Fatal(err)
		}
		escaped := EscapeInvisible(document)
		if err := json.Unmarshal(escaped, &got); err != nil || got != want {
			t.Fatalf("%s: %q instead of %q, %v", escaped, got, want, err)
		}
		for _, r := range string(escaped) {
			if !unicode.IsPrint(r) || unicode.Is(unicode.Cf, r) {
				t.Fatalf("%U is in %q", r, escaped)
			}
		}
	})
}
