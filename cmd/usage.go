package cmd

import (
	"strings"

	"github.com/spf13/cobra"

	"p11bridge/cmd/messages"
)

// usageError is a command line that cannot be understood. Its text stands in the catalog.
type usageError struct {
	id   string
	args messages.Args
}

func usage(id string, args messages.Args) error { return &usageError{id, args} }

// Error gives the message's id; the words are in the catalog.
func (e *usageError) Error() string { return e.id }

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
