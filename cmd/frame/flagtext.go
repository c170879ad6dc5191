package frame

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"p11bridge/bridge"
	"p11bridge/cmd/messages"
)

// placeholders name what a flag takes, as the help shows it. They are the same in every language.
var placeholders = map[string]string{
	"module": "PATH", "nss-db": "DIR", "token": "LABEL", "pin-source": "SRC", "lang": "LANG", "timeout": "DURATION", "trace": "FILE",
	"out": "FILE", "format": "NAME", "silent-for": "DURATION", "profile": "NAME", "iterations": "N", "chain": "FILE", "certificate": "FILE", "method": "NAME", "proof": "NAME",
	"password-source": "SRC", "dir": "DIR", "html": "FILE", "from": "FILE", "by": "NAME", "against": "OBJECT", "key": "KEY", "key-type": "NAME",
	"metrics": "FILE", "expires-within": "DURATION", "copy": "FILE", "like": "FILE",
	"shard": "I/N", "seal-to": "RECIPIENT", "unseal-with": "KEY", "seal-transport": "NAME", "subject": "NAME", "color": "WHEN", "san": "NAME", "label": "LABEL",
}

// namedValue is a flag's value that the help calls by its placeholder and not by its Go type.
type namedValue struct {
	pflag.Value
	name string
}

// Type implements pflag.Value.
func (v namedValue) Type() string { return v.name }

// DescribeHelp puts the help into the person's language: the ids of texts, as which it stands in the commands, become those texts. It is done
// where somebody reads the help, since no other run needs them.
func (a *App) DescribeHelp() {
	if !a.inWords {
		a.inWords = true
		a.root.SetUsageTemplate(a.usageTemplate())
		a.describeCommand(a.root)
	}
}

// describeCommand describes a command and those below it: what they do, what their flags take, and the defaults of those.
func (a *App) describeCommand(c *cobra.Command) {
	c.DisableFlagsInUseLine = true
	c.InitDefaultHelpFlag()
	c.Flags().Lookup("help").Usage = "flag.help"
	for _, id := range []*string{&c.Short, &c.Long} {
		if *id != "" {
			*id = a.Text(*id, nil)
		}
	}
	c.LocalFlags().VisitAll(a.describeFlag)
	for _, child := range c.Commands() {
		a.describeCommand(child)
	}
}

// describeFlag describes a flag.
func (a *App) describeFlag(f *pflag.Flag) {
	f.Usage = a.Text(f.Usage, messages.Args{"Types": messages.Own(strings.Join(bridge.KeyTypes(), ", "))})
	name, takesValue := placeholders[f.Name]
	if !takesValue {
		return
	}
	if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "[]" {
		f.Usage += " (" + a.Text("flag.default", messages.Args{"Value": messages.Own(f.DefValue)}) + ")"
	}
	f.Value, f.DefValue = namedValue{f.Value, name}, ""
}
