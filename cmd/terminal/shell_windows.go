package terminal

// ShellSpecial are the characters for which cmd or PowerShell want a word quoted.
const ShellSpecial = " '\"$()*?[]{}<>|&;`!#~%^,="

// ShellQuote is a text as cmd and PowerShell take it as one word. No name of a file has a quotation mark in it.
func ShellQuote(text string) string { return `"` + text + `"` }

// ShellSet is the line that sets a variable for the commands that follow, in cmd.
func ShellSet(name, value string) string { return `@set "` + name + "=" + value + `"` }

// ShellRead is the line that has cmd do what a command writes.
func ShellRead(command, name string) string {
	return command + " > " + name + ".cmd && call " + name + ".cmd"
}

// ShellHome is the person's own folder, as cmd names it.
const ShellHome = `%USERPROFILE%\`
