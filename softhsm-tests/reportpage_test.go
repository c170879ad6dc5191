package softhsmtests

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// reported writes the page of many machines: of one nothing was heard since 2020, and a document is none.
func reported(t *testing.T, language string) string {
	t.Helper()
	directory := t.TempDir()
	args := []string{"report", "--html", filepath.Join(directory, "report.html"), "--lang", language, "--expires-within", "3000d"}
	for name, specimens := range map[string]string{"five": fiveSpecimens, "hostile": hostileSpecimens, "old": oneKey} {
		d := newPlace(t, specimens).diagnosed()
		r := d.run(t, "status", "--dir", t.TempDir())
		if r.code != 5 {
			t.Fatalf("status: exit code %d\n%s", r.code, r.stderr)
		}
		text := r.stdout
		if name == "old" {
			text = regexp.MustCompile(`"created": "\d{4}-`).ReplaceAllString(text, `"created": "2020-`)
		}
		args = append(args, write(t, directory, name+".json", []byte(text)))
	}
	args = append(args, write(t, directory, "none.json", []byte("{")))
	if r := p11bridge(t, nil, args...); r.code != 5 {
		t.Fatalf("report: exit code %d\n%s", r.code, r.stderr)
	}
	return filepath.Join(directory, "report.html")
}

// TestReportPageIsWhole: the first screen says what needs a backup, what is not known and what to do, and the contents lead to the parts.
func TestReportPageIsWhole(t *testing.T) {
	t.Parallel()
	for _, language := range messages.Languages() {
		page := readPage(t, reported(t, language))
		catalog, err := messages.Load(language)
		if err != nil {
			t.Fatal(err)
		}
		person := page.withID(t, "person")
		said := person.words()
		for _, want := range []string{
			catalog.Text("report.answer.some", messages.Args{"Count": messages.Number(9)}),
			catalog.Text("report.answer.gaps", messages.Args{"NotKnown": messages.Number(0), "Silent": messages.Number(1), "Unread": messages.Number(1)}),
			catalog.Text("report.now.back-up", nil), catalog.Text("report.rating.silent", messages.Args{"Count": messages.Number(1)}), catalog.Text("report.rating.unread", messages.Args{"Count": messages.Number(1)}),
		} {
			if !strings.Contains(said, onOneLine(want)) {
				t.Errorf("%s: the first screen lacks %q: %s", language, want, said)
			}
		}
		if strings.Contains(page.words(), `\xA0`) { // our own words are made printable by nobody
			t.Errorf("%s: a blank is written as its code: %s", language, page.words())
		}
		if !strings.Contains(person.attribute("class"), "bad") {
			t.Errorf("%s: the light is %s", language, person.attribute("class"))
		}
		links := page.all(tag("nav"))[0].all(tag("a"))
		if len(links) < 5 {
			t.Errorf("%s: only %d links", language, len(links))
		}
		for _, link := range links {
			if part := page.withID(t, strings.TrimPrefix(link.attribute("href"), "#")); !strings.Contains(part.words(), link.words()) {
				t.Errorf("%s: %q leads to %.60q", language, link.words(), part.words())
			}
		}
	}
}

// TestReportPageLong opens it as a person would.
func TestReportPageLong(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	for _, language := range messages.Languages() {
		b.open(t, reported(t, language))
		// It has neither commands nor evidence, the heading of a part is its verdict, and the contents are the parts.
		b.checkPage(t, "commands take the focus", "details have a summary", "table headers", "no light without words", "each light has its own words", "contents where there is much")
	}
	b.keep(t, "report")
}
