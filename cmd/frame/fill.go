package frame

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
)

// names are what a command in a text can be filled with, so that it works as it is printed. What is not known stays a word in capitals,
// which a person fills.
type names struct {
	object    string   // OBJECT
	leaving   string   // OBJECT behind export: a key that is to leave, and not one that may be unable to
	file      string   // FILE, the one that was named
	backup    string   // FILE behind -o, the one to be written
	directory string   // DIR
	given     []string // flags of every command, with their values
}

// namesIn are those of a command line.
func (a *App) namesIn(c *cobra.Command, args []string) names {
	n := names{given: a.ForNext()}
	value := func(flag string) string {
		if f := c.Flags().Lookup(flag); f != nil && f.Changed {
			return f.Value.String()
		}
		return ""
	}
	if len(args) == 1 && strings.Contains(c.Use, "OBJECT") {
		n.object = args[0]
	} else if len(args) == 1 && strings.Contains(c.Use, " FILE") {
		n.file = args[0]
	}
	n.directory = value("dir")
	switch c.Name() {
	case "export":
		n.leaving, n.backup = n.object, value("out")
		n.file = n.backup
	case "verify":
		n.object = value("against")
	case "install":
		n.object = value("key")
	case "delete":
		n.file = value("copy")
	case "request", "diagnose": // what they print is about another key than the one that was named, or about several
		n.object = ""
	}
	return n
}

// KeyLeaves notes that the key which the command line names is to leave its token: what comes next can be an export of it.
func (a *App) KeyLeaves() { a.names.leaving = a.names.object }

// ObjectIs notes the name of the object that is spoken of from now on, where the command line names none.
func (a *App) ObjectIs(name string) { a.names.object = name }

// AboutNext is the app as it speaks of the object that the next command is for: what its texts print carries the same names.
func (a *App) AboutNext(next []string) *App {
	about := &App{globals: a.globals, Getenv: a.Getenv, Now: a.Now, out: a.out, Err: a.Err, Catalog: a.Catalog, browser: a.browser}
	about.names = names{given: a.ForNext()}
	if len(next) > 2 {
		about.names.object = next[2]
	}
	if at := slices.Index(next, "-o"); at > 0 && next[1] == "export" {
		about.names.leaving, about.names.backup = next[2], next[at+1]
	}
	return about
}

// fill puts the names into the commands of a text.
func (n names) fill(text string) string {
	for _, quote := range []string{"`", "'"} {
		from := 0
		for {
			at := strings.Index(text[from:], quote+"p11bridge ")
			if at < 0 {
				break
			}
			at += from
			length := strings.Index(text[at+1:], quote)
			if length < 0 {
				break
			}
			command := n.command(text[at+1 : at+1+length])
			if command != "" {
				command = "`" + command + "`"
				text = text[:at] + command + text[at+length+2:]
			} else {
				command = text[at : at+length+2]
			}
			from = at + len(command)
		}
	}
	return text
}

// command is a command with its names; empty where it has none of them.
func (n names) command(pattern string) string {
	words := strings.Split(pattern, " ")
	filled := false
	for i, word := range words {
		value := map[string]string{"OBJECT": n.object, "FILE": n.file, "DIR": n.directory}[word]
		switch {
		case word == "FILE" && words[i-1] == "-o":
			value = ""
			if words[1] == "export" { // what another command writes is no backup
				value = n.backup
			}
		case word == "OBJECT" && words[1] == "export":
			value = n.leaving
		}
		if value != "" && terminal.Printable(value) == value && !strings.Contains(value, "`") {
			words[i], filled = terminal.ShellWord(value), true
		}
	}
	if !filled {
		return ""
	}
	if words[1] == "verify" && !slices.Contains(words, "--against") {
		return strings.Join(words, " ") // it opens no token
	}
	for i := 0; i+1 < len(n.given); i += 2 {
		if !slices.Contains(words, n.given[i]) {
			words = append(words, n.given[i], terminal.ShellWord(n.given[i+1]))
		}
	}
	return strings.Join(words, " ")
}

// Command is a command that comes next, as it can be typed: with the flags of every command that were given.
func (a *App) Command(words ...string) messages.Value {
	words = slices.Concat([]string{"p11bridge"}, words, a.ForNext())
	for i, word := range words {
		words[i] = terminal.ShellWord(word)
	}
	return messages.Own(terminal.Whole(strings.Join(words, " ")))
}
