package frame

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
)

// usageError is a command line that cannot be understood. Its text stands in the catalog.
type usageError struct {
	id   string
	args messages.Args
	near []string // what may have been meant

	there []string // what can be named
	lost  bool     // nothing tells what was meant
}

func Usage(id string, args messages.Args) error { return &usageError{id: id, args: args} }

// UsageAmong is Usage of a word that is none of those that are known: the nearest of them are offered.
func UsageAmong(id string, args messages.Args, typed string, known []string) error {
	return &usageError{id: id, args: args, near: nearest(typed, known)}
}

// UsageMeant is Usage with what was probably meant.
func UsageMeant(id string, args messages.Args, meant ...string) error {
	return &usageError{id: id, args: args, near: meant}
}

// ObjectMissing is the mistake of naming no object, in the words that have the id. The tokens that can be seen without a login are looked at for those that can
// be meant.
func (w *Worker) ObjectMissing(ctx context.Context, id string) error {
	missing := &usageError{id: id, args: messages.Args{"Name": messages.Own("OBJECT")}}
	tokens, err := w.inventories(ctx, nil, true)
	if ctx.Err() != nil {
		return err
	}
	for _, t := range tokens { // where there is none, that is not what has to be said first
		missing.there = append(missing.there, t.Inventory.ShortNames(t.Inventory.Identities())...)
	}
	return missing
}

// Error names the mistake by the end of its message id; the words are in the catalog.
func (e *usageError) Error() string { return "usage: " + strings.TrimPrefix(e.id, "error.") }

// flagError names the flag and what is wrong with it. What the user typed behind it is not repeated: it may be a secret
// that slipped into the wrong place.
func (a *App) flagError(c *cobra.Command, err error) error {
	a.command = c
	var unknown *pflag.NotExistError
	var valueless *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return a.unknownFlag(c, unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames())
	case errors.As(err, &valueless):
		return Usage("error.flag-value-missing", messages.Args{"Flag": messages.Own(dashed(valueless.GetSpecifiedName()))})
	case errors.As(err, &invalid):
		return Usage("error.flag-value", messages.Args{"Flag": messages.Own(dashed(invalid.GetFlag().Name)), "Kind": messages.Own(a.kindOf(invalid.GetFlag().Name))})
	}
	return Usage("error.flag", nil)
}

// secretFlags are what people take for flags whose value is a PIN or a password, and the flag that they want.
var secretFlags = map[string]string{
	"pin": "--pin-source", "user-pin": "--pin-source", "so-pin": "--pin-source", "login": "--pin-source",
	"código-pin": "--pin-source", "codi-pin": "--pin-source", "code-pin": "--pin-source",
	"contraseña": passwordFlag, "contrasena": passwordFlag, "clave": passwordFlag, "contrasenya": passwordFlag, "clau": passwordFlag,
	"mot-de-passe": passwordFlag, "motdepasse": passwordFlag, "mdp": passwordFlag, "passwort": passwordFlag, "kennwort": passwordFlag,
	"password": passwordFlag, "passphrase": passwordFlag, "passwd": passwordFlag, "pass": passwordFlag, "passin": passwordFlag, "passout": passwordFlag, "pw": passwordFlag, "p": passwordFlag,
}

// secretFlag is the mistake of a flag that a PIN or a password stands behind, nil for another flag. Behind a single dash there may be a word,
// and a command that takes no password has a PIN.
func secretFlag(c *cobra.Command, name, letters string) error {
	flag, secret := secretFlags[strings.ToLower(name)]
	if meant, word := secretFlags[strings.ToLower(letters)]; word {
		flag, secret = meant, true
	}
	if !secret {
		return nil
	}
	kinds := NewPasswordSources
	if flag != passwordFlag || c.HasParent() && c.Flags().Lookup("password-source") == nil {
		flag, kinds = "--pin-source", pinSources
	} else if c.Flags().Lookup("profile") == nil { // it makes no PFX file, and no password
		kinds = PasswordSources
	}
	return Usage("error.source", messages.Args{"Flag": messages.Own(flag), "Kinds": messages.Own(sourceForms(kinds))})
}

// unknownFlag offers the flags that may have been meant. Letters are what stood behind a single dash.
func (a *App) unknownFlag(c *cobra.Command, name, letters string) error {
	if command := dashedCommand(c, name, letters); command != "" {
		return &usageError{id: "error.flag-unknown", args: messages.Args{"Flag": messages.Own(dashed(command))}, near: []string{command}}
	}
	if word, args := a.firstWord(c); word != "" { // the flags may be right, and the command is not
		if command, _, err := a.root.Find([]string{word}); err == nil && command != a.root && command.Flags().Lookup(name) != nil {
			return UsageMeant("error.flag-before-command", messages.Args{"Flag": messages.Own(dashed(name)), "Command": messages.Own(command.Name())}, command.Name()+" "+dashed(name))
		}
		return a.unknownCommand(word, args)
	}
	if err := secretFlag(c, name, letters); err != nil {
		return err
	}
	var known []string
	for _, flags := range []*pflag.FlagSet{c.Flags(), c.InheritedFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !slices.Contains(known, f.Name) {
				known = append(known, f.Name)
			}
		})
	}
	near := nearFlags(name, letters, known)
	if argument := asArgument(c, name); argument != nil && (len(near) == 0 || len(name) == 1) {
		near = argument
	}
	return &usageError{id: "error.flag-unknown", args: messages.Args{"Flag": messages.Own(dashed(name))}, near: near}
}

// dashedCommand is the command that has dashes before it, empty where none has.
func dashedCommand(c *cobra.Command, name, letters string) string {
	if c.HasParent() {
		return ""
	}
	for _, command := range c.Commands() {
		if command.Name() == name || command.Name() == letters {
			return command.Name()
		}
	}
	return ""
}

// firstWord is the first argument that is no flag, where the command line names no command that is there.
func (a *App) firstWord(c *cobra.Command) (string, []string) {
	if c.HasParent() {
		return "", nil
	}
	for i := 0; i < len(a.arguments); i++ {
		name, isFlag := strings.CutPrefix(a.arguments[i], "--")
		if !isFlag && !strings.HasPrefix(name, "-") {
			return name, a.arguments
		}
		if f := a.flags.Lookup(name); f != nil && f.NoOptDefVal == "" {
			i++ // its value
		}
	}
	return "", nil
}

// unknownCommand offers the commands that may have been meant.
func (a *App) unknownCommand(word string, arguments []string) error {
	var known []string
	for _, c := range a.root.Commands() {
		known = append(known, c.Name())
	}
	args := messages.Args{"Command": foreign.Text(word)}
	if at := slices.Index(arguments, word); at > 0 && strings.HasPrefix(arguments[at-1], "-") { // a PIN where the command was looked for
		if letters := strings.TrimLeft(arguments[at-1], "-"); secretFlags[strings.ToLower(letters)] != "" {
			return secretFlag(a.root, letters, letters)
		}
	}
	if len(arguments) > 1 && strings.EqualFold(word, programName) { // the name was typed twice
		args["Command"] = foreign.Text(word + " " + arguments[1])
		word = arguments[1]
	}
	if meant := commandsFor(word, known); len(meant) > 0 {
		return &usageError{id: "error.unknown-command", args: args, near: meant}
	}
	unknown := &usageError{id: "error.unknown-command", args: args, near: nearest(word, known)}
	if len(unknown.near) == 0 {
		unknown.near = nearTranslated(word)
	}
	unknown.lost = len(unknown.near) == 0
	return unknown
}

// commandsFor are the commands that a word means for sure: in another case, with a slash before it, under another name, or by the name
// of a file.
func commandsFor(word string, known []string) []string {
	if meant := commandsForFile(word); len(meant) > 0 {
		return meant
	}
	word = strings.TrimLeft(strings.ToLower(word), "/")
	if slices.Contains(known, word) || word == "help" {
		return []string{word}
	}
	if meant := meantCommand(word); meant != "" {
		return []string{meant}
	}
	return nil
}

// commandsForFile are the commands that can be meant by a file's name alone.
func commandsForFile(word string) []string {
	quoted := terminal.ShellWord(word)
	switch strings.ToLower(filepath.Ext(word)) {
	case ".pfx", ".p12":
		return []string{"verify " + quoted, "restore " + quoted}
	case ".cer", ".crt", ".pem", ".der", ".p7b", ".p7c":
		return []string{"install " + quoted}
	case ".json":
		return []string{"diagnose --from " + quoted}
	}
	return nil
}

// kindOf says what a flag takes, by an example.
func (a *App) kindOf(flag string) string {
	switch flag {
	case "timeout":
		return a.Text("flag.kind.duration", nil)
	case "iterations":
		return a.Text("flag.kind.number", nil)
	}
	return a.Text("flag.kind.switch", nil)
}

// commandPath is the command whose help is meant.
func (a *App) commandPath() string {
	if a.command != nil {
		return a.command.CommandPath()
	}
	return programName
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + terminal.Printable(name)
	}
	return "--" + terminal.Printable(name)
}

// Examples writes the lines of a command's help, each with the program's name.
func Examples(lines ...string) string {
	return "  p11bridge " + strings.Join(lines, "\n  p11bridge ")
}

// helpWidth is the width of a help text, wherever it goes.
func (a *App) helpWidth() int {
	if width := a.Width(); width > 0 {
		return width
	}
	return terminal.MostColumns
}

// helpText is what the help says of a command, in lines of that width.
func (a *App) helpText(c *cobra.Command) string { return terminal.Wrap(c.Long, a.helpWidth()) }

// usageTemplate is cobra's layout with headings from the catalog.
func (a *App) usageTemplate() string {
	flags := "FlagUsagesWrapped " + strconv.Itoa(a.helpWidth())
	heading := func(id string) string { return strings.ReplaceAll(a.Text("usage."+id, nil), "{{", "") }
	return heading("usage") + `
  {{if .Runnable}}{{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} ` + heading("command") + `{{end}}
{{if .HasExample}}
` + heading("examples") + `
{{.Example}}
{{end}}{{if .HasAvailableSubCommands}}
` + heading("commands") + `{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{if .HasAvailableLocalFlags}}
` + heading("flags") + `
{{.LocalFlags.` + flags + ` | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableInheritedFlags}}
` + heading("global-flags") + `
{{.InheritedFlags.` + flags + ` | trimTrailingWhitespaces}}
{{end}}`
}
