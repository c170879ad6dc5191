package terminal

import "strings"

// PathLines breaks a printable path behind its separators, where it is wider than a line. It is kept whole otherwise. A width of 0 or less
// breaks nothing.
func PathLines(path string, width int) string {
	if width <= 0 || columns(path) <= width {
		return Whole(path)
	}
	var lines []string
	line := ""
	for _, part := range strings.SplitAfter(path, pathSeparator(path)) {
		if line != "" && columns(line+part) > width {
			lines, line = append(lines, line), ""
		}
		line += part
	}
	return Whole(strings.Join(append(lines, line), "\n"))
}

// pathSeparator is the one that the path has: Windows' backslash, too.
func pathSeparator(path string) string {
	if strings.Contains(path, "/") {
		return "/"
	}
	return `\`
}
