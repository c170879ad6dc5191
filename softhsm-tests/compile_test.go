package softhsmtests

import (
	"fmt"
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
	directory, err := kept(strings.Join(append([]string{"C", source, target}, args...), " "), func(directory string) error {
		args := append([]string{"-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", filepath.Join(directory, target), filepath.Join("testdata", source)}, args...)
		if text, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("gcc: %w\n%s", err, text)
		}
		return nil
	})
	return filepath.Join(directory, target), err
}
