package terminal

import "strings"

// ShellSpecial are the characters for which a shell wants a word quoted.
const ShellSpecial = " '\"$\\()*?[]{}<>|&;`!#~"

// ShellQuote is a text as a shell takes it as one word.
func ShellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// ShellSet is the line that sets a variable for the commands that follow.
func ShellSet(name, value string) string { return "export " + name + "=" + ShellQuote(value) }

// ShellRead is the line that has a shell do what a command writes.
func ShellRead(command, name string) string {
	return command + " > " + name + ".env && . ./" + name + ".env"
}

// ShellHome is the person's own folder, as a shell names it within quotation marks.
const ShellHome = "$HOME/"
