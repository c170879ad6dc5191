package softhsmtests

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPageLong opens the diagnosis of everything and of hostile labels in Chromium, light and dark, and prints it.
func TestPageLong(t *testing.T) {
	t.Parallel()
	d := everything(t)
	d.snapshot(t)
	r := d.fromSnapshot(t)
	b := newBrowser(t)
	languages := []string{"en", "es", "ca", "fr"}
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			file := d.page(t, language)
			b.open(t, file)
			if lang := evaluate[string](t, b, "return document.documentElement.lang"); lang != language {
				t.Errorf("lang is %q", lang)
			}
			b.checkPage(t)
			if language == "en" {
				b.checkTexts(t, r, d.steps(t))
				b.checkOrder(t, d)
				b.keep(t, "diagnosis")
			}
		})
	}
	t.Run("print", func(t *testing.T) {
		b.open(t, d.page(t, "en"))
		b.checkPrint(t, "diagnosis")
	})
	t.Run("five keys", func(t *testing.T) {
		for name, specimens := range map[string]string{"five": fiveSpecimens, "held": fiveHeld} {
			five := newPlace(t, specimens).diagnosed()
			five.snapshot(t)
			for _, language := range languages {
				b.open(t, five.page(t, language))
				if printed, pages := b.print(t, name+"."+language); pages > 2 {
					t.Errorf("%s, %s: %d pages\n%s", name, language, pages, printed)
				}
			}
		}
	})
	t.Run("few keys", func(t *testing.T) {
		held := newPlace(t, fiveHeld).diagnosed()
		held.snapshot(t)
		b.open(t, held.page(t, "ca"))
		b.checkPage(t)
	})
	t.Run("hostile", func(t *testing.T) {
		hostile := newPlace(t, hostileSpecimens).diagnosed()
		hostile.snapshot(t)
		b.open(t, hostile.page(t, "en"))
		b.checkPage(t)
		for _, label := range []string{"<script>alert(1)</script>", `"><img src=x onerror=alert(2)>`, "</style><style>*{display:none}", "{{.Title}}%s", `evil\x1B[2J\x07\u202Elabel/../x`} {
			b.findings(t, "the label "+label, shown+"looked++; if (!shown.some(s => s.text.includes("+quoted(t, label)+"))) findings.push('is not shown')")
		}
	})
}

// fiveSpecimens are keys of five different fates.
const fiveSpecimens = `token "five"
label="alice" id=01 key=rsa2048 policy=wrappable certificate=valid
label="bob" id=02 key=p256 policy=locked certificate=valid
label="carol" id=03 key=p256 policy=readable certificate=valid
label="lena" id=04 key=rsa2048 policy=wrappable certificate=expired
label="key alone" id=05 key=rsa2048 policy=wrappable
`

// fiveHeld are keys that cannot leave for five different reasons, of which there is the most to say.
const fiveHeld = `token "DNIe (Tarjeta Administración)"
label="CertFirmaDigital de Josep Maria Puigdellívol i Casademunt" id=01 key=rsa2048 policy=locked certificate=valid
label="María del Carmen Fernández-Villaverde Ortega" id=02 key=p256 imported policy=locked certificate=expired
label="trusted" id=03 key=rsa2048 policy=trusted certificate=valid
label="held" id=04 key=rsa2048 policy=held certificate=future
label="ed" id=05 key=ed25519 policy=wrappable certificate=valid
`

func quoted(t *testing.T, text string) string {
	t.Helper()
	out, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// page writes the page of the last snapshot.
func (d *diagnosed) page(t *testing.T, language string) string {
	t.Helper()
	file := d.file("page." + language + ".html")
	r := p11bridge(t, nil, "diagnose", "--from", d.file("snapshot.json"), "--html", file, "--force", "--lang", language)
	if r.code != 0 {
		t.Fatalf("diagnose --html: exit code %d\n%s", r.code, r.stderr)
	}
	return file
}

// steps are what the diagnosis of the last snapshot says to do.
func (d *diagnosed) steps(t *testing.T) []string {
	t.Helper()
	r := p11bridge(t, nil, "diagnose", "--from", d.file("snapshot.json"), "--lang", "en")
	var steps []string
	for line := range strings.Lines(r.stdout) {
		if step := strings.TrimSpace(line); numbered.MatchString(step) {
			steps = append(steps, numbered.ReplaceAllString(step, ""))
		}
	}
	if r.code != 0 || len(steps) < 20 {
		t.Fatalf("exit code %d, and %d steps\n%s", r.code, len(steps), r.stderr)
	}
	return steps
}

// checkPage makes all checks but those of what the page does not have, the one of contrast in light and in dark.
func (b *browser) checkPage(t *testing.T, without ...string) {
	t.Helper()
	for name, body := range structure {
		if slices.Contains(without, name) {
			continue
		}
		b.findings(t, name, body)
	}
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(t, scheme)
		if dark := evaluate[bool](t, b, `return matchMedia("(prefers-color-scheme: dark)").matches`); dark != (scheme == "dark") {
			t.Errorf("%s is not emulated", scheme)
		}
		evaluate[bool](t, b, `document.querySelectorAll("details").forEach(d => d.open = true); return true`)
		b.findings(t, "contrast in "+scheme, contrast)
	}
	for _, width := range []int64{small, telephone, desk} {
		b.size(t, width)
		for name, body := range fits {
			if !slices.Contains(without, name) {
				b.findings(t, fmt.Sprintf("%s at %d", name, width), body)
			}
		}
		b.findings(t, fmt.Sprintf("the first screen at %d", width), onFirstScreen)
	}
	do(t, b, chromedp.ResetViewport())
}

// checkTexts wants a place for every identity, with all that the diagnosis says of it.
func (b *browser) checkTexts(t *testing.T, r *result, steps []string) {
	t.Helper()
	text := evaluate[string](t, b, `return document.body.textContent`)
	for _, step := range steps {
		if !strings.Contains(flat(text), flat(step)) {
			t.Errorf("the page lacks the step %q", step)
		}
	}
	cards := 0
	for _, token := range r.document.Tokens {
		for _, identity := range token.Identities {
			cards++
			for _, code := range codesOf(identity.Verdict.Reasons) {
				for _, line := range explained(t, code) {
					if !strings.Contains(flat(text), flat(line)) {
						t.Errorf("%s: the page lacks %q", code, line)
					}
				}
			}
		}
	}
	items := evaluate[int](t, b, `return document.querySelectorAll("article .item").length`)
	commands := evaluate[int](t, b, `return document.querySelectorAll("article pre").length`)
	if items != cards || cards < 20 {
		t.Errorf("%d of %d identities have their place", items, cards)
	}
	if next := strings.Count(r.stdout, `"next": [`) - strings.Count(r.stdout, `"next": []`); commands != next {
		t.Errorf("%d commands for %d", commands, next)
	}
	if id := regexp.MustCompile(`\b(page|list|reason|diagnose|family)\.[a-z-]+\b`).FindString(text); id != "" {
		t.Errorf("an id stands for its text: %s", id)
	}
}

// flat leaves one blank wherever a text has any white space, and no quotation marks around commands.
func flat(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "`", "")), " ")
}

var numbered = regexp.MustCompile(`^\d+\. `)

// explained gives a reason's summary and why, as p11bridge explain prints them.
func explained(t *testing.T, code string) []string {
	t.Helper()
	r := p11bridge(t, nil, "explain", code, "--lang", "en")
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	var lines []string
	for line := range strings.Lines(r.stdout) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " ["+code+"]")
		switch {
		case strings.HasPrefix(line, "Seen:"), strings.HasPrefix(line, "Specification:"), line == "":
		case numbered.MatchString(line): // what to do is one list for all reasons of a key
		default:
			lines = append(lines, line)
		}
	}
	if len(lines) < 2 {
		t.Errorf("explain %s says only %q", code, lines)
	}
	return lines
}

// checkOrder wants the order of list: of the verdicts, of the cards of one verdict, and of the keys on one card.
func (b *browser) checkOrder(t *testing.T, d *diagnosed) {
	t.Helper()
	var listed []string
	for _, match := range regexp.MustCompile(`(?m)^  (\S.*?)(?:  .*| – .*)?$`).FindAllStringSubmatch(p11bridge(t, d.environment, append([]string{"list"}, d.flags...)...).stdout, -1) {
		listed = append(listed, match[1])
	}
	var places [][]int
	for _, card := range evaluate[[][]string](t, b, `return [...document.querySelectorAll("article")].map(a => [...a.querySelectorAll("h5")].map(h => h.textContent.split(" – ")[0]))`) {
		var at []int
		for _, name := range card {
			place := slices.Index(listed, name)
			at = append(at, place)
			if place >= 0 {
				listed[place] = "" // the next of this name is the next one
			}
		}
		places = append(places, at)
	}
	var first []int
	for _, card := range places {
		first = append(first, card[0])
		if !slices.IsSorted(card) {
			t.Errorf("the keys of a card stand at %d of the list", card)
		}
	}
	if !slices.IsSorted(first) || len(first) < 8 || slices.Contains(first, -1) {
		t.Errorf("the cards stand at %d of the list", first)
	}
}

// print prints the page and gives its text and how many pages it has.
func (b *browser) print(t *testing.T, name string) (text string, pages int) {
	t.Helper()
	paper := do(t, b, chromedp.PrintToPDF()) // on Letter, which is shorter than A4
	file := filepath.Join(buildDirectory, name+".pdf")
	if err := os.MkdirAll(buildDirectory, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, paper, 0o644); err != nil {
		t.Fatal(err)
	}
	printed, err := exec.Command("pdftotext", "-raw", file, "-").Output()
	if err != nil {
		t.Fatalf("pdftotext: %v: apt install poppler-utils", err)
	}
	return string(printed), strings.Count(string(printed), "\f")
}

// checkPrint wants all of the page's text on paper but the table of contents, and the evidence where it was opened.
func (b *browser) checkPrint(t *testing.T, name string) {
	t.Helper()
	if printed, _ := b.print(t, name); strings.Contains(printed, "C_GetAttributeValue") {
		t.Error("the evidence is on paper, and nobody asked for it")
	}
	wanted := evaluate[[]string](t, b, `document.querySelectorAll("details").forEach(d => d.open = true);`+shown+`return shown.filter(s => !s.element.closest("nav")).map(s => s.text)`)
	printed, pages := b.print(t, name)
	// A line may break anywhere in a long word, and then pdftotext shows no blank or a hyphen of its own.
	dense := func(text string) string { return strings.Map(onlyVisible, text) }
	all := dense(printed)
	missing := 0
	for _, text := range wanted {
		if strings.ContainsFunc(text, func(r rune) bool { return r >= 0x2E80 }) {
			continue // a machine that tests may have no font for it
		}
		if !strings.Contains(all, dense(text)) {
			if missing++; missing <= 10 {
				t.Errorf("not on paper: %q", text)
			}
		}
	}
	if missing > 10 {
		t.Errorf("and %d more of %d", missing-10, len(wanted))
	}
	if len(wanted) < 200 || !slices.Contains(wanted, "C_GetAttributeValue") {
		t.Errorf("only %d texts were sought", len(wanted))
	}
	if pages < 2 {
		t.Errorf("%d pages", pages)
	}
}

func onlyVisible(r rune) rune {
	if r <= ' ' || r == '\u00AD' || r == '\u00A0' || r == '-' || r == '\u2010' {
		return -1
	}
	return r
}
