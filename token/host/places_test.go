package host

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestInstalled wants the library of programs of 32 bits where it is there alone.
func TestInstalled(t *testing.T) {
	wide, narrow := t.TempDir(), t.TempDir()
	defer func(roots, others []string) { libraryRoots, narrowRoots = roots, others }(libraryRoots, narrowRoots)
	libraryRoots, narrowRoots = []string{wide}, []string{narrow}
	both, alone, absolute := filepath.Join(wide, "both.so"), filepath.Join(narrow, "alone.so"), filepath.Join(t.TempDir(), "absolute.so")
	for _, file := range []string{both, filepath.Join(narrow, "both.so"), alone, absolute} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(wide, "folder.so"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{"both.so": {both}, "alone.so": {alone}, absolute: {absolute}, "folder.so": nil, "none.so": nil} {
		if got := (place{path: path}).installed(); !slices.Equal(got, want) {
			t.Errorf("%s is at %q instead of %q", path, got, want)
		}
	}
}
