package frame

import (
	"github.com/spf13/cobra"
)

// variables stand in for flags that are not given. Their values are names and sources, never a secret. ModuleVariable is looked
// at where modules are sought, and LanguageVariable before the command line is parsed.
var variables = []struct{ name, flag string }{
	{"P11BRIDGE_NSS_DB", "nss-db"},
	{"P11BRIDGE_TOKEN", "token"},
	{"P11BRIDGE_PIN_SOURCE", "pin-source"},
	{"P11BRIDGE_PASSWORD_SOURCE", "password-source"},
}

// LanguageVariable stands in for --lang.
const LanguageVariable = "P11BRIDGE_LANG"

// guidedVariable tells a command that the guided mode runs it. It is set by that alone.
const guidedVariable = "P11BRIDGE_GUIDED"

// variableNames lists the variables that stand in for flags.
func variableNames() []string {
	names := []string{ModuleVariable}
	for _, variable := range variables {
		names = append(names, variable.name)
	}
	return append(names, LanguageVariable)
}

// The variables that a demo's token is used by.
const (
	TokenVariable          = "P11BRIDGE_TOKEN"
	PINSourceVariable      = "P11BRIDGE_PIN_SOURCE"
	PasswordSourceVariable = "P11BRIDGE_PASSWORD_SOURCE"
)

// applyVariables takes the values of variables for the flags that the command has and that were not given. A module that was
// named outweighs the variable of a database, and a password is for a command that uses one.
func (a *App) applyVariables(c *cobra.Command) error {
	for _, variable := range variables {
		value, f := a.Getenv(variable.name), c.Flags().Lookup(variable.flag)
		switch {
		case value == "" || f == nil || f.Changed:
		case variable.flag == "nss-db" && a.Module != "":
		case variable.flag == "password-source" && c.Flags().Lookup("like") != nil && !c.Flags().Changed("like"):
		default:
			if err := f.Value.Set(value); err != nil {
				return a.flagError(c, err)
			}
		}
	}
	return nil
}

// usedTwice is the source from which a PIN and a password would both be read, and which gives what it has once; empty for none.
func (a *App) usedTwice(sources []string) string {
	for _, text := range sources {
		if text == a.PinSource && (len(variablesNamed([]string{text})) > 0 || len(text) > 3 && text[:3] == "fd:") {
			return text
		}
	}
	return ""
}
