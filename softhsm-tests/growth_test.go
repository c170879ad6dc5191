package softhsmtests

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"p11bridge/token/tokentest"
)

// Work is counted, not timed: the calls that reach the module, and the statements of p11bridge that are executed, which a build
// with -cover counts in each of its processes.

// TestGrowth has two commands work on 100 and on 1,000 identities: the calls may not grow faster than n·log n.
func TestGrowth(t *testing.T) {
	t.Parallel()
	testGrowth(t, "p11bridge", 100, 1000, func(run growthRun) bool { return run.name == "list" || run.name == "a mistyped name" })
}

// TestGrowthLong has every command work, and counts the statements as well. It goes on to 10,000 identities, and to 3,000 for what rests
// on a file for each key: writing 10,000 takes a quarter of an hour.
func TestGrowthLong(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "p11bridge")
	build := exec.Command("go", "build", "-cover", "-covermode=count", "-coverpkg=p11bridge/...", "-o", program, "../cmd/p11bridge")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build -cover: %v\n%s", err, out)
	}
	every := func(growthRun) bool { return true }
	testGrowth(t, program, 100, 1000, every)
	testGrowth(t, program, 1000, 10000, every)
}

// mostFiles is how many identities get files.
const mostFiles = 3000

// few is how many identities the work is measured on that does not grow.
const few = 10

// testGrowth counts the statements where the program is one that counts them.
func testGrowth(t *testing.T, program string, less, more int, picked func(growthRun) bool) {
	t.Helper()
	counts := filepath.IsAbs(program)
	module := compile(t, "many.c", "many.so", "-shared", "-fPIC")
	sizes := map[int]*grown{}
	for _, n := range []int{few, less, min(more, mostFiles), more} {
		if sizes[n] != nil {
			continue
		}
		scratch := t.TempDir()
		sizes[n] = &grown{t: t, program: program, module: module, scratch: scratch, directory: filepath.Join(scratch, "backups"), password: filepath.Join(scratch, "password"), count: n, files: map[tokentest.Many]string{}}
		if err := os.WriteFile(sizes[n].password, []byte("password-of-the-growth-test"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, run := range growthRuns {
		if !picked(run) || run.alone && !counts {
			continue
		}
		more := more
		if run.files {
			more = min(more, mostFiles)
		}
		allowed := bound(more) / bound(less)
		base, low, high := sizes[few].work(t, run, counts), sizes[less].work(t, run, counts), sizes[more].work(t, run, counts)
		for _, figure := range []struct {
			name            string
			base, low, high float64
		}{{"calls", base.calls, low.calls, high.calls}, {"statements", base.statements, low.statements, high.statements}} {
			if figure.name == "statements" && !counts || figure.name == "calls" && run.alone {
				continue
			}
			ratio := (figure.high - figure.base) / max(figure.low-figure.base, 1)
			t.Logf("%-42s %-10s %d: %.0f, %d: %.0f, %.1f times", run.name, figure.name, less, figure.low, more, figure.high, ratio)
			if figure.low <= figure.base {
				t.Errorf("%s: %.0f %s on %d identities and %.0f on %d: nothing was counted", run.name, figure.low, figure.name, less, figure.base, few)
			}
			if ratio > allowed {
				t.Errorf("%s: %.0f %s on %d identities and %.0f on %d: %.1f times as many, and n·log n is %.1f times", run.name, figure.low, figure.name, less, figure.high, more, ratio, allowed)
			}
		}
		if counts {
			t.Logf("%-42s %-10s %d: %.0f", run.name, "collections", more, high.collections)
		}
		if high.collections > collectionsPerKey*float64(more) || counts && run.name == "export --all" && low.collections == 0 {
			t.Errorf("%s: %.0f collections on %d identities and %.0f on %d", run.name, low.collections, less, high.collections, more)
		}
	}
}

// bound is n·log n without what a few identities take.
func bound(n int) float64 {
	of := func(n int) float64 { return float64(n) * math.Log(float64(n)) }
	return of(n) - of(few)
}

// work is what was counted. A collection goes over everything in memory: one for each key makes a time that grows by the square, which shows
// neither in calls nor in statements.
type work struct{ calls, statements, collections float64 }

// collectionsPerKey is how many there may be for each key in a run that works with all of them. Each file for itself needs three.
const collectionsPerKey = 0.5

// work runs p11bridge and counts. It has one thread for the module, whose token is one for one thread.
func (g *grown) work(t *testing.T, run growthRun, statements bool) work {
	t.Helper()
	of := run.on(g.count)
	if g.files[of] == "" {
		objects, err := of.Objects()
		if err != nil {
			t.Fatal(err)
		}
		g.files[of] = write(t, t.TempDir(), "objects", objects)
	}
	counted, calls := t.TempDir(), filepath.Join(g.scratch, "calls")
	command := exec.CommandContext(t.Context(), g.program, run.args(g)...)
	command.Env = append(os.Environ(), "P11BRIDGE_MODULE="+g.module, "P11MANY="+g.files[of], "P11MANY_CALLS="+calls, "GOCOVERDIR="+counted, "GOMAXPROCS=1")
	if r := finish(t, command); r.code != run.code {
		t.Fatalf("%s on %d identities: exit code %d, not %d\n%.2000s\n%.2000s", run.name, g.count, r.code, run.code, r.stdout, r.stderr)
	}
	var n float64
	if !run.alone {
		text, err := os.ReadFile(calls)
		if err != nil {
			t.Fatal(err)
		}
		if n, err = strconv.ParseFloat(strings.TrimSpace(string(text)), 64); err != nil {
			t.Fatal(err)
		}
	}
	if !statements {
		return work{calls: n}
	}
	all, collections := executed(t, counted)
	return work{n, all, collections}
}

// executed counts the statements that the processes of a run executed, and how often that one was among them which collects what
// nothing refers to.
func executed(t *testing.T, directory string) (total, collections float64) {
	t.Helper()
	collects := lineOf(t, filepath.Join("..", "token", "secret", "forget.go"), "for range collections {")
	profile := filepath.Join(directory, "profile")
	if out, err := exec.CommandContext(context.Background(), "go", "tool", "covdata", "textfmt", "-i="+directory, "-o="+profile).CombinedOutput(); err != nil {
		t.Fatalf("go tool covdata: %v\n%s", err, out)
	}
	file, err := os.Open(profile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Scan() // the mode
	for lines.Scan() {
		var statements, times float64
		fields := strings.Fields(lines.Text())
		if _, err := fmt.Sscan(strings.Join(fields[len(fields)-2:], " "), &statements, &times); err != nil {
			t.Fatal(err)
		}
		total += statements * times
		if strings.Contains(fields[0], "token/secret/forget.go:"+strconv.Itoa(collects)+".") {
			collections += times
		}
	}
	if err := lines.Err(); err != nil || total == 0 {
		t.Fatalf("no statement was counted: %v", err)
	}
	return total, collections
}

// lineOf is the number of the only line of a file that has a text.
func lineOf(t *testing.T, path, text string) int {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	earlier, after, found := strings.Cut(string(file), text)
	if !found || strings.Contains(after, text) {
		t.Fatalf("%s has %q not once", path, text)
	}
	return strings.Count(earlier, "\n") + 1
}
