package softhsmtests

import (
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// sampled are the rows of a table that the test at hand runs. Where many rows show one thing, or one thing in many places, make test
// runs some of them, and make test-long the others: of two tests TestX and TestXLong, the first has one row in so many, and the second
// all that the first has not. Where the sample begins depends on the test's name, so that each language, each fault has its turn.
// A TestX without its TestXLong fails: its other rows would not run anywhere.
func sampled[T any](t *testing.T, every int, rows []T) []T {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	name, long := strings.CutSuffix(name, "Long")
	if !testNames()[name+"Long"] {
		t.Fatalf("%s runs one row in %d, and there is no %sLong for the others", name, every, name)
	}
	first := int(crc32.ChecksumIEEE([]byte(name)) % uint32(every))
	var chosen []T
	for i, row := range rows {
		if (i%every == first) != long {
			chosen = append(chosen, row)
		}
	}
	if len(chosen) == 0 {
		t.Fatalf("%s has no row of %d", t.Name(), len(rows))
	}
	return chosen
}

// testNames are the tests of this package.
var testNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		for _, match := range testFunction.FindAllStringSubmatch(string(text), -1) {
			names[match[1]] = true
		}
	}
	return names
})

var testFunction = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
