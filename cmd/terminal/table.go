package terminal

import "strings"

// Cell is a text in a table and how it is painted.
type Cell struct {
	Text  string
	Paint func(string) string
}

func (c Cell) painted() string {
	if c.Paint == nil {
		return c.Text
	}
	return c.Paint(c.Text)
}

// Table lays out rows in columns that are as wide as their widest cell, two blanks apart. The texts are printable.
func Table(indent string, rows [][]Cell) string {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(c.Text))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		for len(row) > 1 && row[len(row)-1].Text == "" { // no blanks at a line's end
			row = row[:len(row)-1]
		}
		out.WriteString(indent)
		for i, c := range row {
			out.WriteString(c.painted())
			if i < len(row)-1 {
				out.WriteString(strings.Repeat(" ", widths[i]-columns(c.Text)+2))
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// TableWithin is Table where its lines fit a width. Elsewhere each row begins with its first cell, uncut, and the others stand below
// it, two blanks apart, in as many lines as they need. A width of 0 fits everything.
func TableWithin(indent string, rows [][]Cell, width int) string {
	table := Table(indent, rows)
	widest := 0
	for line := range strings.Lines(table) {
		widest = max(widest, shown(strings.TrimSuffix(line, "\n")))
	}
	if width <= 0 || widest <= width {
		return table
	}
	var out strings.Builder
	under := indent + "    "
	for _, row := range rows {
		out.WriteString(Hanging(indent, len(under), row[0].painted(), width) + "\n")
		line := ""
		for _, c := range row[1:] {
			switch {
			case c.Text == "":
				continue
			case line == "":
				line = c.painted()
				continue
			case len(under)+shown(line)+2+columns(c.Text) <= width:
				line += "  " + c.painted()
				continue
			}
			out.WriteString(Hanging(under, len(under), line, width) + "\n")
			line = c.painted()
		}
		if line != "" {
			out.WriteString(Hanging(under, len(under), line, width) + "\n")
		}
	}
	return out.String()
}

// Hanging sets a text behind a start of some columns, and what does not fit on a line of a width below it. A width of 0 breaks nothing.
func Hanging(start string, columns int, text string, width int) string {
	if width <= 0 {
		return start + text
	}
	const least = 20
	return start + strings.ReplaceAll(Wrap(text, max(width-columns, least)), "\n", "\n"+strings.Repeat(" ", columns))
}

// Shorten cuts a printable text to a number of columns, and ends what it cut with an ellipsis.
func Shorten(text string, most int) string {
	if columns(text) <= most {
		return text
	}
	return fit(text, most-1) + "…"
}
