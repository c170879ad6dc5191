package terminal

import "strings"

// ShellSpecial are the characters for which a shell wants a word quoted.
const ShellSpecial = " '\"$\\()*?[]{}<>|&;`!#~"

// ShellQuote is a text as a shell takes it as one word.
func ShellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
