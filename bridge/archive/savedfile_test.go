package archive

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// draftRow is what another process does to a draft before it gets its name.
var draftRows = []struct {
	name  string
	meet  func(t *testing.T, draft string)
	fault SavedFault
}{
	{"nothing", func(*testing.T, string) {}, ""},
	{"another file in its place", func(t *testing.T, draft string) {
		must(t, os.WriteFile(draft+".new", []byte("contents"), 0o600))
		must(t, os.Rename(draft+".new", draft))
	}, SavedReplaced},
	{"a link in its place", func(t *testing.T, draft string) {
		must(t, os.Remove(draft))
		must(t, os.Symlink("/etc/hostname", draft))
	}, SavedReplaced},
	{"other contents", func(t *testing.T, draft string) { must(t, os.WriteFile(draft, []byte("CONTENTS"), 0o600)) }, SavedAltered},
}

// TestPlaceLooksWhatItPlaced: what was proven is what stands under the final name, or the error says what happened.
func TestPlaceChecksTheFile(t *testing.T) {
	for _, row := range draftRows {
		for _, force := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "a.pfx")
			d, err := NewDraft(Target{Path: path, Force: force}, []byte("contents"))
			must(t, err)
			row.meet(t, filepath.Join(filepath.Dir(path), d.name))
			p, err := d.Place()
			if row.fault == "" {
				if err != nil || p.Check() != nil {
					t.Errorf("%s: %v", row.name, err)
				}
				continue
			}
			var found *SavedError
			if !errors.As(err, &found) || found.Fault != row.fault || p != nil {
				t.Errorf("%s: %v, not %s", row.name, err, row.fault)
			}
		}
	}
}

// TestCheck: the file under the final name is the one that was placed, by its inode and its contents.
func TestCheck(t *testing.T) {
	for _, row := range []struct {
		name  string
		meet  func(t *testing.T, path string)
		fault SavedFault
		holds bool
	}{
		{"nothing", func(*testing.T, string) {}, "", true},
		{"removed", func(t *testing.T, path string) { must(t, os.Remove(path)) }, SavedGone, false},
		{"its directory removed", func(t *testing.T, path string) { must(t, os.RemoveAll(filepath.Dir(path))) }, SavedGone, false},
		{"cut off", func(t *testing.T, path string) { must(t, os.Truncate(path, 1)) }, SavedAltered, false},
		{"grown", func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("contents and more"), 0o600)) }, SavedAltered, false},
		{"the same contents in another file", func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".new", []byte("contents"), 0o600))
			must(t, os.Rename(path+".new", path))
		}, SavedReplaced, true},
		{"a link to the same file", func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".moved"))
			must(t, os.Symlink(path+".moved", path))
		}, SavedReplaced, false},
		{"a directory", func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, os.Mkdir(path, 0o700)) }, SavedReplaced, false},
	} {
		path := filepath.Join(t.TempDir(), "directory", "a.pfx")
		must(t, os.Mkdir(filepath.Dir(path), 0o700))
		d, err := NewDraft(Target{Path: path}, []byte("contents"))
		must(t, err)
		p, err := d.Place()
		must(t, err)
		row.meet(t, path)
		var found *SavedError
		if errors.As(p.Check(), &found); (found != nil) != (row.fault != "") || found != nil && found.Fault != row.fault {
			t.Errorf("%s: %v, not %s", row.name, found, row.fault)
		}
		if p.Holds() != row.holds {
			t.Errorf("%s: holds the contents: %v", row.name, p.Holds())
		}
	}
}

func TestCheckLasting(t *testing.T) {
	if medium, err := CheckLasting("/dev/shm/a.pfx"); mediumOf("/dev/shm") == MediumTmpfs {
		var refused *FileError
		if !errors.As(err, &refused) || refused.Fault != FileVolatile || medium != MediumTmpfs {
			t.Errorf("/dev/shm: %s, %v", medium, err)
		}
	} else {
		t.Logf("/dev/shm is %q here", mediumOf("/dev/shm"))
	}
	if medium, err := CheckLasting("/proc/a.pfx"); medium != "" || err != nil {
		t.Errorf("/proc: %s, %v", medium, err)
	}
}

// TestPlaceReplacesOneFile: without Force, the one file that was judged is replaced, and none that came in its place.
func TestPlaceReplacesOneFile(t *testing.T) {
	for _, row := range []struct {
		name  string
		meet  func(t *testing.T, path string)
		fault FileFault
	}{
		{"the same", func(*testing.T, string) {}, ""},
		{"gone", func(t *testing.T, path string) { must(t, os.Remove(path)) }, ""},
		{"other contents", func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("OLD"), 0o600)) }, FileNotOwn},
		{"another file", func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".moved"))
			must(t, os.WriteFile(path, []byte("other"), 0o600))
		}, FileNotOwn},
	} {
		path := filepath.Join(t.TempDir(), "a.pfx")
		must(t, os.WriteFile(path, []byte("old"), 0o600))
		old, err := Remember(path, []byte("old"))
		must(t, err)
		d, err := NewDraft(Target{Path: path, Replaces: old}, []byte("new"))
		must(t, err)
		row.meet(t, path)
		_, err = d.Place()
		var refused *FileError
		if errors.As(err, &refused); (refused != nil) != (row.fault != "") || refused != nil && refused.Fault != row.fault {
			t.Errorf("%s: %v, not %q", row.name, err, row.fault)
		}
		contents, err := os.ReadFile(path)
		if must(t, err); (string(contents) == "new") != (row.fault == "") {
			t.Errorf("%s: there is %q", row.name, contents)
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) > 0 {
			t.Errorf("%s: %q is left (%v)", row.name, left, err)
		}
	}
}

// TestLargeFilesAreNotRead: of what somebody put in the place of a file no more is read than shows that it is another one.
func TestLargeFilesAreNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.pfx")
	must(t, os.WriteFile(path, []byte("contents"), 0o600))
	p, err := Remember(path, []byte("contents"))
	must(t, err)
	must(t, os.Truncate(path, 1<<40)) // it takes no room, and hours to be read
	var found *SavedError
	if err := p.Check(); !errors.As(err, &found) || found.Fault != SavedAltered {
		t.Errorf("Check: %v", err)
	}
	if _, err := digestOfFile(path); !errors.Is(err, errTooLarge) {
		t.Errorf("digestOfFile: %v", err)
	}
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	if _, err := digestOf(file, 1<<20); !errors.Is(err, errTooLarge) {
		t.Errorf("digestOf: %v", err)
	}
	if at, err := file.Seek(0, io.SeekCurrent); err != nil || at != 0 {
		t.Errorf("%d bytes were read (%v)", at, err)
	}
}
