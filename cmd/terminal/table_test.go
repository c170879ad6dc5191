package terminal

import (
	"testing"
)

func cells(texts ...string) []Cell {
	var row []Cell
	for _, text := range texts {
		row = append(row, Cell{Text: text})
	}
	return row
}

func TestTableLinesUp(t *testing.T) {
	red := func(text string) string { return "\x1b[31m" + text + "\x1b[0m" }
	for _, row := range []struct {
		name string
		rows [][]Cell
		want string
	}{
		{"nothing", nil, ""},
		{"one column has no blanks behind it", [][]Cell{cells("a"), cells("bbb")}, "> a\n> bbb\n"},
		{"two columns", [][]Cell{cells("NAME", "ID"), cells("a", "01"), cells("longer", "2")}, "> NAME    ID\n> a       01\n> longer  2\n"},
		{"wide characters", [][]Cell{cells("東京", "x"), cells("abcde", "x")}, "> 東京   x\n> abcde  x\n"},
		{"combining characters", [][]Cell{cells("e\u0301e\u0301", "x"), cells("abc", "x")}, "> e\u0301e\u0301   x\n> abc  x\n"},
		{"characters that are joined", [][]Cell{cells("👩‍🚀", "x"), cells("abc", "x")}, "> 👩‍🚀   x\n> abc  x\n"},
		{"rows of different length", [][]Cell{cells("a"), cells("b", "c", "d")}, "> a\n> b  c  d\n"},
		{"paint takes no room", [][]Cell{{{"a", red}, {Text: "x"}}, cells("bcd", "x")}, "> \x1b[31ma\x1b[0m    x\n> bcd  x\n"},
	} {
		if got := Table("> ", row.rows); got != row.want {
			t.Errorf("%s:\n%q, not\n%q", row.name, got, row.want)
		}
	}
}

func TestTableWithin(t *testing.T) {
	rows := [][]Cell{cells("NAME", "ID", "STATE"), cells("a long name", "01", "up to date"), cells("b", "", "never backed up")}
	for _, row := range []struct {
		width int
		want  string
	}{
		{0, Table("", rows)},
		{32, Table("", rows)},
		{31, "NAME\n    ID  STATE\na long name\n    01  up to date\nb\n    never backed up\n"},
		{16, "NAME\n    ID  STATE\na long name\n    01\n    up to date\nb\n    never backed up\n"},
	} {
		if got := TableWithin("", rows, row.width); got != row.want {
			t.Errorf("width %d:\n%s, not\n%s", row.width, got, row.want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, row := range []struct {
		text string
		most int
		want string
	}{{"", 5, ""}, {"abcde", 5, "abcde"}, {"abcdef", 5, "abcd…"}, {"東京都庁です", 4, "東…"}, {"東京都庁です", 7, "東京都…"}, {"ae\u0301iou", 4, "ae\u0301i…"}, {"👩‍🚀👩‍🚀👩‍🚀", 5, "👩‍🚀👩‍🚀…"}} {
		if got := Shorten(row.text, row.most); got != row.want {
			t.Errorf("%q: %q", row.text, got)
		}
	}
}
