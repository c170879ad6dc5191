package archive

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What is behind a symbolic link is not read, and the error says so: the system speaks of too many of them.
func TestReadRegularFollowsNoLink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link.pfx")
	if err := os.Symlink("file.pfx", link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(link), "file.pfx"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadRegular(link, 100); !errors.Is(err, errNotFollowed) {
		t.Errorf("read %q: %v", text, err)
	}
}
