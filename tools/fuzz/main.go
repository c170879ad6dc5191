// Fuzz runs every fuzz target below a directory for a while, and prints how often each was executed: a target that hardly runs
// finds nothing, and says so nowhere. It fails where a target fails, and where one was executed less often than its floor: so many
// times in a second of the processor's time, which the other work of the machine does not change. The floors stand in floors.txt.
//
//	fuzz [-time 20s] [-floors FILE] [-keep N] [-run PATTERN] DIRECTORY
//
// What is found interesting, because it reaches code that the seeds do not, stays in build/fuzzing and is where the next run begins.
// With -keep the N smallest of each target become seeds in its testdata/fuzz, which every go test runs. No seed is replaced.
package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

type options struct {
	time   time.Duration
	floors map[string]int
	keep   int
	run    *regexp.Regexp
}

// target is one fuzz target. Its directory is relative to the module's root.
type target struct{ directory, name string }

// outcome is what the go command said of a target.
type outcome struct {
	target
	executions int
	processor  time.Duration // that the target and its workers took
	found      string        // new interesting inputs, and all
	err        error
	output     []byte
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	var o options
	flags.DurationVar(&o.time, "time", 20*time.Second, "how long each target runs")
	floors := flags.String("floors", "tools/fuzz/floors.txt", "how many executions a second of the processor's time each target must reach")
	flags.IntVar(&o.keep, "keep", 0, "how many interesting inputs of each target become seeds")
	pattern := flags.String("run", "", "only the targets whose names match")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("name one directory")
	}
	var err error
	if o.run, err = regexp.Compile(*pattern); err != nil {
		return err
	}
	if o.floors, err = readFloors(*floors); err != nil {
		return err
	}
	root, err := filepath.Abs(flags.Arg(0))
	if err != nil {
		return err
	}
	targets, err := find(root, o.run)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return errors.New("there is no target")
	}
	failed := 0
	for _, t := range targets {
		result := t.fuzz(root, o)
		fmt.Printf("%10d executions, %7.0f a second of the processor  %-25s %s%s\n", result.executions, result.rate(), t.name, t.directory, result.found)
		if result.err != nil {
			failed++
			fmt.Printf("%v\n%s", result.err, result.output)
		}
		if o.keep > 0 {
			if err := t.keep(root, o.keep); err != nil {
				return err
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d targets failed", failed, len(targets))
	}
	return nil
}

var declaration = regexp.MustCompile(`(?m)^func (Fuzz[A-Za-z0-9_]+)\(f \*testing\.F\)`)

func find(root string, wanted *regexp.Regexp) (targets []target, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		directory, err := filepath.Rel(root, filepath.Dir(path))
		for _, match := range declaration.FindAllSubmatch(text, -1) {
			if name := string(match[1]); wanted.MatchString(name) {
				targets = append(targets, target{directory, name})
			}
		}
		return err
	})
	slices.SortFunc(targets, func(a, b target) int {
		return cmp.Or(cmp.Compare(a.directory, b.directory), cmp.Compare(a.name, b.name))
	})
	return targets, err
}

// cache is where the fuzz engine keeps what it found interesting.
func (t target) cache(root string) string {
	return filepath.Join(root, "build", "fuzzing", t.directory)
}

// progress is the engine's last word: "fuzz: elapsed: 20s, execs: 346000 (17300/sec), new interesting: 12 (total: 50)".
var progress = regexp.MustCompile(`execs: (\d+) .*new interesting: (\d+) \(total: (\d+)\)`)

// fuzz runs the target. Large inputs are made smaller ten times at the most: by default the engine takes a minute for each.
func (t target) fuzz(root string, o options) outcome {
	result := outcome{target: t}
	directory := filepath.Join(root, t.directory)
	binary := filepath.Join(root, "build", t.name+".test")
	defer os.Remove(binary)
	build := exec.Command("go", "test", "-c", "-fuzz", "^"+t.name+"$", "-o", binary, ".")
	build.Dir = directory
	if result.output, result.err = build.CombinedOutput(); result.err != nil {
		return result
	}
	command := exec.Command(binary, "-test.run", "^$", "-test.fuzz", "^"+t.name+"$", "-test.fuzztime", o.time.String(), "-test.fuzzminimizetime", "10x",
		"-test.fuzzcachedir="+t.cache(root))
	command.Dir = directory
	result.output, result.err = command.CombinedOutput()
	if command.ProcessState != nil { // of its workers, too, which it has waited for
		result.processor = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	}
	if result.err != nil && overran(result.output) {
		result.err = nil
	}
	matches := progress.FindAllSubmatch(result.output, -1)
	if len(matches) > 0 {
		last := matches[len(matches)-1]
		result.executions, _ = strconv.Atoi(string(last[1])) // digits, by the pattern
		result.found = fmt.Sprintf("  (interesting: %s new, %s in all)", last[2], last[3])
	}
	switch floor, known := o.floors[t.name]; {
	case result.err != nil:
	case !known:
		result.err = fmt.Errorf("%s has no floor", t.name)
	case result.rate() < float64(floor):
		result.err = fmt.Errorf("%s was executed %.0f times in a second of the processor's time, fewer than %d", t.name, result.rate(), floor)
	}
	return result
}

// rate is how often the target was executed in a second of the processor's time.
func (o outcome) rate() float64 {
	return float64(o.executions) / max(o.processor.Seconds(), 0.001)
}

// readFloors reads lines of a target and its floor.
func readFloors(file string) (map[string]int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	floors := map[string]int{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		floor, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil || len(fields) != 2 {
			return nil, fmt.Errorf("%s: %q is no target with its floor", file, strings.TrimSpace(line))
		}
		floors[fields[0]] = floor
	}
	return floors, nil
}

// overran reports whether the engine took its own end for a failure, as it does at times on a machine that has much to do. An input
// that fails is always written down.
func overran(output []byte) bool {
	return bytes.Contains(output, []byte("context deadline exceeded")) && !bytes.Contains(output, []byte("Failing input written")) && !bytes.Contains(output, []byte("panic:"))
}

// keep writes the smallest of the interesting inputs that are no seeds yet to the target's seeds.
func (t target) keep(root string, n int) error {
	seeds := filepath.Join(root, t.directory, "testdata", "fuzz", t.name)
	entries, err := os.ReadDir(filepath.Join(t.cache(root), t.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var inputs [][]byte
	for _, entry := range entries {
		input, err := os.ReadFile(filepath.Join(t.cache(root), t.name, entry.Name()))
		if err != nil {
			return err
		}
		inputs = append(inputs, input)
	}
	slices.SortFunc(inputs, func(a, b []byte) int { return cmp.Or(cmp.Compare(len(a), len(b)), bytes.Compare(a, b)) })
	if err := os.MkdirAll(seeds, 0o755); err != nil {
		return err
	}
	for _, input := range inputs[:min(n, len(inputs))] {
		digest := sha256.Sum256(input)
		if err := os.WriteFile(filepath.Join(seeds, fmt.Sprintf("interesting-%x", digest[:4])), input, 0o644); err != nil {
			return err
		}
	}
	return nil
}
