package softhsmtests

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// screen is what stands on a terminal after it was written to. It knows the sequences that the guided mode uses, is 80 columns wide, and never scrolls.
type screen struct {
	lines       [][]cell
	row, column int
	style       style
	inserts     bool // what is written moves the rest of its line to the right (IRM, ECMA-48 §7.2.10)
}

type cell struct {
	r     rune
	style style
}

type style struct {
	bold   bool
	colour int // 31 red, 32 green, 33 yellow, 0 none
}

var sequence = regexp.MustCompile("^\x1b(?:\\[([0-9;?>=]*)([A-Za-z])|[=>])")

// screenOf is the screen after a text was written to it.
func screenOf(text string) *screen {
	s := &screen{}
	for text != "" {
		if match := sequence.FindStringSubmatch(text); match != nil {
			s.control(match[1], match[2])
			text = text[len(match[0]):]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		switch r {
		case '\r':
			s.column = 0
		case '\n':
			s.row++
		case '\t':
			s.column += tabStop - s.column%tabStop
		case '\b':
			s.column = max(0, s.column-1)
		default:
			s.put(r)
		}
	}
	return s
}

const (
	screenColumns = 80
	tabStop       = 8
)

func (s *screen) put(r rune) {
	if s.column == screenColumns {
		s.row, s.column = s.row+1, 0
	}
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, nil)
	}
	line := s.lines[s.row]
	for len(line) <= s.column {
		line = append(line, cell{r: ' '})
	}
	if s.inserts {
		line = slices.Insert(line, s.column, cell{})
	}
	line[s.column] = cell{r, s.style}
	s.lines[s.row] = line
	s.column++
}

func (s *screen) control(arguments, letter string) {
	n, err := strconv.Atoi(arguments)
	if err != nil {
		n = 0
	}
	switch letter {
	case "A":
		s.row = max(0, s.row-max(n, 1))
	case "B":
		s.row += max(n, 1)
	case "C":
		s.column += max(n, 1)
	case "D":
		s.column = max(0, s.column-max(n, 1))
	case "K":
		s.cut()
	case "J":
		s.cut()
		s.lines = s.lines[:min(len(s.lines), s.row+1)]
	case "h", "l":
		s.inserts = letter == "h" && arguments == "4" || s.inserts && arguments != "4"
	case "m":
		for code := range strings.SplitSeq(arguments, ";") {
			switch code {
			case "", "0":
				s.style = style{}
			case "1":
				s.style.bold = true
			case "31", "32", "33":
				s.style.colour, _ = strconv.Atoi(code) //nolint:errcheck // these are numbers
			}
		}
	}
}

// cut takes away what is right of the cursor.
func (s *screen) cut() {
	if s.row < len(s.lines) && s.column < len(s.lines[s.row]) {
		s.lines[s.row] = s.lines[s.row][:s.column]
	}
}

// wordsOn is a line without its looks.
func wordsOn(line []cell) string {
	var out strings.Builder
	for _, c := range line {
		out.WriteRune(c.r)
	}
	return out.String()
}

// svg is the screen as a picture.
func (s *screen) svg(title string) string {
	const width, height, margin = 8.43, 19, 16
	var out strings.Builder
	for i, line := range s.lines {
		if len(line) == 0 {
			continue
		}
		fmt.Fprintf(&out, "<text x=\"%d\" y=\"%d\">%s</text>\n", margin, margin+(i+1)*height-5, spans(line))
	}
	columns := float64(screenColumns)
	w, h := int(columns*width)+2*margin, len(s.lines)*height+2*margin
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">
<title>%s</title>
<style>text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre; fill: #d1d7e0; } .b { font-weight: 700; fill: #fff; } .c31 { fill: #ff9492; } .c32 { fill: #6bc46d; } .c33 { fill: #daaa3f; }</style>
<rect width="100%%" height="100%%" rx="8" fill="#1c2128"/>
%s</svg>
`, w, h, w, h, html.EscapeString(title), out.String())
}

// spans are the parts of a line that look alike.
func spans(line []cell) string {
	var out strings.Builder
	for i := 0; i < len(line); {
		end := i
		var text strings.Builder
		for ; end < len(line) && line[end].style == line[i].style; end++ {
			text.WriteRune(line[end].r)
		}
		var classes []string
		if line[i].style.bold {
			classes = append(classes, "b")
		}
		if line[i].style.colour != 0 {
			classes = append(classes, fmt.Sprintf("c%d", line[i].style.colour))
		}
		escaped := html.EscapeString(text.String())
		if len(classes) > 0 {
			escaped = fmt.Sprintf(`<tspan class="%s">%s</tspan>`, strings.Join(classes, " "), escaped)
		}
		out.WriteString(escaped)
		i = end
	}
	return out.String()
}
