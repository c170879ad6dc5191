package cmd

import "strings"

// cell is a text in a table and how it is painted.
type cell struct {
	text  string
	paint func(string) string
}

// table lays out rows in columns that are as wide as their widest cell, two blanks apart. The texts are printable.
func table(indent string, rows [][]cell) string {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(c.text))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		for len(row) > 1 && row[len(row)-1].text == "" { // no blanks at a line's end
			row = row[:len(row)-1]
		}
		out.WriteString(indent)
		for i, c := range row {
			text := c.text
			if c.paint != nil {
				text = c.paint(text)
			}
			out.WriteString(text)
			if i < len(row)-1 {
				out.WriteString(strings.Repeat(" ", widths[i]-columns(c.text)+2))
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}
