package supervise

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// removeUnfinished removes the files whose paths begin with the one given: a single file, or all unfinished files of a run.
func removeUnfinished(path string) error {
	directory, name := filepath.Split(path)
	if directory == "" {
		directory = "."
	}
	entries, err := os.ReadDir(directory)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		remove := os.Remove
		switch {
		case !strings.HasPrefix(entry.Name(), name):
			continue
		case entry.IsDir():
			remove = RemoveAll
		case !entry.Type().IsRegular():
			continue
		}
		if removed := remove(filepath.Join(directory, entry.Name())); removed != nil && !errors.Is(removed, os.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	return err
}

// RemoveAll removes a folder with all that is in it. os.RemoveAll asks Windows for a way to remove that not every file system has
// (FileDispositionInformationEx); what it leaves is removed one by one.
func RemoveAll(path string) error {
	failed := os.RemoveAll(path)
	if failed == nil {
		return nil
	}
	var left []string
	err := filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		left = append(left, path)
		return err
	})
	for _, path := range slices.Backward(left) { // what is in a folder before the folder
		if removed := os.Remove(path); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	if err != nil {
		return failed
	}
	return nil
}
