package frame

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// TestErrorCodes holds the codes to the sources: every mistake of a command line is known as one, and the page in docs lists
// every code.
func TestErrorCodes(t *testing.T) {
	sources, err := filepath.Glob("../*/*.go")
	if err != nil || len(sources) < 60 {
		t.Fatalf("%d sources: %v", len(sources), err)
	}
	pattern := regexp.MustCompile(`Usage(?:Among|Meant)?\("(error\.[a-z.-]+)"|usageError\{id: "(error\.[a-z.-]+)"`)
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range pattern.FindAllStringSubmatch(string(text), -1) {
			if id := match[1] + match[2]; !slices.Contains(usageErrors, id) && !strings.HasSuffix(name, "_test.go") {
				t.Errorf("%s: %s is a mistake of the command line, and not in usageErrors", name, id)
			}
		}
	}
	page, err := os.ReadFile("../../docs/error-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, codes []string
	says := map[string]string{}
	for _, match := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*) \\|$").FindAllStringSubmatch(string(page), -1) {
		listed, says[match[1]] = append(listed, match[1]), match[2]
	}
	catalog, err := messages.Load("en")
	if err != nil {
		t.Fatal(err)
	}
	app := &App{Catalog: catalog}
	for _, e := range ErrorCodes() {
		codes = append(codes, e.Code)
		if text, _ := app.ErrorText(e); says[e.Code] != strings.Join(strings.Fields(text), " ") {
			t.Errorf("docs/error-codes.md says of %s %q instead of %q", e.Code, says[e.Code], text)
		}
	}
	for _, code := range codes {
		if !slices.Contains(listed, code) {
			t.Errorf("docs/error-codes.md does not list %s", code)
		}
	}
	for _, code := range listed {
		if !slices.Contains(codes, code) {
			t.Errorf("docs/error-codes.md lists %s, which is no code", code)
		}
	}
}
