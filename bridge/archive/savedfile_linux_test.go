package archive

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReadBackReadsADraft has a pipe, and a large file, in the place of a draft.
func TestReadBackReadsADraft(t *testing.T) {
	for name, meet := range map[string]func(t *testing.T, draft string){
		"a pipe":       func(t *testing.T, draft string) { must(t, os.Remove(draft)); must(t, unix.Mkfifo(draft, 0o600)) },
		"a large file": func(t *testing.T, draft string) { must(t, os.Truncate(draft, 1<<40)) },
	} {
		path := filepath.Join(t.TempDir(), "a.pfx")
		d, err := NewDraft(Target{Path: path}, []byte("contents"))
		must(t, err)
		meet(t, filepath.Join(filepath.Dir(path), d.name))
		if contents, err := d.ReadBack(); err == nil && string(contents) == "contents" || len(contents) > 100 {
			t.Errorf("%s: %d bytes, %v", name, len(contents), err)
		}
		must(t, d.Discard())
	}
}
