package view

import (
	"strings"

	"p11bridge/cmd/terminal"
)

// ShellQuote is a text as a shell takes it as one word.
func ShellQuote(text string) string { return terminal.ShellQuote(text) }

// ShellWord writes an argument as it can be typed.
func ShellWord(arg string) string { return terminal.ShellWord(arg) }

// CommandLine writes a command as it can be typed.
func CommandLine(args []string) string {
	words := []string{"p11bridge"}
	for _, arg := range args {
		words = append(words, ShellWord(arg))
	}
	return strings.Join(words, " ")
}
