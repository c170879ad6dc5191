package softhsmtests

import (
	"context"
	"os/exec"
	"path/filepath"
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
