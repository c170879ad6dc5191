// Mutants breaks the lines that decide, one at a time, each in a copy of the source tree, and runs the narrow test that is
// to notice. It fails where none does (a mutant survives), where a line is no longer there, and where a test named in the
// list does not pass on the tree as it is: a test that always fails notices nothing.
//
// Usage: mutants LIST [PATTERN], in the root of the source tree. PATTERN picks mutations by their title. The format of the
// list is described in list.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) < 1 || len(args) > 2 {
		return errors.New("usage: mutants LIST [PATTERN]")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	list, err := parse(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if len(args) == 2 {
		pattern, err := regexp.Compile(args[1])
		if err != nil {
			return err
		}
		list = matching(list, pattern)
	}
	if len(list) == 0 {
		return errors.New("no mutation is listed")
	}
	begun := time.Now()
	survived, err := tryAll(ctx, list, out)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d mutations, %d noticed, within %s\n", len(list), len(list)-survived, time.Since(begun).Round(time.Second))
	if survived > 0 {
		return fmt.Errorf("%d were not noticed", survived)
	}
	return nil
}

func matching(list []mutation, pattern *regexp.Regexp) []mutation {
	var picked []mutation
	for _, m := range list {
		if pattern.MatchString(m.title) {
			picked = append(picked, m)
		}
	}
	return picked
}

// tryAll shows that the tests pass as the tree is, and then tries each mutation, as many at a time as there are
// processors, each in a tree of its own.
func tryAll(ctx context.Context, list []mutation, out io.Writer) (survived int, err error) {
	kept, err := os.MkdirTemp("", "p11bridge-kept-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(kept)
	trees := make(chan *tree, min(runtime.NumCPU(), len(list)))
	for range cap(trees) {
		t, err := copyTree(ctx, kept)
		if err != nil {
			return 0, err
		}
		defer t.remove()
		trees <- t
	}
	first := <-trees
	binaries, err := first.compile(ctx, testsOf(list))
	trees <- first
	if err != nil {
		return 0, err
	}
	limits, err := passAsIs(ctx, trees, binaries, testsOf(list))
	if err != nil {
		return 0, err
	}
	var mutex sync.Mutex
	inTrees(trees, list, func(t *tree, m mutation) {
		begun := time.Now()
		binary := ""
		if m.test.pkg == endToEnd {
			binary = binaries[endToEnd]
		}
		problem := t.try(ctx, m, binary, limits[m.test])
		mutex.Lock()
		defer mutex.Unlock()
		if problem == nil {
			fmt.Fprintf(out, "noticed   %-60s %5.1f s\n", m.title, time.Since(begun).Seconds())
			return
		}
		survived++
		fmt.Fprintf(out, "SURVIVED  %s: %v\n", m.title, problem)
	})
	return survived, ctx.Err()
}

// passAsIs shows that the tests pass on the tree as it is, and gives each its limit for the mutations.
func passAsIs(ctx context.Context, trees chan *tree, binaries map[string]string, tests []test) (map[test]time.Duration, error) {
	limits := map[test]time.Duration{}
	var failed error
	var mutex sync.Mutex
	inTrees(trees, tests, func(t *tree, which test) {
		begun := time.Now()
		said, err := t.run(ctx, which, binaries[which.pkg], longest)
		mutex.Lock()
		defer mutex.Unlock()
		limits[which] = limit(time.Since(begun))
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("without a mutation: %s: %w\n%s", which, err, said))
		}
	})
	return limits, failed
}

// inTrees does the same with each item, as many at a time as there are trees, and one in each.
func inTrees[T any](trees chan *tree, items []T, do func(*tree, T)) {
	var group sync.WaitGroup
	for _, item := range items {
		t := <-trees
		group.Go(func() {
			do(t, item)
			trees <- t
		})
	}
	group.Wait()
}

// longest is what a test may take on the tree as it is.
const longest = 10 * time.Minute

// limit is what a test may take with a mutation, where it took this long without one. Beside another test it is slower. A
// test that waits for what a mutation keeps from it is not to wait for minutes.
func limit(took time.Duration) time.Duration { return min(longest, 20*time.Second+5*took) }

// testsOf lists each test of the list once, in order.
func testsOf(list []mutation) []test {
	var tests []test
	seen := map[test]bool{}
	for _, m := range list {
		if !seen[m.test] {
			seen[m.test] = true
			tests = append(tests, m.test)
		}
	}
	return tests
}
