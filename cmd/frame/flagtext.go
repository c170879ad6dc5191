package frame

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"p11bridge/cmd/messages"
)

// placeholders name what a flag takes, as the help shows it. They are the same in every language.
var placeholders = map[string]string{
	"module": "PATH", "nss-db": "DIR", "token": "LABEL", "pin-source": "SRC", "lang": "LANG", "timeout": "DURATION", "trace": "FILE",
	"out": "FILE", "format": "NAME", "silent-for": "DURATION", "profile": "NAME", "iterations": "N", "chain": "FILE", "certificate": "FILE", "method": "NAME", "proof": "NAME",
	"password-source": "SRC", "dir": "DIR", "html": "FILE", "from": "FILE", "by": "NAME", "against": "OBJECT", "key-type": "NAME",
	"metrics": "FILE", "expires-within": "DURATION",
	"shard": "I/N", "seal-to": "RECIPIENT", "unseal-with": "KEY", "seal-transport": "NAME", "subject": "NAME", "color": "WHEN", "san": "NAME", "label": "LABEL",
}

// namedValue is a flag's value that the help calls by its placeholder and not by its Go type.
type namedValue struct {
	pflag.Value
	name string
}

// Type implements pflag.Value.
func (v namedValue) Type() string { return v.name }

// DescribeFlags puts the help of all flags into the person's language, of a command and those below it: what they take, and their defaults. It
// is done where somebody reads that, since it takes as long as all else that a start does with flags.
func (a *App) DescribeFlags(c *cobra.Command) {
	c.DisableFlagsInUseLine = true
	c.InitDefaultHelpFlag()
	c.Flags().Lookup("help").Usage = a.Text("flag.help", nil)
	word := func(f *pflag.Flag) {
		name, takesValue := placeholders[f.Name]
		if _, done := f.Value.(namedValue); done || !takesValue {
			return
		}
		if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "[]" {
			f.Usage += " (" + a.Text("flag.default", messages.Args{"Value": messages.Own(f.DefValue)}) + ")"
		}
		f.Value, f.DefValue = namedValue{f.Value, name}, ""
	}
	c.Flags().VisitAll(word)
	c.PersistentFlags().VisitAll(word)
	for _, child := range c.Commands() {
		a.DescribeFlags(child)
	}
}
