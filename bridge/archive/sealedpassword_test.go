package archive

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// pair makes the drafts of a sealed password and of its file.
func pair(t *testing.T, directory, password, file string, force bool) (*Draft, *Draft) {
	t.Helper()
	path := filepath.Join(directory, "a.pfx")
	one, err := NewDraft(Target{Path: path + PasswordExtension, Force: force}, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	two, err := NewDraft(Target{Path: path, Force: force}, []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return one, two
}

func holds(t *testing.T, directory string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(want) {
		t.Errorf("%d files: %v", len(entries), entries)
	}
	for name, contents := range want {
		text, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil || string(text) != contents {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// TestPlaceBoth: a sealed password and its file get their names both or neither, and what is replaced is there until both are.
func TestPlaceBoth(t *testing.T) {
	directory := t.TempDir()
	one, two := pair(t, directory, "first password", "first", false)
	if _, _, err := PlaceBoth(one, two); err != nil {
		t.Fatal(err)
	}
	holds(t, directory, map[string]string{"a.pfx": "first", "a.pfx.password": "first password"})

	one, two = pair(t, directory, "second password", "second", true)
	var during map[string]string
	two.target.Placing = func(string) { // as a machine that stops here finds it
		during = map[string]string{}
		for _, name := range []string{"a.pfx", "a.pfx.password", "a.pfx.password.old"} {
			text, err := os.ReadFile(filepath.Join(directory, name))
			if err != nil {
				t.Errorf("between the two: %v", err)
			}
			during[name] = string(text)
		}
	}
	if _, _, err := PlaceBoth(one, two); err != nil {
		t.Fatal(err)
	}
	if during["a.pfx"] != "first" || during["a.pfx.password.old"] != "first password" || during["a.pfx.password"] != "second password" {
		t.Errorf("between the two: %q", during)
	}
	holds(t, directory, map[string]string{"a.pfx": "second", "a.pfx.password": "second password"})

	// The file does not get its name: the password before is back.
	one, two = pair(t, directory, "third password", "third", true)
	two.target.Force = false
	var refused *FileError
	if _, _, err := PlaceBoth(one, two); !errors.As(err, &refused) || refused.Fault != FileExists {
		t.Errorf("a file that is there: %v", err)
	}
	holds(t, directory, map[string]string{"a.pfx": "second", "a.pfx.password": "second password"})

	// An earlier run was stopped between the two: what it kept is not written over.
	if err := os.WriteFile(filepath.Join(directory, "a.pfx.password.old"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	one, two = pair(t, directory, "fourth password", "fourth", true)
	if _, _, err := PlaceBoth(one, two); !errors.As(err, &refused) || refused.Fault != FileExists {
		t.Errorf("a password that was kept: %v", err)
	}
	holds(t, directory, map[string]string{"a.pfx": "second", "a.pfx.password": "second password", "a.pfx.password.old": "kept"})

	empty := t.TempDir()
	one, two = pair(t, empty, "password", "file", false)
	if err := os.WriteFile(filepath.Join(empty, "a.pfx"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := PlaceBoth(one, two); !errors.As(err, &refused) {
		t.Errorf("a file that came meanwhile: %v", err)
	}
	holds(t, empty, map[string]string{"a.pfx": "another"})
}
