package cmd

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
)

// tree is the command line as a person meets it.
func tree(t *testing.T, language string) *cobra.Command {
	t.Helper()
	catalog, err := messages.Load(language)
	if err != nil {
		t.Fatal(err)
	}
	app := &frame.App{Getenv: os.Getenv, Now: time.Now, Err: terminal.File{File: os.Stderr}, Catalog: catalog}
	root := app.Root(commands())
	app.DescribeHelp()
	return root
}

// TestCommandsAreCalledByTheirNames: a run makes the command alone whose name is its first argument.
func TestCommandsAreCalledByTheirNames(t *testing.T) {
	for _, c := range commands() {
		if made := c.New(&frame.App{}); made.Name() != c.Name || len(made.Aliases) > 0 {
			t.Errorf("%s makes %s, with the other names %q", c.Name, made.Name(), made.Aliases)
		}
	}
}

// namesOf lists the commands and, for each, its flags; "" has the flags of all.
func namesOf(root *cobra.Command) map[string]map[string]bool {
	names := map[string]map[string]bool{"": {}}
	for _, c := range append(root.Commands(), root) {
		own := map[string]bool{}
		note := func(f *pflag.Flag) { own["--"+f.Name], names[""]["--"+f.Name] = true, true }
		c.Flags().VisitAll(note)
		root.PersistentFlags().VisitAll(note)
		names[c.Name()] = own
	}
	return names
}

var (
	commandIn = regexp.MustCompile("p11bridge ([a-z][a-z-]*)([^'`\n.;:]*)")
	flagIn    = regexp.MustCompile(`(?:^|[^\w-])(--[a-z][a-z0-9-]*)`)
)

// foreignFlags are those of other programs, which the text names too.
var foreignFlags = map[string]string{"--init-token": "softhsm2-util", "--free": "softhsm2-util", "--now": "systemctl", "--delete-object": "pkcs11-tool"}

// TestTextsPromiseNothing holds every command and flag that a text names against those that there are.
func TestTextsPromiseNothing(t *testing.T) {
	known := namesOf(tree(t, "en"))
	if len(known) < 10 || len(known[""]) < 20 {
		t.Fatalf("only %d commands and %d flags", len(known), len(known[""]))
	}
	commands, flags := 0, 0
	for _, file := range messages.Files() {
		err := messages.Each(file, func(_, id string, raw json.RawMessage) {
			encoded := wordsOf(t, raw)
			for _, match := range flagIn.FindAllStringSubmatch(encoded, -1) {
				if program, is := foreignFlags[match[1]]; is && strings.Contains(encoded, program) {
					continue
				}
				if flags++; !known[""][match[1]] {
					t.Errorf("%s: %s names the flag %s, which there is not", file, id, match[1])
				}
			}
			for _, match := range quotedCommands(encoded) {
				name := match[1]
				if _, is := known[name]; !is || name == "" {
					t.Errorf("%s: %s names the command 'p11bridge %s', which there is not", file, id, name)
					continue
				}
				commands++
				for _, flag := range flagIn.FindAllStringSubmatch(match[2], -1) {
					if !known[name][flag[1]] {
						t.Errorf("%s: %s names %s of 'p11bridge %s', which does not have it", file, id, flag[1], name)
					}
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if commands < 30 || flags < 30 {
		t.Errorf("only %d commands and %d flags were found in the texts", commands, flags)
	}
}

// wordsOf are the words of a text, of its plural forms or of its steps.
func wordsOf(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var text string
	var forms map[string]string
	var steps []string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	if json.Unmarshal(raw, &steps) == nil {
		return strings.Join(steps, "\n")
	}
	if err := json.Unmarshal(raw, &forms); err != nil {
		t.Fatalf("%s is no text: %v", raw, err)
	}
	return strings.Join(slices.Collect(maps.Values(forms)), "\n")
}

// quotedCommands finds the command lines in a text: between quotation marks, or behind "See: ".
func quotedCommands(text string) [][]string {
	var found [][]string
	for _, quote := range regexp.MustCompile("(?m)`[^`]*`|'p11bridge [^']*'|^\\S+ ?: p11bridge [^\n]*").FindAllString(text, -1) {
		found = append(found, commandIn.FindAllStringSubmatch(quote, -1)...)
	}
	return found
}

// goType is what the help calls a flag's value where nobody gave it a name.
var goType = regexp.MustCompile(`^[a-z]`)

// TestHelpIsWhole looks at every command's help in every language that has a catalog.
func TestHelpIsWhole(t *testing.T) {
	for _, language := range messages.Languages() {
		root := tree(t, language)
		id := regexp.MustCompile(`(^|\s)(command|flag|usage)\.[a-z-]+`)
		for _, c := range append(root.Commands(), root) {
			for _, text := range []string{c.Short, c.Long, c.UsageString()} {
				if id.MatchString(text) {
					t.Errorf("%s %s shows an id: %s", language, c.Name(), id.FindString(text))
				}
			}
			c.Flags().VisitAll(func(f *pflag.Flag) {
				if goType.MatchString(f.Value.Type()) && f.NoOptDefVal == "" {
					t.Errorf("%s %s: --%s takes a %q, which is no name of what it takes", language, c.Name(), f.Name, f.Value.Type())
				}
			})
			for line := range strings.SplitSeq(c.Example, "\n") {
				checkExample(t, root, c, line)
			}
			if c.Short == "" || c.Example == "" && c != root {
				t.Errorf("%s has no short help or no example", c.Name())
			}
		}
	}
}

// checkExample parses an example as the program would.
func checkExample(t *testing.T, root, of *cobra.Command, line string) {
	t.Helper()
	words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "p11bridge "))
	if len(words) == 0 {
		return
	}
	named, _, err := root.Find(words)
	if err != nil || named != of && of != root && named.Parent() != of {
		t.Errorf("the example %q of %s is not of it: %v", line, of.Name(), err)
		return
	}
	for _, word := range words {
		flag, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(flag, "--") && named.Flags().Lookup(flag[2:]) == nil && root.PersistentFlags().Lookup(flag[2:]) == nil {
			t.Errorf("the example %q has no flag %s", line, flag)
		}
	}
}

// TestManualSaysHowCommandsAreCalled reads the first page in each language: a command stands in the synopsis, and nothing breaks a word.
func TestManualSaysHowCommandsAreCalled(t *testing.T) {
	for _, language := range messages.Languages() {
		pages, err := Manual(language)
		if err != nil {
			t.Fatal(err)
		}
		synopsis := regexp.MustCompile(`(?m)^\.B p11bridge\n\.br\n\.B p11bridge \p{Lu}+$`)
		if page := string(pages["p11bridge.1"]); !synopsis.MatchString(page) || !strings.Contains(page, "\n.nh\n") {
			t.Errorf("%s:\n%.300s", language, page)
		}
	}
}
