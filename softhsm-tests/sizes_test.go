package softhsmtests

import (
	"go/ast"
	"slices"
	"testing"
)

// What can be read at one sitting, in lines, in programs and in tests.
const (
	longestFunction = 60
	longestFile     = 400
	medianFile      = 140
)

// TestSizes: a function that grew too long has a second one in it, and a file a second noun.
func TestSizes(t *testing.T) {
	var sizes []int
	for _, s := range sources(t) {
		size := s.set.File(s.file.FileStart).LineCount()
		sizes = append(sizes, size)
		if size > longestFile {
			t.Errorf("%s/%s has %d lines, more than %d", s.directory, s.name, size, longestFile)
		}
		for _, d := range s.file.Decls {
			f, is := d.(*ast.FuncDecl)
			if !is {
				continue
			}
			if lines := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1; lines > longestFunction {
				t.Errorf("%s/%s: %s has %d lines, more than %d", s.directory, s.name, f.Name.Name, lines, longestFunction)
			}
		}
	}
	slices.Sort(sizes)
	if median := sizes[len(sizes)/2]; median > medianFile {
		t.Errorf("half of the files have %d lines or more, more than %d", median, medianFile)
	}
}
