package softhsmtests

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// compiled are the C programs and libraries that were built, by what was built how: a test binary builds each once. They lie with the
// temporary files, which go when the tests have ended.
var compiled struct {
	sync.Mutex
	made map[string]func() (string, error) // gives the path
}

// compile builds a C program or, with -shared among the arguments, a library, from testdata.
func compile(t testing.TB, source, target string, args ...string) string {
	t.Helper()
	key := strings.Join(append([]string{source, target}, args...), " ")
	compiled.Lock()
	if compiled.made == nil {
		compiled.made = map[string]func() (string, error){}
	}
	build := compiled.made[key]
	if build == nil {
		build = sync.OnceValues(func() (string, error) { return runCompiler(source, target, args) })
		compiled.made[key] = build
	}
	compiled.Unlock()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func runCompiler(source, target string, args []string) (string, error) {
	args = append([]string{"-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", filepath.Join("testdata", source)}, args...)
	digest, err := digestOf(source)
	if err != nil {
		return "", err
	}
	directory, err := kept(strings.Join(append([]string{"C", digest, target}, args...), " "), func(directory string) error {
		if text, err := exec.Command("gcc", append(args, "-o", filepath.Join(directory, target))...).CombinedOutput(); err != nil {
			return fmt.Errorf("gcc: %w\n%s", err, text)
		}
		return nil
	})
	return filepath.Join(directory, target), err
}

// digestOf is the digest of a source and of all headers that it may include: what was compiled before they changed is not used.
func digestOf(source string) (string, error) {
	headers, err := filepath.Glob(filepath.Join("testdata", "*.h"))
	if err != nil {
		return "", err
	}
	digest := sha256.New()
	for _, name := range append(headers, filepath.Join("testdata", source)) {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(digest, "%s %d\n%s", name, len(text), text)
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}
