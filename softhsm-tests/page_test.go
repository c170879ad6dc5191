package softhsmtests

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is headless Chromium with a profile of its own, which notes whatever a page says to the console and asks the
// network for.
type browser struct {
	context context.Context

	sync.Mutex
	console  []string
	requests []string
}

// buildDirectory keeps what a person may want to look at after a run; git ignores it.
const buildDirectory = "../build"

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: apt install chromium", err)
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.WSURLReadTimeout(time.Minute))
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	limited, cancel := context.WithDeadline(tab, lastMoment())
	t.Cleanup(cancel)
	b := &browser{context: limited}
	if err := chromedp.Listen(limited, b.note); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	call(t, b, network.Enable, network.EnableParams{})
	call(t, b, log.Enable, cdp.Empty{})
	call(t, b, runtime.Enable, cdp.Empty{})
	return b
}

// call makes one call of the DevTools protocol.
func call[P, R any](t *testing.T, b *browser, command cdp.Command[P, R], parameters P) R {
	t.Helper()
	result, err := chromedp.Call(b.context, command, parameters)
	if err != nil {
		t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

func (b *browser) note(event any) {
	b.Lock()
	defer b.Unlock()
	switch event := event.(type) {
	case *runtime.EventConsoleAPICalled:
		b.console = append(b.console, string(event.Type))
	case *runtime.EventExceptionThrown:
		b.console = append(b.console, event.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.console = append(b.console, string(event.Entry.Level)+": "+event.Entry.Text)
	case *page.EventJavascriptDialogOpening:
		b.console = append(b.console, "a dialog: "+event.Message)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, event.Request.URL)
	}
}

// do makes a step in the page and gives what comes of it.
func do[T any](t *testing.T, b *browser, action chromedp.Action[T]) T {
	t.Helper()
	result, err := chromedp.Run(b.context, action)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// scheme chooses light or dark.
func (b *browser) scheme(t *testing.T, name string) {
	t.Helper()
	call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}

// open loads a file, and wants that nothing but it was asked for and that the console stayed empty.
func (b *browser) open(t *testing.T, file string) {
	t.Helper()
	b.Lock()
	b.console, b.requests = nil, nil
	b.Unlock()
	do(t, b, chromedp.Steps(chromedp.Navigate("file://"+file), chromedp.Sleep(200*time.Millisecond)))
	b.Lock()
	defer b.Unlock()
	if len(b.requests) != 1 || !strings.HasSuffix(b.requests[0], filepath.Base(file)) {
		t.Errorf("the page asked for %q", b.requests)
	}
	if len(b.console) > 0 {
		t.Errorf("the console says %q", b.console)
	}
}

// evaluate gives what a JavaScript function body returns, in the page.
func evaluate[T any](t *testing.T, b *browser, body string) T {
	t.Helper()
	return do(t, b, chromedp.Evaluate[T]("(() => {"+body+"})()"))
}

// findings wants a check to find nothing. A check is the body of a function that returns a list of texts, and how many
// things it looked at.
func (b *browser) findings(t *testing.T, name, body string) {
	t.Helper()
	result := evaluate[struct {
		Looked   int      `json:"looked"`
		Findings []string `json:"findings"`
	}](t, b, "let looked = 0; const findings = []; "+body+"; return {looked, findings};")
	if result.Looked == 0 {
		t.Errorf("%s: nothing was looked at", name)
	}
	for _, finding := range result.Findings {
		t.Errorf("%s: %s", name, finding)
	}
}

// shown collects the texts that a person sees, each with the element that it stands in.
const shown = `
const shown = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
	const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
	if (text !== "" && !["STYLE", "SCRIPT"].includes(element.tagName)) shown.push({text, element});
}
`

// contrast computes the ratio of WCAG 2.1 §1.4.3 for every text against what is painted behind it.
const contrast = shown + `
const channels = colour => {
	const parts = colour.match(/[\d.]+/g).map(Number);
	return {rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1};
};
const over = (top, under) => top.rgb.map((value, i) => value * top.alpha + under[i] * (1 - top.alpha));
const luminance = rgb => {
	const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = element => {
	const layers = [];
	for (let e = element; e; e = e.parentElement) layers.unshift(channels(getComputedStyle(e).backgroundColor));
	let ground = getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
	for (const layer of layers) ground = over(layer, ground);
	return ground;
};
for (const {text, element} of shown) {
	looked++;
	const ground = behind(element), ink = over(channels(getComputedStyle(element).color), ground);
	const [light, dark] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
	const ratio = (light + 0.05) / (dark + 0.05);
	if (ratio < 4.5) findings.push(element.tagName + "." + element.className + " " + text.slice(0, 40) + ": " + ratio.toFixed(2));
	if (getComputedStyle(element).opacity !== "1") findings.push(text.slice(0, 40) + " is see-through");
}
`

// structure are the checks that do not depend on colours: what axe-core calls page-has-heading-one, heading-order, list,
// html-has-lang, document-title, region, empty-heading, duplicate-id, scope-attr-valid and scrollable-region-focusable.
var structure = map[string]string{
	"one h1": `looked = 1; const n = document.querySelectorAll("h1").length; if (n !== 1) findings.push(n + " of them")`,
	"heading levels": `
		let last = 0;
		for (const h of document.querySelectorAll("h1,h2,h3,h4,h5,h6")) {
			looked++;
			const level = Number(h.tagName[1]);
			if (level > last + 1) findings.push(h.tagName + " after h" + last + ": " + h.textContent.slice(0, 60));
			if (h.textContent.trim() === "") findings.push("an empty " + h.tagName);
			last = level;
		}`,
	"lists": `
		for (const list of document.querySelectorAll("ul,ol")) {
			looked++;
			if (list.children.length === 0) findings.push("an empty list under " + (list.previousElementSibling || list.parentElement).textContent.slice(0, 60));
			for (const item of list.children) if (item.tagName !== "LI") findings.push(item.tagName + " in a list");
		}
		for (const item of document.querySelectorAll("li")) {
			if (!["UL", "OL"].includes(item.parentElement.tagName)) findings.push("an item outside of a list");
			if (item.textContent.trim() === "") findings.push("an empty item");
		}`,
	"title and landmarks": `
		looked = 1;
		if (document.title.trim() === "") findings.push("no title");
		if (document.querySelectorAll("main").length !== 1) findings.push("not one main");
		for (const e of document.body.children) if (e.tagName !== "MAIN") findings.push(e.tagName + " outside of main");`,
	"ids": `
		looked = document.querySelectorAll("*").length;
		const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
		if (new Set(ids).size !== ids.length) findings.push("an id is there twice");`,
	"table headers": `
		for (const table of document.querySelectorAll("table")) {
			looked++;
			const columns = table.querySelectorAll("thead th[scope=col]").length;
			if (columns === 0) findings.push("no header");
			for (const row of table.querySelectorAll("tbody tr")) if (row.children.length !== columns) findings.push("a row of " + row.children.length);
		}`,
	"details have a summary": `for (const d of document.querySelectorAll("details")) { looked++; if (d.firstElementChild.tagName !== "SUMMARY" || d.firstElementChild.textContent.trim() === "") findings.push("none") }`,
	"commands take the focus": `
		for (const pre of document.querySelectorAll("pre")) {
			looked++;
			pre.focus();
			if (document.activeElement !== pre) findings.push(pre.textContent);
			if (!/^(p11bridge )?\S/.test(pre.textContent)) findings.push("blank: " + pre.textContent);
			if (getComputedStyle(pre).userSelect !== "all") findings.push("not selected as a whole: " + pre.textContent);
		}`,
	"nothing runs and nothing is fetched": `
		looked = document.querySelectorAll("*").length;
		for (const e of document.querySelectorAll("script,link,img,iframe,object,embed,base,form,video,audio,source,svg,math,template,meta[http-equiv=refresh]")) findings.push(e.outerHTML.slice(0, 80));
		for (const e of document.querySelectorAll("*")) for (const a of e.attributes) {
			if (a.name.startsWith("on") || ["src", "href", "srcset", "style", "action"].includes(a.name)) findings.push(e.tagName + " " + a.name + "=" + a.value);
		}
		if (!document.querySelector("meta[http-equiv='Content-Security-Policy'][content*=\"default-src 'none'\"]")) findings.push("no policy");`,
	"no light without words": `
		for (const e of document.querySelectorAll("ul.ratings li")) { looked++; if (!/\p{L}{3}/u.test(e.textContent)) findings.push(e.textContent) }
		for (const e of document.querySelectorAll("article")) { looked++; const v = e.querySelector(".verdict"); if (!v || !/\p{L}{3}/u.test(v.textContent)) findings.push("no verdict: " + e.textContent.slice(0, 60)) }`,
	"each light has its own words": `
		const words = {};
		for (const v of document.querySelectorAll(".verdict")) {
			looked++;
			const light = [...v.classList].find(c => c !== "verdict");
			for (const other in words) if (other !== light && words[other].has(v.textContent)) findings.push(v.textContent + " is " + light + " and " + other);
			(words[light] ??= new Set()).add(v.textContent);
		}`,
	"nothing controls or reorders": shown + `for (const {text} of shown) { looked++; if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/.test(text)) findings.push(JSON.stringify(text)) }`,
}

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
				b.keep(t, "diagnosis")
			}
		})
	}
	t.Run("narrow", func(t *testing.T) {
		b.open(t, d.page(t, "en"))
		do(t, b, chromedp.EmulateViewport(360, 740))
		b.findings(t, "scrolls sideways", `looked = 1; if (document.documentElement.scrollWidth > innerWidth) findings.push(document.documentElement.scrollWidth + " of " + innerWidth)`)
		do(t, b, chromedp.ResetViewport())
	})
	t.Run("print", func(t *testing.T) {
		b.open(t, d.page(t, "en"))
		b.checkPrint(t, "diagnosis")
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
}

// checkTexts wants a card for every identity, with all that the diagnosis says of it.
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
	articles := evaluate[int](t, b, `return document.querySelectorAll("article").length`)
	commands := evaluate[int](t, b, `return document.querySelectorAll("article pre").length`)
	if articles != cards || cards < 20 {
		t.Errorf("%d cards for %d identities", articles, cards)
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

// keep takes pictures for a person to look at.
func (b *browser) keep(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(buildDirectory, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(t, scheme)
		picture := do(t, b, chromedp.FullScreenshot(90))
		if len(picture) < 10_000 {
			t.Errorf("a picture of %d bytes", len(picture))
		}
		if err := os.WriteFile(filepath.Join(buildDirectory, name+"-"+scheme+".jpg"), picture, 0o644); err != nil {
			t.Error(err)
		}
	}
}

// checkPrint prints the page with its details closed, as it is opened, and wants all of its text on paper.
func (b *browser) checkPrint(t *testing.T, name string) {
	t.Helper()
	wanted := evaluate[[]string](t, b, shown+`return shown.map(s => s.text)`)
	paper := do(t, b, chromedp.PrintToPDF())
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
	// A line may break anywhere in a long word, and then pdftotext shows no blank or a hyphen of its own.
	dense := func(text string) string { return strings.Map(onlyVisible, text) }
	all := dense(string(printed))
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
	if pages := strings.Count(string(printed), "\f"); pages < 2 {
		t.Errorf("%d pages", pages)
	}
}

func onlyVisible(r rune) rune {
	if r <= ' ' || r == '\u00AD' || r == '\u00A0' || r == '-' || r == '\u2010' {
		return -1
	}
	return r
}
