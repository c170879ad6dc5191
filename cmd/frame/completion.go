package frame

import (
	"bytes"
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/seal"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
)

// completionPatience is how long a shell waits for the names on a token.
const completionPatience = 5 * time.Second

// sourceWords are the sources as they are begun on a command line.
func sourceWords(kinds []string) []string {
	var words []string
	for _, kind := range kinds {
		if strings.Contains(sourceForms([]string{kind}), ":") {
			kind += ":"
		}
		words = append(words, kind)
	}
	return words
}

// flagWords are the values that a flag of this name can have, in every command.
func flagWords() map[string][]string {
	words := map[string][]string{
		"lang": messages.Languages(), "color": {"auto", "always", "never"}, "by": {"token", "purpose"}, "key-type": bridge.KeyTypes(),
		"proof": {string(bridge.ProverToken), string(bridge.ProverHost)}, "method": {"auto"},
		"pin-source": sourceWords(pinSources), "password-source": append(sourceWords(NewPasswordSources), sealedKind, sealedKind+":", dirKind+":"),
	}
	for _, format := range bridge.CertificateFormats() {
		words["format"] = append(words["format"], string(format))
	}
	for _, transport := range seal.Transports() {
		words["seal-transport"] = append(words["seal-transport"], string(transport))
	}
	for _, profile := range bridge.Profiles() {
		words["profile"] = append(words["profile"], string(profile))
	}
	for _, method := range bridge.Methods() {
		words["method"] = append(words["method"], string(method))
	}
	return words
}

// completing reports whether a shell asks for words in the place of a command.
func completing(arguments []string) bool {
	return slices.Contains(arguments, cobra.ShellCompRequestCmd) || slices.Contains(arguments, cobra.ShellCompNoDescRequestCmd)
}

// complete teaches a command and those below it what a shell can complete: the values of flags, the names of objects and of
// tokens, and codes. Nothing is logged in to for it.
func (a *App) complete(c *cobra.Command) {
	for name, words := range flagWords() {
		a.completeFlag(c, name, func() []string { return words })
	}
	a.completeFlag(c, "token", func() []string { return a.namesThere(true) })
	a.completeFlag(c, "against", func() []string { return a.namesThere(false) })
	if c.Name() == "install" { // restore's is a key in a file
		a.completeFlag(c, "key", func() []string { return a.namesThere(false) })
	}
	arguments := func(words func() []string) {
		c.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return words(), cobra.ShellCompDirectiveNoFileComp
		}
	}
	switch {
	case strings.Contains(c.Use, "OBJECT"):
		arguments(func() []string { return a.namesThere(false) })
	case strings.Contains(c.Use, "CODE"):
		terms := c.ValidArgs
		c.ValidArgs = nil // cobra would offer nothing else
		arguments(func() []string { return append(codeWords(), terms...) })
	}
	for _, child := range c.Commands() {
		a.complete(child)
	}
}

func (a *App) completeFlag(c *cobra.Command, name string, words func() []string) {
	if c.LocalFlags().Lookup(name) == nil {
		return
	}
	// The flag is there, so that there is no error.
	_ = c.RegisterFlagCompletionFunc(name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		directive := cobra.ShellCompDirectiveNoFileComp
		if slices.ContainsFunc(words(), func(word string) bool { return strings.HasSuffix(word, ":") }) {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return words(), directive
	})
}

func codeWords() []string {
	var codes []string
	for _, e := range verdict.Table() {
		codes = append(codes, string(e.Code))
	}
	for _, e := range ErrorCodes() {
		codes = append(codes, e.Code)
	}
	return codes
}

// namesThere asks `list` in a process of its own for the labels and CKA_IDs that show without a login, or for the labels of tokens.
// A module that hangs or crashes completes nothing.
func (a *App) namesThere(tokens bool) []string {
	args := append([]string{"list", "--no-login", "--json", "--quiet"}, a.GivenFlags()...)
	if tokens {
		args = slices.DeleteFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--token=") })
	}
	var shown struct {
		Tokens []struct {
			Label      string
			Identities []struct{ Label, ID string }
		}
	}
	if json.Unmarshal(outputWithin(completionPatience, args), &shown) != nil {
		return nil
	}
	var names []string
	for _, t := range shown.Tokens {
		if tokens {
			names = append(names, t.Label)
			continue
		}
		for _, identity := range t.Identities {
			names = append(names, identity.Label, identity.ID)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return name == "" || strings.ContainsAny(name, "\n\t") || strings.HasPrefix(name, "-")
	})
}

// outputWithin is what a command of this program writes, as far as it comes in that time.
func outputWithin(patience time.Duration, arguments []string) []byte {
	var out bytes.Buffer
	command := supervise.Again(arguments...)
	command.Stdout = &out
	runtime.LockOSThread() // Pdeathsig belongs to the thread that starts the command
	defer runtime.UnlockOSThread()
	if command.Start() != nil {
		return nil
	}
	late := time.AfterFunc(patience, func() { _ = command.Process.Kill() }) // unless it has ended
	defer late.Stop()
	_ = command.Wait() // what it has written says more
	return out.Bytes()
}
