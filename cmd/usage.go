package cmd

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"p11bridge/cmd/messages"
)

// usageError is a command line that cannot be understood. Its text stands in the catalog.
type usageError struct {
	id   string
	args messages.Args
}

func usage(id string, args messages.Args) error { return &usageError{id, args} }

// Error names the mistake by the end of its message id; the words are in the catalog.
func (e *usageError) Error() string { return "usage: " + strings.TrimPrefix(e.id, "error.") }

// flagError tells what is wrong with a flag by its name. What the user typed behind it is not repeated: it may be a secret
// that slipped into the wrong place.
func flagError(err error) error {
	var unknown *pflag.NotExistError
	var valueless *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return usage("error.flag-unknown", messages.Args{"Flag": dashed(unknown.GetSpecifiedName())})
	case errors.As(err, &valueless):
		return usage("error.flag-value-missing", messages.Args{"Flag": dashed(valueless.GetSpecifiedName())})
	case errors.As(err, &invalid):
		return usage("error.flag-value", messages.Args{"Flag": dashed(invalid.GetFlag().Name)})
	}
	return usage("error.flag", nil)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + printable(name)
	}
	return "--" + printable(name)
}

// examples writes the lines of a command's help, each with the program's name.
func examples(lines ...string) string {
	return "  p11bridge " + strings.Join(lines, "\n  p11bridge ")
}

func atMostOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage("error.too-many-arguments", messages.Args{"Name": name})
		}
		return nil
	}
}

func exactlyOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return usage("error.argument-missing", messages.Args{"Name": name})
		case len(args) > 1:
			return usage("error.too-many-arguments", messages.Args{"Name": name})
		}
		return nil
	}
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("error.no-arguments", messages.Args{"Given": printable(args[0])})
	}
	return nil
}
