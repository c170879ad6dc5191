package archive

import (
	"errors"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// The errors of this system that are asked for.
var (
	errIsLink   = error(unix.ELOOP)     // a symbolic link, where none is followed
	errNotEmpty = error(unix.ENOTEMPTY) // a directory that holds something
	errNoLocks  = errors.New("the file system knows no locks")
)

// identity tells which file it is, whatever its name.
type identity struct{ device, inode uint64 }

func identityOf(file *os.File) (identity, error) {
	var info unix.Stat_t
	err := unix.Fstat(int(file.Fd()), &info)
	return identity{uint64(info.Dev), info.Ino}, err
}

// MostOpenFiles is how many files this process may have open.
func MostOpenFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<20)) // it may be RLIM_INFINITY
}

// folder is a directory, held open so that nobody can put another one in its place.
type folder struct{ *os.File }

func openFolder(path string) (*folder, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &folder{file}, nil
}

func (f *folder) fd() int { return int(f.Fd()) }

// create makes a new file, for its owner alone or for everybody to read.
func (f *folder) create(name string, public bool) (*os.File, error) {
	fd, err := unix.Openat(f.fd(), name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	if public {
		if err := unix.Fchmod(fd, 0o644); err != nil {
			return nil, errors.Join(err, f.remove(name), file.Close())
		}
	}
	return file, nil
}

// open opens a file to read it from the medium and not from memory, as far as the system does that, without waiting for anybody.
func (f *folder) open(name string) (*os.File, error) {
	fd, err := unix.Openat(f.fd(), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	// A hint; a file system that ignores it reads correctly all the same.
	if err := unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED); err != nil && !unsupported(err) {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// rename gives a file its name. A file system that does not know RENAME_NOREPLACE gets a hard link, which does not replace
// either.
func (f *folder) rename(from, to string, replace bool) error {
	flags := uint(unix.RENAME_NOREPLACE)
	if replace {
		flags = 0
	}
	err := unix.Renameat2(f.fd(), from, f.fd(), to, flags)
	switch {
	case !unsupported(err):
		return err
	case replace:
		return unix.Renameat(f.fd(), from, f.fd(), to)
	}
	if err = unix.Linkat(f.fd(), from, f.fd(), to, 0); err == nil {
		err = f.remove(from)
	}
	return err
}

func (f *folder) remove(name string) error { return unix.Unlinkat(f.fd(), name, 0) }

// identity tells which file has the name.
func (f *folder) identity(name string) (identity, error) {
	var info unix.Stat_t
	err := unix.Fstatat(f.fd(), name, &info, unix.AT_SYMLINK_NOFOLLOW)
	return identity{uint64(info.Dev), info.Ino}, err
}

// sync brings the names to disk. Some file systems do not know fsync on a directory, and lose nothing by that.
func (f *folder) sync() error {
	err := f.Sync()
	if unsupported(err) {
		err = nil
	}
	return err
}

// unsupported reports whether a file system answered that it does not know a call. ESPIPE is posix_fadvise's.
func unsupported(err error) bool {
	return slices.ContainsFunc([]error{unix.EINVAL, unix.ENOSYS, unix.ENOTSUP, unix.ESPIPE}, func(known error) bool { return errors.Is(err, known) })
}

// lock locks the file until it is closed. The error is errNoLocks where the file system has none.
func lock(file *os.File) error { return lockAs(file, unix.LOCK_EX) }

func lockAs(file *os.File, kind int) error {
	err := unix.Flock(int(file.Fd()), kind|unix.LOCK_NB)
	if errors.Is(err, unix.ENOLCK) || unsupported(err) {
		return errNoLocks
	}
	return err
}

// makeFolder makes a directory for its owner alone.
func makeFolder(path string) error { return os.Mkdir(path, 0o700) }

// holdFolder keeps other runs out of a directory until it is closed, or, where it is for some of the keys, those for all. The error is a
// *FileError; a file system without locks is used without.
func holdFolder(directory string, some bool) (io.Closer, error) {
	fault := func(kind FileFault, err error) error { return &FileError{Path: directory, Fault: kind, Err: err} }
	held, err := os.Open(directory)
	if err != nil {
		return nil, fault(NotReadable, err)
	}
	info, err := held.Stat()
	switch {
	case err != nil:
		return held, fault(NotReadable, err)
	case !info.IsDir():
		return held, fault(NotADirectory, nil)
	}
	if err := checkWritable(directory); err != nil {
		return held, fault(NotWritable, err)
	}
	kind := unix.LOCK_EX
	if some {
		kind = unix.LOCK_SH
	}
	if err := lockAs(held, kind); errors.Is(err, unix.EWOULDBLOCK) {
		return held, fault(DirectoryBusy, nil)
	}
	return held, nil
}

// checkWritable reports whether files can be made in a directory.
func checkWritable(directory string) error { return unix.Access(directory, unix.W_OK|unix.X_OK) }

// openNoFollow opens a file for reading, and no link, without waiting for anybody.
func openNoFollow(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}
