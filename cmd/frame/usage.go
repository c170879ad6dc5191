package frame

import (
	"errors"
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
}

func Usage(id string, args messages.Args) error { return &usageError{id, args} }

// Error names the mistake by the end of its message id; the words are in the catalog.
func (e *usageError) Error() string { return "usage: " + strings.TrimPrefix(e.id, "error.") }

// FlagError tells what is wrong with a flag by its name. What the user typed behind it is not repeated: it may be a secret
// that slipped into the wrong place.
func FlagError(err error) error {
	var unknown *pflag.NotExistError
	var valueless *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return Usage("error.flag-unknown", messages.Args{"Flag": messages.Own(dashed(unknown.GetSpecifiedName()))})
	case errors.As(err, &valueless):
		return Usage("error.flag-value-missing", messages.Args{"Flag": messages.Own(dashed(valueless.GetSpecifiedName()))})
	case errors.As(err, &invalid):
		return Usage("error.flag-value", messages.Args{"Flag": messages.Own(dashed(invalid.GetFlag().Name))})
	}
	return Usage("error.flag", nil)
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

func AtMostOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return Usage("error.too-many-arguments", messages.Args{"Name": messages.Own(name)})
		}
		return nil
	}
}

func ExactlyOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return Usage("error.argument-missing", messages.Args{"Name": messages.Own(name)})
		case len(args) > 1:
			return Usage("error.too-many-arguments", messages.Args{"Name": messages.Own(name)})
		}
		return nil
	}
}

func NoArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usage("error.no-arguments", messages.Args{"Given": foreign.Text(args[0])})
	}
	return nil
}

// helpWidth is the width of a help text, wherever it goes.
func (a *App) helpWidth() int {
	if width := a.Width(); width > 0 {
		return width
	}
	return terminal.MostColumns
}

// UsageTemplate is cobra's layout with headings from the catalog.
func (a *App) UsageTemplate() string {
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
