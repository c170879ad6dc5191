package archive

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"

	"p11bridge/token/secret"
)

// The errors of this system that are asked for.
var (
	errIsLink   = errors.New("a symbolic link or another reparse point")
	errNotEmpty = error(windows.ERROR_DIR_NOT_EMPTY)
	errNoLocks  = errors.New("the file system knows no locks")
)

// identity tells which file it is, whatever its name: by the volume's serial number and the file's index on it.
type identity struct{ device, inode uint64 }

func identityOf(file *os.File) (identity, error) {
	var info windows.ByHandleFileInformation
	err := windows.GetFileInformationByHandle(windows.Handle(file.Fd()), &info)
	return identity{uint64(info.VolumeSerialNumber), uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow)}, err
}

// MostOpenFiles is how many files this process may have open: the number of handles is bounded by memory alone, and this is enough.
func MostOpenFiles() int { return 1 << 16 }

// folder is a directory, held open.
type folder struct {
	path string
	file *os.File
}

// shared lets a file that is open be read, renamed and removed by its name.
const shared = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE

// openHandle is CreateFileW. The path may be longer than MAX_PATH.
func openHandle(path string, access, share uint32, security *windows.SecurityAttributes, disposition, flags uint32) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(longPath(path))
	if err != nil {
		return nil, err
	}
	handle, err := windows.CreateFile(name, access, share, security, disposition, flags, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(handle), path), nil
}

// longPath gives a path the form that knows no limit of length, where it needs that.
func longPath(path string) string {
	const longest = 240 // MAX_PATH without an 8.3 name, and some room
	absolute, err := filepath.Abs(path)
	switch {
	case err != nil || len(absolute) < longest || strings.HasPrefix(absolute, `\\?\`) || strings.HasPrefix(absolute, `\\.\`):
		return path
	case strings.HasPrefix(absolute, `\\`):
		return `\\?\UNC` + absolute[1:]
	}
	return `\\?\` + absolute
}

// openFolder keeps the directory from being renamed or removed while it is open.
func openFolder(path string) (*folder, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	file, err := openHandle(absolute, windows.FILE_LIST_DIRECTORY, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS)
	if err != nil {
		return nil, err
	}
	return &folder{absolute, file}, nil
}

// Close lets go of the directory.
func (f *folder) Close() error { return f.file.Close() }

func (f *folder) at(name string) string { return filepath.Join(f.path, name) }

// create makes a new file: for its owner alone, by an access list that inherits nothing, or with what its directory gives.
func (f *folder) create(name string, public bool) (*os.File, error) {
	var security *windows.SecurityAttributes
	if !public {
		var err error
		if security, err = secret.OwnerOnly(""); err != nil {
			return nil, err
		}
	}
	return openHandle(f.at(name), windows.GENERIC_READ|windows.GENERIC_WRITE, shared, security, windows.CREATE_NEW,
		windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_OPEN_REPARSE_POINT)
}

// open opens a file to read it. Windows has no way to leave its cache out that any size of reading allows.
func (f *folder) open(name string) (*os.File, error) { return openNoFollow(f.at(name)) }

// rename gives a file its name, and returns once that is on disk.
func (f *folder) rename(from, to string, replace bool) error {
	flags := uint32(windows.MOVEFILE_WRITE_THROUGH)
	if replace {
		flags |= windows.MOVEFILE_REPLACE_EXISTING
	}
	old, err := windows.UTF16PtrFromString(longPath(f.at(from)))
	if err != nil {
		return err
	}
	final, err := windows.UTF16PtrFromString(longPath(f.at(to)))
	if err != nil {
		return err
	}
	return windows.MoveFileEx(old, final, flags)
}

func (f *folder) remove(name string) error { return os.Remove(f.at(name)) }

// identity tells which file has the name.
func (f *folder) identity(name string) (identity, error) {
	file, err := openNoFollow(f.at(name))
	if err != nil {
		return identity{}, err
	}
	id, err := identityOf(file)
	return id, errors.Join(err, file.Close())
}

// sync has nothing to do: rename has brought the name to disk, and Windows flushes no directories.
func (*folder) sync() error { return nil }

// lock locks the file until it is closed. Windows keeps others from reading what is locked, so that it is a byte that no file has.
func lock(file *os.File) error {
	const beyond = 0x7fffffff // the upper half of the offset
	err := windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{OffsetHigh: beyond})
	if errors.Is(err, windows.ERROR_INVALID_FUNCTION) || errors.Is(err, windows.ERROR_NOT_SUPPORTED) {
		return errNoLocks
	}
	return err
}

// makeFolder makes a directory for its owner alone, and so what is made in it.
func makeFolder(path string) error {
	security, err := secret.OwnerOnly("OICI")
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(longPath(path))
	if err != nil {
		return err
	}
	return windows.CreateDirectory(name, security)
}

// lockName is the file that keeps other runs out of a directory. Windows removes it when the run ends, however it does.
const lockName = draftName + ".lock"

// holdFolder keeps other runs out of a directory until it is closed, or, where it is for some of the keys, those for all. The error is a
// *FileError.
func holdFolder(directory string, some bool) (io.Closer, error) {
	fault := func(kind FileFault, err error) error { return &FileError{Path: directory, Fault: kind, Err: err} }
	info, err := os.Stat(directory)
	switch {
	case err != nil:
		return nil, fault(NotReadable, err)
	case !info.IsDir():
		return nil, fault(NotADirectory, nil)
	}
	access, others, kind := uint32(windows.GENERIC_WRITE|windows.DELETE), uint32(0), uint32(windows.FILE_FLAG_DELETE_ON_CLOSE)
	if some {
		access, others, kind = windows.GENERIC_WRITE, shared, 0 // several hold it, and none can remove it
	}
	held, err := openHandle(filepath.Join(directory, lockName), access, others, nil, windows.OPEN_ALWAYS,
		windows.FILE_ATTRIBUTE_HIDDEN|windows.FILE_FLAG_OPEN_REPARSE_POINT|kind)
	switch {
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION):
		return nil, fault(DirectoryBusy, nil)
	case err != nil:
		return nil, fault(NotWritable, err)
	}
	return held, nil
}

// checkWritable reports whether files can be made in a directory.
func checkWritable(directory string) error {
	const addFile = 0x2 // FILE_ADD_FILE
	file, err := openHandle(directory, addFile, shared, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS)
	if err != nil {
		return err
	}
	return file.Close()
}

// openNoFollow opens a file for reading, and no link and no other reparse point.
func openNoFollow(path string) (*os.File, error) {
	file, err := openHandle(path, windows.GENERIC_READ, shared, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_OPEN_REPARSE_POINT|windows.FILE_FLAG_BACKUP_SEMANTICS)
	if err != nil {
		return nil, err
	}
	var info windows.ByHandleFileInformation
	if err = windows.GetFileInformationByHandle(windows.Handle(file.Fd()), &info); err == nil && info.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0 {
		err = errIsLink
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
