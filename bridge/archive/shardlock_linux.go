package archive

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// shardLocks is the file whose bytes stand for the values that shares divide. It is there while a worker with a share is.
const shardLocks = ".p11bridge-shards.lock"

// door is the byte behind those of the shares. Whoever comes or leaves holds it for that moment, so that nobody takes the one for the other.
const door = 1 << shardBits

// mostEntries bounds how often a lock file is opened that is not the one which has the name: some file systems tell no two looks at one file
// the same.
const mostEntries = 1000

// lockShard keeps everybody out whose share has a key in common with this one, on all machines that see the directory: the share's range
// of the lock file is locked. Ranges of other shares may be, even where all was divided by another number. The error is a *FileError.
func lockShard(directory string, shard Shard) (unlock func() error, err error) {
	path := filepath.Join(directory, shardLocks)
	for range mostEntries {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return noLock, &FileError{Path: directory, Fault: NotWritable, Err: err}
		}
		file := os.NewFile(uintptr(fd), path)
		passDoor(file, unix.F_WRLCK)
		if !isStill(file, path) { // the last worker removed it between the two
			if err := file.Close(); err != nil {
				return noLock, &FileError{Path: directory, Fault: NotWritable, Err: err}
			}
			continue
		}
		first, end := shard.bounds()
		if rangeBusy(file, first, end) {
			return noLock, errors.Join(&FileError{Path: directory, Fault: DirectoryBusy}, file.Close())
		}
		passDoor(file, unix.F_UNLCK)
		return func() error { return leave(file, path) }, nil
	}
	return noLock, &FileError{Path: directory, Fault: DirectoryBusy}
}

// leave removes the lock file where no other worker has a share. What is locked is unlocked with the file's end.
func leave(file *os.File, path string) error {
	passDoor(file, unix.F_WRLCK)
	var removed error
	if !rangeBusy(file, 0, door) {
		removed = os.Remove(path)
	}
	if errors.Is(removed, os.ErrNotExist) {
		removed = nil
	}
	return errors.Join(removed, file.Close())
}

// rangeBusy locks a range for this open file, and not for the process (F_OFD_SETLK, fcntl(2)), unless another one has locked of it. A file
// system without locks is used without.
func rangeBusy(file *os.File, first, end int64) bool {
	err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: first, Len: end - first})
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES)
}

// passDoor locks or unlocks the door.
func passDoor(file *os.File, kind int16) {
	for {
		err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLKW, &unix.Flock_t{Type: kind, Start: door, Len: 1})
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// isStill reports whether the open file is the one that has the name.
func isStill(file *os.File, path string) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(held, named)
}
