// Testreport reads what `go test -json` writes and shows what a person or a CI log needs of it: one line a package, the
// output of what failed, every skipped test. It fails where a test failed, where one was skipped, and where none ran: a
// green run that ran nothing is a defect.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	if err := report(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

// event is one line of `go test -json` (go doc test2json).
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

type name struct{ pkg, test string }

// results is what is known of the run so far. Output is kept until its test has ended.
type results struct {
	out                     io.Writer
	output                  map[name][]string
	passed, skipped, failed int
	failedPackages          int
	skips                   []string
}

func report(in io.Reader, out io.Writer) error {
	r := results{out: out, output: map[name][]string{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil { // the go command's own words
			fmt.Fprintln(out, lines.Text())
			continue
		}
		r.take(e)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the events: %w", err)
	}
	return r.conclude()
}

func (r *results) take(e event) {
	which := name{e.Package, e.Test}
	switch e.Action {
	case "output":
		r.output[which] = append(r.output[which], e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "pass", "skip", "fail":
		if e.Test == "" {
			r.endPackage(e)
		} else {
			r.endTest(e)
		}
		delete(r.output, which)
	}
}

func (r *results) endTest(e event) {
	switch e.Action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped++
		r.skips = append(r.skips, e.Package+" "+e.Test)
		r.show(e)
	case "fail":
		r.failed++
		r.show(e)
	}
}

func (r *results) endPackage(e event) {
	switch {
	case e.Action == "pass":
		fmt.Fprintf(r.out, "ok    %-40s %8.1f s\n", e.Package, e.Elapsed)
	case e.Action == "skip":
		fmt.Fprintf(r.out, "–     %-40s no tests\n", e.Package)
	default:
		r.failedPackages++
		r.show(e)
		// A test that never ended belongs to a process that did not either: what it wrote is all there is to see.
		for which := range r.output {
			if which.pkg == e.Package && which.test != "" {
				fmt.Fprintf(r.out, "      not ended: %s\n", which.test)
				r.show(event{Package: which.pkg, Test: which.test})
			}
		}
		fmt.Fprintf(r.out, "FAIL  %-40s %8.1f s\n", e.Package, e.Elapsed)
	}
}

// show prints what a test or a package wrote, without the go command's own marks of progress.
func (r *results) show(e event) {
	for _, line := range r.output[name{e.Package, e.Test}] {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprint(r.out, line)
		}
	}
}

func (r *results) conclude() error {
	fmt.Fprintf(r.out, "%d tests passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	slices.Sort(r.skips)
	for _, skip := range r.skips {
		fmt.Fprintln(r.out, "  skipped:", skip)
	}
	switch {
	case r.failed > 0 || r.failedPackages > 0:
		return errors.New("there are failures")
	case r.skipped > 0:
		return errors.New("a skipped test proves nothing")
	case r.passed == 0:
		return errors.New("no test ran")
	}
	return nil
}
