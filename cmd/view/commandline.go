package view

import "strings"

func ShellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// CommandLine writes a command as it can be typed.
func CommandLine(args []string) string {
	words := []string{"p11bridge"}
	for _, arg := range args {
		switch {
		case strings.HasPrefix(arg, "$HOME/"):
			arg = `"` + arg + `"`
		case strings.ContainsAny(arg, " '\"$\\()*?[]{}<>|&;`!#~") || strings.HasPrefix(arg, "file:"):
			arg = ShellQuote(arg)
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}
