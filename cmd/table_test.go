package cmd

import (
	"strings"
	"testing"
)

func cells(texts ...string) []cell {
	var row []cell
	for _, text := range texts {
		row = append(row, cell{text: text})
	}
	return row
}

func TestTableLinesUp(t *testing.T) {
	red := func(text string) string { return "\x1b[31m" + text + "\x1b[0m" }
	for _, row := range []struct {
		name string
		rows [][]cell
		want string
	}{
		{"nothing", nil, ""},
		{"one column has no blanks behind it", [][]cell{cells("a"), cells("bbb")}, "> a\n> bbb\n"},
		{"two columns", [][]cell{cells("NAME", "ID"), cells("a", "01"), cells("longer", "2")}, "> NAME    ID\n> a       01\n> longer  2\n"},
		{"wide characters", [][]cell{cells("東京", "x"), cells("abcde", "x")}, "> 東京   x\n> abcde  x\n"},
		{"combining characters", [][]cell{cells("e\u0301e\u0301", "x"), cells("abc", "x")}, "> e\u0301e\u0301   x\n> abc  x\n"},
		{"rows of different length", [][]cell{cells("a"), cells("b", "c", "d")}, "> a\n> b  c  d\n"},
		{"paint takes no room", [][]cell{{{"a", red}, {text: "x"}}, cells("bcd", "x")}, "> \x1b[31ma\x1b[0m    x\n> bcd  x\n"},
	} {
		if got := table("> ", row.rows); got != row.want {
			t.Errorf("%s:\n%q, not\n%q", row.name, got, row.want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, row := range []struct {
		text string
		most int
		want string
	}{{"", 5, ""}, {"abcde", 5, "abcde"}, {"abcdef", 5, "abcd…"}, {"東京都庁です", 4, "東京都…"}} {
		if got := shorten(row.text, row.most); got != row.want {
			t.Errorf("%q: %q", row.text, got)
		}
	}
}

// TestSteps cuts a remedy into steps, and loses nothing.
func TestSteps(t *testing.T) {
	for _, row := range []struct {
		remedy string
		want   []string
	}{
		{"", nil}, {"Do this.", []string{"Do this."}}, {"Do this. Then that.", []string{"Do this.", "Then that."}},
		{"One.\nTwo. Three.", []string{"One.", "Two.", "Three."}}, {"Run `a.b c`.", []string{"Run `a.b c`."}},
	} {
		got := steps(row.remedy)
		if strings.Join(got, "|") != strings.Join(row.want, "|") {
			t.Errorf("%q becomes %q", row.remedy, got)
		}
	}
}
