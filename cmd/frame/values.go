package frame

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
)

// checkValues refuses values of flags that cannot be meant, before any of them is used.
func (a *App) checkValues(c *cobra.Command) error {
	if completing(a.arguments) { // the line is not at its end
		return nil
	}
	first := map[string]string{}
	var mistake error
	err := c.Flags().ParseAll(a.arguments, func(f *pflag.Flag, value string) error {
		earlier, given := first[f.Name]
		first[f.Name] = value
		if mistake != nil {
			return nil
		}
		if _, list := f.Value.(pflag.SliceValue); given && !list && earlier != value {
			// Which of them is meant cannot be known. They are not repeated, for the same reason.
			mistake = Usage("error.flag-twice", messages.Args{"Flag": messages.Own(dashed(f.Name))})
		} else {
			mistake = misread(f.Name, value)
		}
		return nil
	})
	if err != nil {
		return a.flagError(c, err)
	}
	return mistake
}

// curlyQuotes are what word processors and web pages make of quotes. To the shell they are letters.
const curlyQuotes = "“”„‟«»‘’‚‹›"

// misread is the mistake of a value that another program would have understood: one in the quotes of a text, the address of a page, a
// path of another system. It is nil where there is none. What may be a secret is not repeated.
func misread(flag, value string) error {
	takes, name := placeholders[flag], dashed(flag)
	args := messages.Args{"Flag": messages.Own(name), "Given": foreign.Text(value)}
	// The name of a token or a key may have any quotes.
	theirs := takes == "LABEL" || takes == "OBJECT" || flag == "key"
	if plain := strings.Trim(value, curlyQuotes); !theirs && plain != value && strings.ContainsRune(curlyQuotes, []rune(value)[0]) {
		if takes == "SRC" {
			return Usage("error.curly-quotes", args)
		}
		return UsageMeant("error.curly-quotes", args, name+" "+terminal.ShellWord(plain))
	}
	if !slices.Contains([]string{"FILE", "DIR", "PATH"}, takes) {
		return nil
	}
	switch {
	case isAddress(value):
		return Usage("error.flag-address", args)
	case isOtherSystem(value):
		return Usage("error.flag-drive", args)
	}
	return nil
}

// unbroken reports whether words of the command line stand together that a space separates on the screen: pages have spaces at which
// no line is broken, and the shell takes them for letters. In a name of its own such a space may stand.
func (a *App) unbroken(arguments []string) bool {
	const spaces = "\u00a0\u2007\u202f"
	for i, argument := range arguments {
		at := strings.IndexAny(argument, spaces)
		switch {
		case argument == "--":
			return false
		case at < 0:
		case strings.HasPrefix(argument, "-") && !strings.Contains(argument[:at], "="), strings.Contains(strings.Map(func(r rune) rune {
			if strings.ContainsRune(spaces, r) {
				return ' '
			}
			return r
		}, argument), " -"):
			return true
		case i == 0:
			return a.isCommand(argument[:at])
		}
	}
	return false
}

func (a *App) isCommand(word string) bool {
	return slices.ContainsFunc(a.root.Commands(), func(c *cobra.Command) bool { return c.Name() == word })
}

// isAddress reports whether a path is the address of a page.
func isAddress(path string) bool {
	scheme, _, found := strings.Cut(strings.ToLower(path), "://")
	return found && slices.Contains([]string{"http", "https", "ftp", "file"}, scheme)
}

// isOtherSystem reports whether a path begins with a drive of Windows, and this is another system.
func isOtherSystem(path string) bool {
	return filepath.Separator == '/' && len(path) > 2 && path[1] == ':' && path[2] == '\\' && strings.ContainsAny(path[:1], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

// otherPath is the remedy for a path that nothing was found at, where another program or another system would have understood it;
// empty where that is not so.
func otherPath(path string) string {
	switch {
	case strings.HasPrefix(path, "~"):
		return "remedy.source.tilde"
	case isAddress(path):
		return "remedy.path.address"
	case isOtherSystem(path):
		return "remedy.path.drive"
	}
	return ""
}
