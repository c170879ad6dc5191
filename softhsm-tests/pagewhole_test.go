package softhsmtests

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// node is an element of a page, as a strict reader sees it.
type node struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Elements []node     `xml:",any"`
}

func (e node) attribute(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// all gives the elements below one that fit.
func (e node) all(fits func(node) bool) []node {
	var found []node
	for _, below := range e.Elements {
		if fits(below) {
			found = append(found, below)
		}
		found = append(found, below.all(fits)...)
	}
	return found
}

func (e node) withID(t *testing.T, id string) node {
	t.Helper()
	found := e.all(func(e node) bool { return e.attribute("id") == id })
	if len(found) != 1 {
		t.Fatalf("%d elements have the id %s", len(found), id)
	}
	return found[0]
}

// words is all text below.
func (e node) words() string {
	text := e.Text
	for _, below := range e.Elements {
		text += " " + below.words()
	}
	return strings.Join(strings.Fields(text), " ")
}

func tag(name string) func(node) bool {
	return func(e node) bool { return e.XMLName.Local == name }
}

// readPage reads a page as XML, which forgives nothing: whatever a label holds, no element is opened or closed by it.
func readPage(t *testing.T, file string) node {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(string(mustRead(t, file))))
	var root node
	if err := decoder.Decode(&root); err != nil {
		t.Fatalf("%s is not well-formed: %v", file, err)
	}
	if _, err := decoder.Token(); err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("%s has something behind its end: %v", file, err)
	}
	return root
}

// TestPageIsWhole reads pages without a browser: from a token and from a snapshot, of five keys and of more, in every language.
func TestPageIsWhole(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, specimens, first, issuer string
		contents                       bool
	}{
		{"five", fiveSpecimens, "4 of 5 keys can be backed up.", "CN=bob", false},
		{"all", `label="alice" id=01 key=p256 policy=wrappable certificate=valid`, "The key can be backed up.", "Nothing", false},
		{"none", `label="bob" id=01 key=p256 policy=locked certificate=valid`, "The key cannot be backed up.", "CN=bob", false},
		{"no key", `label="paul" id=01 key=p256 nokey certificate=valid`, "There is no private key here", "Nothing", false},
		{"hostile", hostileSpecimens, "4 of 6 keys can be backed up.", `CN=\<script\>alert(1)\</script\>`, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newPlace(t, row.specimens).diagnosed()
			live := d.file("live.html")
			if r := p11bridge(t, d.environment, append([]string{"diagnose", "--html", live, "--lang", "en"}, d.flags...)...); r.code != 0 {
				t.Fatal(r.stderr)
			}
			page := readPage(t, live)
			if made := page.withID(t, "made").words(); !strings.Contains(made, host) || !regexp.MustCompile(`^\d+ [A-Z][a-z]+ \d{4} · p11bridge \S+ · `).MatchString(made) {
				t.Errorf("made: %q", made)
			}
			person := page.withID(t, "person").words()
			if !strings.Contains(person, row.first) || !strings.Contains(person, row.issuer) {
				t.Errorf("the first screen says: %s", person)
			}
			if there := len(page.all(tag("nav"))) == 1; there != row.contents {
				t.Errorf("a table of contents: %v", there)
			}
			if scripts := page.all(tag("script")); len(scripts) > 0 {
				t.Errorf("there is a script: %v", scripts)
			}
			d.snapshot(t)
			for _, language := range messages.Languages() {
				page := readPage(t, d.page(t, language))
				catalog, err := messages.Load(language)
				if err != nil {
					t.Fatal(err)
				}
				if private := page.withID(t, "private").words(); private != onOneLine(catalog.Text("page.private", nil)) {
					t.Errorf("%s: %q", language, private)
				}
				if made := page.withID(t, "made").words(); strings.HasSuffix(made, host) || !strings.Contains(made, " · p11bridge ") || !regexp.MustCompile(`\d{4}$`).MatchString(made) {
					t.Errorf("%s, from a snapshot: %q", language, made)
				}
			}
		})
	}
}

// TestPageOfHiddenKeys does not say "no" of what is only hidden until the login.
func TestPageOfHiddenKeys(t *testing.T) {
	t.Parallel()
	d := newPlace(t, oneKey).diagnosed()
	file := d.file("page.html")
	if r := p11bridge(t, d.environment, "diagnose", "--no-login", "--html", file, "--lang", "en"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	person := readPage(t, file).withID(t, "person")
	if said := person.words(); !strings.Contains(said, "It is not known yet") || !strings.Contains(person.attribute("class"), "doubt") {
		t.Errorf("%s: %s", person.attribute("class"), said)
	}
}
