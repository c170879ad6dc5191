package archive

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Reserve makes the directory fit for a run that writes the backups of a share: it makes it, mode 0700, where only its last element is
// missing; keeps all runs out, until release is called, whose shares have keys of this one; and removes unfinished files whose writers
// are gone. release removes a directory that was made and stayed empty. The error is a *FileError.
func Reserve(directory string, shard Shard) (release func() error, err error) {
	fault := func(kind FileFault, err error) error { return &FileError{Path: directory, Fault: kind, Err: err} }
	made := false
	switch err := makeFolder(directory); {
	case err == nil:
		made = true
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return nil, fault(NoDirectory, nil)
	case !errors.Is(err, os.ErrExist):
		return nil, fault(NotWritable, err)
	}
	held, err := holdFolder(directory, !shard.Whole())
	unlock := noLock
	release = func() error {
		err := unlock()
		if held != nil {
			err = errors.Join(err, held.Close())
		}
		if made {
			if removed := os.Remove(directory); removed != nil && !errors.Is(removed, errNotEmpty) && !errors.Is(removed, os.ErrExist) {
				err = errors.Join(err, removed)
			}
		}
		return err
	}
	if err == nil && !shard.Whole() {
		unlock, err = lockShard(directory, shard)
	}
	if err == nil {
		err = sweep(directory, shard)
	}
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}

// noLock ends no lock.
func noLock() error { return nil }

// sweep removes the unfinished files that a killed process left. A writer that lives holds a lock on its own, which it takes before it
// writes the first byte: beside other workers an empty file is left alone.
func sweep(directory string, shard Shard) error {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return &FileError{Path: directory, Fault: NotReadable, Err: err}
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), draftName+"-") || !strings.HasSuffix(entry.Name(), draftExtension) {
			continue
		}
		if err := removeAbandoned(filepath.Join(directory, entry.Name()), shard.Whole()); err != nil {
			return &FileError{Path: directory, Fault: NotWritable, Err: err}
		}
	}
	return nil
}

func removeAbandoned(path string, alone bool) error {
	file, err := openRegular(path)
	if err != nil {
		return nil // not a file of ours, or gone meanwhile
	}
	defer file.Close()
	if err := lock(file); err != nil {
		return nil // its writer lives, or nobody can tell
	}
	if info, err := file.Stat(); !alone && (err != nil || info.Size() == 0) {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// NewDraftName begins the names of the unfinished files of one run.
func NewDraftName() (string, error) {
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("name unfinished files: %w", err)
	}
	return draftName + "-" + hex.EncodeToString(random), nil
}
