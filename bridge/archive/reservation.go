package archive

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Reservation is a directory that is kept for one run.
type Reservation struct {
	directory string
	made      bool      // by Reserve
	held      io.Closer // against runs of the whole, nil where the system has no such lock
	unlock    func() error
}

// Reserve makes the directory fit for a run that writes the backups of a share: it makes it, mode 0700, where only its last element is
// missing; keeps all runs out, until Release is called, whose shares have keys of this one; and removes unfinished files whose writers
// are gone. The error is a *FileError.
func Reserve(directory string, shard Shard) (*Reservation, error) {
	fault := func(kind FileFault, err error) error { return &FileError{Path: directory, Fault: kind, Err: err} }
	r := &Reservation{directory: directory, unlock: noLock}
	switch err := makeFolder(directory); {
	case err == nil:
		r.made = true
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return nil, fault(NoDirectory, nil)
	case !errors.Is(err, os.ErrExist):
		return nil, fault(NotWritable, err)
	}
	var err error
	r.held, err = holdFolder(directory, !shard.Whole())
	if err == nil && !shard.Whole() {
		r.unlock, err = lockShard(directory, shard)
	}
	if err == nil {
		err = sweep(directory, shard)
	}
	if err != nil {
		return nil, errors.Join(err, r.Release())
	}
	return r, nil
}

// Keep lets a directory stay that was made and stays empty: a run that found nothing to back up is done, and its directory says so.
func (r *Reservation) Keep() { r.made = false }

// Release lets other runs in. A directory that was made and stayed empty is removed, unless it is to be kept.
func (r *Reservation) Release() error {
	err := r.unlock()
	if r.held != nil {
		err = errors.Join(err, r.held.Close())
	}
	if r.made {
		if removed := os.Remove(r.directory); removed != nil && !errors.Is(removed, errNotEmpty) && !errors.Is(removed, os.ErrExist) {
			err = errors.Join(err, removed)
		}
	}
	return err
}

// noLock ends no lock.
func noLock() error { return nil }

// NewDraftName begins the names of the unfinished files of one run.
func NewDraftName() (string, error) {
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("name unfinished files: %w", err)
	}
	return draftName + "-" + hex.EncodeToString(random), nil
}
