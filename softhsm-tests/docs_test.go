package softhsmtests

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pathInDocument is a file of the house as a document names it, in backquotes: cmd/frame/open.go, with * for any name.
var pathInDocument = regexp.MustCompile("`((?:bridge|cmd|token|docs|scripts|tools|packaging|softhsm-tests|\\.ci)/[A-Za-z0-9_*./-]+|Makefile|[A-Z_]+\\.md)`")

// linkInDocument is the target of a link.
var linkInDocument = regexp.MustCompile(`\]\(([^)#: ]+)(?:#[^)]*)?\)`)

// TestDocumentsNameWhatIsThere: every file that a document for engineers names exists. NAME, CODE and the like stand for a name.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	documents, err := filepath.Glob("../docs/*.md")
	if err != nil || len(documents) < 6 {
		t.Fatalf("%d documents: %v", len(documents), err)
	}
	named := 0
	for _, document := range slices.Concat(documents, []string{"../CONTRIBUTING.md", "../SECURITY.md"}, readmes(t)) {
		text := string(mustRead(t, document))
		for _, found := range pathInDocument.FindAllStringSubmatch(text, -1) {
			if namesOthers(document) {
				continue
			}
			named++
			path := strings.TrimRight(found[1], "/.")
			if strings.Contains(path, "NAME") || strings.Contains(path, "BEHAVIOUR") || strings.HasPrefix(path, "scripts/") && strings.HasSuffix(path, "_") {
				continue
			}
			if there, err := filepath.Glob(filepath.Join("..", path)); err != nil || len(there) == 0 {
				t.Errorf("%s names %s, which is not there", document, path)
			}
		}
		for _, found := range linkInDocument.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(found[1], "http") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), found[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", document, found[1])
			}
		}
	}
	if named < 60 {
		t.Errorf("only %d files are named", named)
	}
}

// namesOthers is the document that names files of other projects: where their modules say what a key's origin is.
func namesOthers(document string) bool { return filepath.Base(document) == "origins.md" }
