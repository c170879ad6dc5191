package softhsmtests

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	// pathInDocument is a file of the house as a document names it, in backquotes: cmd/frame/open.go, or open.go alone, with * for any name.
	pathInDocument = regexp.MustCompile("`((?:bridge|cmd|token|docs|scripts|tools|packaging|softhsm-tests|\\.ci)/[A-Za-z0-9_*./-]+|[A-Za-z0-9_*./-]+\\.(?:go|json|txtar|md|yml|mod|c)|Makefile)`")
	// linkInDocument is the target of a link.
	linkInDocument = regexp.MustCompile(`\]\(([^)#: ]+)(?:#[^)]*)?\)`)
	// placeInDocument is a link to a heading, of the document itself or of another one.
	placeInDocument = regexp.MustCompile(`\]\(([^)#: ]*)#([^)]+)\)`)
	headings        = regexp.MustCompile(`(?m)^#+ (.*)$`)
	testInDocument  = regexp.MustCompile(`\bTest[A-Z][A-Za-z0-9]*`)
	standsForName   = regexp.MustCompile(`NAME|CODE|SUBJECT|BEHAVIOUR|LANGUAGE|_/?$`)
)

// TestDocumentsNameWhatExists: every file and every test that a document names exists.
func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob("../docs/*.md")
	if err != nil || len(documents) < 6 {
		t.Fatalf("%d documents: %v", len(documents), err)
	}
	house, named, linked := houseOf(t), 0, 0
	for _, document := range slices.Concat(documents, []string{"../CONTRIBUTING.md", "../SECURITY.md"}, readmes(t)) {
		text := string(mustRead(t, document))
		for _, name := range testInDocument.FindAllString(text, -1) {
			if !house.tests[name] && !standsForName.MatchString(name) {
				t.Errorf("%s names the test %s, which does not exist", document, name)
			}
		}
		for _, found := range pathInDocument.FindAllStringSubmatch(text, -1) {
			path := strings.TrimRight(found[1], "/.")
			if namesOthers(document) || standsForName.MatchString(path) {
				continue
			}
			named++
			if there, err := filepath.Glob(filepath.Join("..", path)); (err != nil || len(there) == 0) && !house.files[path] {
				t.Errorf("%s names %s, which does not exist", document, path)
			}
		}
		for _, found := range linkInDocument.FindAllStringSubmatch(text, -1) {
			linked++
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), found[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", document, found[1])
			}
		}
		for _, found := range placeInDocument.FindAllStringSubmatch(text, -1) {
			target := document
			if found[1] != "" {
				target = filepath.Join(filepath.Dir(document), found[1])
			}
			if !slices.Contains(placesIn(t, target), found[2]) {
				t.Errorf("%s links to %s#%s, which does not exist", document, found[1], found[2])
			}
		}
	}
	if named < 60 || linked < 20 {
		t.Errorf("only %d files are named, and %d linked", named, linked)
	}
}

// placesIn are the names by which the headings of a document are linked to, as GitHub makes them.
func placesIn(t *testing.T, document string) []string {
	t.Helper()
	var places []string
	for _, match := range headings.FindAllStringSubmatch(string(mustRead(t, document)), -1) {
		places = append(places, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, match[1]))
	}
	return places
}

// house has the names of all files without their directories, and of all tests.
type house struct{ files, tests map[string]bool }

func houseOf(t *testing.T) house {
	t.Helper()
	h := house{map[string]bool{}, map[string]bool{}}
	function := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		}
		h.files[entry.Name()] = true
		if strings.HasSuffix(path, "_test.go") {
			for _, match := range function.FindAllStringSubmatch(string(mustRead(t, path)), -1) {
				h.tests[match[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// namesOthers is the document that names files of other projects: where their modules say what a key's origin is.
func namesOthers(document string) bool { return filepath.Base(document) == "origins.md" }
