package softhsmtests

import (
	"context"
	"fmt"
	"os"
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

// keep takes pictures for a person to look at, as wide as a telephone and as a desk's screen.
func (b *browser) keep(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(buildDirectory, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{telephone, desk} {
			b.scheme(t, scheme)
			b.size(t, width)
			picture := do(t, b, chromedp.FullScreenshot(90))
			if len(picture) < 10_000 {
				t.Errorf("a picture of %d bytes", len(picture))
			}
			if err := os.WriteFile(filepath.Join(buildDirectory, fmt.Sprintf("%s-%s-%d.jpg", name, scheme, width)), picture, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
	do(t, b, chromedp.ResetViewport())
}

// The widths at which pages are looked at, and the height of the first screen, in CSS pixels.
const (
	small       = 360
	telephone   = 390
	desk        = 1280
	firstHeight = 844
)

func (b *browser) size(t *testing.T, width int64) {
	t.Helper()
	do(t, b, chromedp.EmulateViewport(width, firstHeight))
}
