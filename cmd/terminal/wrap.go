package terminal

import (
	"regexp"
	"strings"
	"sync"
)

// MostColumns is the widest that a text is set: longer lines are hard to read.
const MostColumns = 100

// joint stands for a blank at which a line must not end. It never stands in a printable text.
const joint = "\x1f"

// Whole marks a text that is not to be broken: a command that can be pasted.
func Whole(text string) string { return strings.ReplaceAll(text, " ", joint) }

var (
	marker  = pattern(`^ *(\d+\. |p11bridge: |- |→ )?`)
	quoted  = pattern("`[^`\n]*`")
	escapes = pattern("\x1b\\[[0-9;]*m")
)

// pattern is a regular expression that is compiled where it is used: most runs wrap nothing.
func pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// Wrap breaks lines at words to a width. What follows of a line hangs below its beginning, behind the number of a step. A command
// between backquotes is kept whole where a line can hold it. A width of 0 breaks nothing.
func Wrap(text string, width int) string {
	if width <= 0 {
		return strings.ReplaceAll(text, joint, " ")
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if shown(line) > width {
			lines[i] = wrapLine(line, width)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), joint, " ")
}

// shown is the number of columns that a line takes, without what paints it.
func shown(line string) int {
	return columns(strings.ReplaceAll(escapes().ReplaceAllString(line, ""), joint, " "))
}

func wrapLine(line string, width int) string {
	first := marker().FindString(line)
	hang := strings.Repeat(" ", len([]rune(first)))
	if strings.HasSuffix(first, "p11bridge: ") {
		hang = "  "
	}
	rest := quoted().ReplaceAllStringFunc(line[len(first):], func(command string) string {
		if shown(command) > width-len(hang) {
			return command
		}
		return Whole(command)
	})
	var out strings.Builder
	out.WriteString(first)
	taken := len([]rune(first))
	for i, word := range strings.Split(rest, " ") {
		wide := shown(word)
		switch {
		case i == 0:
		case taken+1+wide > width:
			out.WriteString("\n" + hang)
			taken = len(hang)
		default:
			out.WriteByte(' ')
			taken++
		}
		out.WriteString(word)
		taken += wide
	}
	return out.String()
}

// Lines is the number of lines that a text takes at a width.
func Lines(text string, width int) int {
	return strings.Count(Wrap(strings.TrimSuffix(text, "\n"), width), "\n") + 1
}
