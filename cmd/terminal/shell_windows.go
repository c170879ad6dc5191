package terminal

// ShellSpecial are the characters for which cmd or PowerShell want a word quoted.
const ShellSpecial = " '\"$()*?[]{}<>|&;`!#~%^,="

// ShellQuote is a text as cmd and PowerShell take it as one word. No name of a file has a quotation mark in it.
func ShellQuote(text string) string { return `"` + text + `"` }
