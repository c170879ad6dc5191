package bridge

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
)

// placedFile is a file that a run has proven and placed.
func savedFile(t *testing.T) *provenFile {
	t.Helper()
	made := &provenFile{encoded: []byte("the only copy"), result: &ExportResult{File: filepath.Join(t.TempDir(), "a.pfx"), Proof: archive.ProofIndependent}}
	var err error
	if made.draft, err = archive.NewDraft(archive.Target{Path: made.result.File}, made.encoded); err != nil {
		t.Fatal(err)
	}
	if made.saved, err = made.draft.Place(); err != nil {
		t.Fatal(err)
	}
	return made
}

// TestKeep: what becomes of a file in the moment in which its key is destroyed.
func TestKeep(t *testing.T) {
	for _, row := range []struct {
		name   string
		meet   func(t *testing.T, path string)
		again  bool // it is written again
		beside bool // under another name
	}{
		{"nothing", func(*testing.T, string) {}, false, false},
		{"it is removed", remove, true, false},
		{"it is cut off", func(t *testing.T, path string) { must(t, os.Truncate(path, 3)) }, true, false},
		{"the same bytes come again by another file", func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".new", []byte("the only copy"), 0o600))
			must(t, os.Rename(path+".new", path))
		}, false, false},
		{"another file comes", func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".new", []byte("another"), 0o600))
			must(t, os.Rename(path+".new", path))
		}, true, true}, // it stays: it may be another key's only copy
		{"a directory takes its name", func(t *testing.T, path string) { remove(t, path); must(t, os.Mkdir(path, 0o700)) }, true, true},
		{"a link takes its name", func(t *testing.T, path string) { remove(t, path); must(t, os.Symlink("/dev/null", path)) }, true, true},
	} {
		made := savedFile(t)
		path := made.result.File
		row.meet(t, path)
		if err := made.onlyCopies()[0].keep(); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		contents, err := os.ReadFile(made.result.File)
		if err != nil || string(contents) != "the only copy" {
			t.Errorf("%s: %q, %v", row.name, contents, err)
		}
		if said := !made.result.Settled(); said != row.again || (made.result.File != path) != row.beside {
			t.Errorf("%s: said %v, and stands at %s", row.name, said, made.result.File)
		}
	}
}

// TestKeepWithoutADirectory: the medium is gone, and the person's home is not.
func TestKeepWithoutADirectory(t *testing.T) {
	made := savedFile(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	must(t, os.RemoveAll(filepath.Dir(made.result.File)))
	if err := made.onlyCopies()[0].keep(); err != nil || !strings.HasPrefix(made.result.File, home) || made.result.Settled() {
		t.Errorf("%s, %v", made.result.File, err)
	}
	t.Setenv("HOME", filepath.Join(home, "none"))
	t.Setenv("TMPDIR", filepath.Join(home, "none"))
	made = savedFile(t)
	must(t, os.RemoveAll(filepath.Dir(made.result.File)))
	if err := made.onlyCopies()[0].keep(); err == nil {
		t.Error("a key that is lost is not told")
	}
}

func remove(t *testing.T, path string) { t.Helper(); must(t, os.Remove(path)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// placedReasons are the reasons that a file gives that was placed and has to be looked after.
func savedReasons(t *testing.T) []verdict.Reason {
	t.Helper()
	made := savedFile(t)
	remove(t, made.result.File)
	must(t, made.onlyCopies()[0].keep())
	if noticed(made.result, &archive.SavedError{Path: "a.pfx", Fault: archive.SavedUncertain, Err: errors.New("input/output error")}) == nil {
		t.Error("an uncertain file is not noticed")
	}
	if noticed(made.result, &archive.SavedError{Path: "a.pfx", Fault: archive.SavedReplaced}) != nil {
		t.Error("a replaced file counts as placed")
	}
	made.result.standsOn("")
	made.result.standsOn(archive.MediumOverlay)
	return made.result.Notices
}

func TestSavedReasons(t *testing.T) {
	for _, reason := range savedReasons(t) {
		if err := reason.Validate(); err != nil {
			t.Error(err)
		}
	}
	if got := len(savedReasons(t)); got != 3 {
		t.Errorf("%d reasons", got)
	}
}
