package archive

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// lockShard keeps everybody out whose share has a key in common with this one: the share's range of the lock file is locked. Ranges of
// other shares may be, even where all was divided by another number. The file stays; the next run for all keys removes it. The error is a
// *FileError.
func lockShard(directory string, shard Shard) (unlock func() error, err error) {
	file, err := openHandle(filepath.Join(directory, lockName), windows.GENERIC_WRITE, shared, nil, windows.OPEN_ALWAYS,
		windows.FILE_ATTRIBUTE_HIDDEN|windows.FILE_FLAG_OPEN_REPARSE_POINT)
	if err != nil {
		return noLock, &FileError{Path: directory, Fault: NotWritable, Err: err}
	}
	first, end := shard.bounds()
	size := uint64(end - first)
	err = windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0,
		uint32(size), uint32(size>>32), &windows.Overlapped{Offset: uint32(first), OffsetHigh: uint32(first >> 32)})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return noLock, errors.Join(&FileError{Path: directory, Fault: DirectoryBusy}, file.Close())
	}
	return file.Close, nil // a file system without locks is used without
}
