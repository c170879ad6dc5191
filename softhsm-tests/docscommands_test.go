package softhsmtests

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	programIn = regexp.MustCompile(`\bp11bridge ([a-z]+)\b([^|;&)>\n]*)`)
	optionIn  = regexp.MustCompile(`(?:^|[\s\[(])(--[a-z][a-z-]*)`)
)

// TestDocumentsShowRealCommands: every command that a document shows exists, with every option. The blocks that run are tried as well by
// the tests that run them.
func TestDocumentsShowRealCommands(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob("../docs/*.md")
	if err != nil || len(documents) < 6 {
		t.Fatalf("%d documents: %v", len(documents), err)
	}
	help := p11bridge(t, nil, "--help", "--lang", "en").stdout
	options := map[string][]string{}
	for _, match := range regexp.MustCompile(`(?m)^  ([a-z]+) {2,}\S`).FindAllStringSubmatch(help, -1) {
		r := p11bridge(t, nil, match[1], "--help", "--lang", "en")
		_, flags, found := strings.Cut(r.stdout, "\nFlags:\n")
		if r.code != 0 || !found {
			t.Fatalf("%s --help: exit code %d\n%s%s", match[1], r.code, r.stdout, r.stderr)
		}
		for _, option := range optionIn.FindAllStringSubmatch(flags, -1) {
			options[match[1]] = append(options[match[1]], option[1])
		}
	}
	shown := 0
	check := func(document, command, arguments string) {
		for _, option := range optionIn.FindAllStringSubmatch(arguments, -1) {
			if shown++; !slices.Contains(options[command], option[1]) {
				t.Errorf("%s shows %s %s, which does not exist: %s%s", document, command, option[1], command, arguments)
			}
		}
	}
	for _, document := range slices.Concat(documents, []string{"../CONTRIBUTING.md", "../SECURITY.md"}, readmes(t)) {
		text := string(mustRead(t, document))
		for _, match := range inQuote.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			command, arguments, _ := strings.Cut(strings.TrimPrefix(match[1], "p11bridge "), " ")
			switch _, known := options[command]; {
			case known:
				check(document, command, " "+arguments)
			case strings.HasPrefix(match[1], "p11bridge ") && regexp.MustCompile(`^[a-z]+$`).MatchString(command) && command != "help":
				t.Errorf("%s shows the command %s, which does not exist", document, command)
			}
		}
		for _, block := range fenced.FindAllString(text, -1) {
			block = strings.ReplaceAll(block, "\\\n", " ")
			for _, match := range programIn.FindAllStringSubmatch(block, -1) {
				if options[match[1]] != nil { // else it is prose
					check(document, match[1], match[2])
				}
			}
		}
	}
	if shown < 150 || len(options) < 18 {
		t.Errorf("only %d options were shown of %d commands", shown, len(options))
	}
}
