package frame

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
)

// misplaced is the mistake of an argument that can only have been meant as something else: as a flag with the slash of Windows' programs
// before it, or as a PIN, or that a variable of the shell was to give. It is nil where there is none.
func misplaced(c *cobra.Command, name string, args []string) error {
	for i, arg := range args {
		switch {
		case strings.TrimSpace(arg) == "":
			return Usage("error.argument-empty", messages.Args{"Name": messages.Own(name)})
		case slashFlag(c, arg) != "":
			return UsageMeant("error.slash-flag", messages.Args{"Typed": foreign.Text(arg)}, slashFlag(c, arg))
		case name == "OBJECT" && i > 0 && looksLikePIN(arg):
			return Usage("error.source", messages.Args{"Flag": messages.Own("--pin-source"), "Kinds": messages.Own(sourceForms(pinSources))})
		}
	}
	return nil
}

// slashFlag is the flag that an argument means as programs of Windows write theirs, empty for none. The name of a file is none.
func slashFlag(c *cobra.Command, arg string) string {
	name, is := strings.CutPrefix(arg, "/")
	if !is || isThere(arg) {
		return ""
	}
	if len(name) == 1 && c.Flags().ShorthandLookup(name) != nil || len(name) > 1 && c.Flags().Lookup(name) != nil {
		return dashed(name)
	}
	return ""
}

// isThere reports whether an argument is the name of a file that is there.
func isThere(arg string) bool {
	_, err := os.Lstat(arg)
	return err == nil
}

// looksLikePIN reports whether a word behind the name of an object is a number that a name hardly ends in: years it may.
func looksLikePIN(word string) bool {
	const least, most = 4, 16
	digits := strings.Trim(word, "0123456789") == "" && len(word) >= least && len(word) <= most
	year := len(word) == least && (strings.HasPrefix(word, "19") || strings.HasPrefix(word, "20"))
	return digits && !year
}

func AtMostOne(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := misplaced(c, name, args); err != nil {
			return err
		}
		if len(args) > 1 {
			return tooMany(c, name, args)
		}
		return nil
	}
}

// tooMany says what the arguments may have been meant as.
func tooMany(c *cobra.Command, name string, args []string) error {
	e := &usageError{id: "error.too-many-arguments", args: messages.Args{"Name": messages.Own(name)}}
	first, last := args[0], args[len(args)-1]
	flag, value, assigned := strings.Cut(last, "=")
	switch {
	case name == "FILE" && len(args) == 2: // a token, as a restore wants one
		e.near = []string{"--token " + terminal.ShellWord(last)}
	case name == "CODE" && slices.Contains(codeWords(), strings.ToLower(strings.Join(args, "-"))):
		e.near = []string{strings.ToLower(strings.Join(args, "-"))}
	case name != "OBJECT", slices.ContainsFunc(args, isPunctuation): // a lone dash, or a quotation mark of a text
	case assigned && c.Flags().Lookup(flag) != nil: // its value may be a secret
		e.near = []string{"--" + flag}
		if placeholders[flag] != "SRC" {
			e.near[0] += " " + terminal.ShellWord(value)
		}
	case len(args) == 2 && takesValue(c, first):
		e.near = []string{"--" + first + " " + terminal.ShellWord(last)}
	case len(args) == 3 && takesValue(c, args[1]):
		e.near = []string{terminal.ShellWord(first) + " --" + args[1] + " " + terminal.ShellWord(last)}
	case len(args) == 2 && isPath(first) && !isPath(last) && c.Flags().Lookup("out") != nil: // the other way round
		e.near = []string{terminal.ShellWord(last) + " -o " + terminal.ShellWord(first)}
	case len(args) == 2 && isPath(last):
		e.near = []string{"-o " + last}
	case isPath(last) && c.Flags().Lookup("out") != nil && !slices.ContainsFunc(args[:len(args)-1], isThere):
		e.near = []string{terminal.ShellWord(strings.Join(args[:len(args)-1], " ")) + " -o " + terminal.ShellWord(last)}
	case slices.ContainsFunc(args, isThere): // what a shell makes of a name with a star
	default: // a name with blanks is one word for the shell where it stands in quotes
		e.near = []string{terminal.ShellWord(strings.Join(args, " "))}
	}
	return e
}

// isPunctuation reports whether an argument has no letter and no digit.
func isPunctuation(argument string) bool {
	return !strings.ContainsFunc(argument, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// isPath reports whether an argument looks like the name of a file.
func isPath(argument string) bool {
	return strings.ContainsAny(argument, "./") && !strings.HasPrefix(argument, "-") && !strings.HasSuffix(argument, ".")
}

// takesValue reports whether the command has a flag of that name that wants a value.
func takesValue(c *cobra.Command, name string) bool {
	f := c.Flags().Lookup(name)
	return f != nil && f.NoOptDefVal == "" && placeholders[name] != "SRC"
}

func ExactlyOne(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := misplaced(c, name, args); err != nil {
			return err
		}
		switch {
		case len(args) == 0:
			return UsageMeant("error.argument-missing", messages.Args{"Name": messages.Own(name)}, filesHere(name)...)
		case len(args) > 1:
			return tooMany(c, name, args)
		}
		return nil
	}
}

// filesHere are files of the current directory that an argument may name.
func filesHere(argument string) []string {
	var found []string
	for _, pattern := range map[string][]string{"FILE": {"*.pfx", "*.p12"}, "CERT": {"*.cer", "*.crt", "*.pem", "*.p7b"}}[argument] {
		names, _ := filepath.Glob(pattern) // a bad pattern is the only error
		found = append(found, names...)
	}
	return found[:min(len(found), mostNear)]
}

// NoArguments refuses arguments, and offers the flag that wants one: most of these commands work on a directory or write a file.
func NoArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var meant []string
	f := c.Flags().Lookup("dir")
	if f == nil {
		f = c.Flags().Lookup("out")
	}
	if f != nil && !f.Changed {
		value := args[0]
		if info, err := os.Stat(value); f.Name == "dir" && err == nil && !info.IsDir() { // a file in it
			value = filepath.Dir(value)
		}
		meant = []string{"--" + f.Name + " " + terminal.ShellWord(value)}
	}
	return UsageMeant("error.no-arguments", messages.Args{"Given": foreign.Text(args[0])}, meant...)
}
