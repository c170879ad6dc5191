package terminal

import "strings"

// ShellWord writes an argument as it can be typed.
func ShellWord(arg string) string {
	switch {
	case strings.HasPrefix(arg, "$HOME/"):
		return `"` + arg + `"`
	case strings.ContainsAny(arg, ShellSpecial) || strings.HasPrefix(arg, "file:"):
		return ShellQuote(arg)
	}
	return arg
}
