package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// tree is a copy of the source tree, in which lines may be broken.
type tree struct {
	directory string
	kept      string // where the end-to-end tests keep what all their runs make alike
}

// copyTree copies what git knows of the tree, and what it would add.
func copyTree(ctx context.Context, kept string) (*tree, error) {
	directory, err := os.MkdirTemp("", "p11bridge-mutants-")
	if err != nil {
		return nil, err
	}
	t := &tree{directory: directory, kept: kept}
	files, err := sourceFiles(ctx)
	if err != nil {
		return nil, errors.Join(err, t.remove())
	}
	for _, name := range files {
		if err := t.write(name); err != nil {
			return nil, errors.Join(err, t.remove())
		}
	}
	return t, nil
}

func sourceFiles(ctx context.Context) ([]string, error) {
	out, err := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var files []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() { // one that was removed is listed, too
			files = append(files, name)
		}
	}
	if len(files) == 0 {
		return nil, errors.New("git lists no file here")
	}
	return files, nil
}

// write puts the file there as it is.
func (t *tree) write(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	path := filepath.Join(t.directory, name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, info.Mode().Perm()))
}

func (t *tree) remove() error { return os.RemoveAll(t.directory) }

// try breaks the line, runs the test, and mends the line. No error means that the test noticed, be it by waiting beyond the limit.
// The binary is that of the tests as they are, for those that try the program; what they let pass is tried once more by a test binary
// that has the mutation in it. It is empty for all other tests.
func (t *tree) try(ctx context.Context, m mutation, binary string, limit time.Duration) (err error) {
	path := filepath.Join(t.directory, m.file)
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	broken, err := m.apply(string(source))
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(broken), 0o644); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.WriteFile(path, source, 0o644)) }()
	var said string
	if binary != "" {
		said, err = t.run(ctx, m.test, binary, limit)
	}
	if binary == "" || err == nil {
		said, err = t.test(ctx, m.test, limit)
	}
	switch {
	case err == nil:
		return fmt.Errorf("%s passes", m.test)
	case !errors.Is(err, errNoticed):
		return fmt.Errorf("%s: %w\n%s", m.test, err, said)
	}
	return nil
}

// errNoticed means that a test ran, and failed or did not end within its limit.
var errNoticed = errors.New("the test fails")

// test builds and runs a test in the tree, and ends it where it takes longer than the limit. The error is errNoticed where it ran and
// failed; anything else shows nothing.
func (t *tree) test(ctx context.Context, which test, limit time.Duration) (said string, err error) {
	command := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-ldflags=-s -w", "-timeout", limit.String(), "-v", "-run", which.pattern, which.pkg)
	command.Dir, command.Env = t.directory, environment() // without what is kept: the mutation may be in what makes it
	return outcome(command)
}

// run is test with a test binary that was built before.
func (t *tree) run(ctx context.Context, which test, binary string, limit time.Duration) (said string, err error) {
	command := exec.CommandContext(ctx, binary, "-test.timeout", limit.String(), "-test.v", "-test.run", which.pattern)
	command.Dir, command.Env = filepath.Join(t.directory, which.pkg), append(environment(), "P11BRIDGE_TESTS_KEEP="+t.kept)
	return outcome(command)
}

func outcome(command *exec.Cmd) (said string, err error) {
	command.WaitDelay = 10 * time.Second // a process that such a test leaves behind holds its output open
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err = command.Run()
	said = out.String()
	switch {
	case strings.Contains(said, "[build failed]") || strings.Contains(said, "[setup failed]"):
		return said, errors.New("it does not compile")
	case !strings.Contains(said, "=== RUN"):
		return said, errors.New("no test ran")
	case strings.Contains(said, "--- SKIP"):
		return said, errors.New("a test was skipped")
	case err != nil && (strings.Contains(said, "--- FAIL") || strings.Contains(said, "panic: test timed out after")):
		return said, errNoticed
	}
	return said, err
}
