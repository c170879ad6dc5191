package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// mayRead reports whether this process may read a file of a directory; one that is not there it may.
func mayRead(directory *os.File, name string) bool {
	file, err := os.Open(filepath.Join(directory.Name(), name))
	if err != nil {
		return !errors.Is(err, fs.ErrPermission)
	}
	_ = file.Close()
	return true
}
