package softhsmtests

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
)

// keptDirectory names the variable in which `make mutants` says where things are kept that many runs of this test binary make alike:
// the templates of tokens, and compiled C.
const keptDirectory = "P11BRIDGE_TESTS_KEEP"

// kept makes a directory and fills it. Where things are kept, only the first test binary that wants what the key stands for does so.
func kept(key string, fill func(directory string) error) (string, error) {
	parent := os.Getenv(keptDirectory)
	made, err := os.MkdirTemp(parent, "p11bridge-kept-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(made, 0o755); err != nil { // some tests are another user among their own
		return "", err
	}
	if parent == "" { // it goes with the other temporary files
		return made, fill(made)
	}
	sum := sha256.Sum256([]byte(key))
	name := filepath.Join(parent, hex.EncodeToString(sum[:]))
	if _, err := os.Stat(name); err == nil {
		return name, os.Remove(made)
	}
	if err := fill(made); err != nil {
		return "", err
	}
	if err := os.Rename(made, name); err != nil {
		if _, there := os.Stat(name); there == nil { // another one was faster
			return name, os.RemoveAll(made)
		}
		return "", errors.Join(err, os.RemoveAll(made))
	}
	return name, nil
}
