package archive

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FileFault is the kind of reason for which a file cannot be written where it was wanted.
type FileFault string

// The faults that are told apart before anything is carried out.
const (
	FileExists      FileFault = "exists"       // there is a file, and it is not to be replaced
	FileIsSymlink   FileFault = "symlink"      // the path is a symbolic link
	FileIsDirectory FileFault = "directory"    // the path is a directory
	FileIsSpecial   FileFault = "special"      // the path is a device, a socket or a pipe
	NoDirectory     FileFault = "no-directory" // the directory is missing or is none
	NotWritable     FileFault = "not-writable" // the directory cannot be written to

	DirectoryMissing FileFault = "directory-missing" // the path is to be a directory that is there
	NotReadable      FileFault = "not-readable"      // the directory cannot be read
	DirectoryBusy    FileFault = "directory-busy"    // another run is at work in the directory
)

// FileError says why a file cannot be written.
type FileError struct {
	Path  string
	Fault FileFault
	Err   error // the system's own answer, if there was one
}

// Error names the path and the fault.
func (e *FileError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("write %s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("write %s: %s", e.Path, e.Fault)
}

// Unwrap gives the system's answer.
func (e *FileError) Unwrap() error { return e.Err }

// Target is where a file is to stand at the end.
type Target struct {
	Path  string
	Force bool // replace a regular file that is there

	// Scratch is told the path of the unfinished file, and "" once there is none, so that somebody else can remove it if
	// this process dies.
	Scratch func(path string)

	// DraftName begins the name of the unfinished file, in place of draftName: one for all the files of a run.
	DraftName string
}

// Check tells whether the file could be placed, without writing anything. The error is a *FileError.
func (t Target) Check() error {
	fault := func(kind FileFault, err error) error { return &FileError{Path: t.Path, Fault: kind, Err: err} }
	directory, err := os.Stat(filepath.Dir(t.Path))
	if err != nil || !directory.IsDir() {
		return fault(NoDirectory, err)
	}
	switch info, err := os.Lstat(t.Path); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return fault(NotWritable, err)
	case info.Mode()&os.ModeSymlink != 0:
		return fault(FileIsSymlink, nil)
	case info.IsDir():
		return fault(FileIsDirectory, nil)
	case !info.Mode().IsRegular():
		return fault(FileIsSpecial, nil)
	case !t.Force:
		return fault(FileExists, nil)
	}
	if err := unix.Access(filepath.Dir(t.Path), unix.W_OK|unix.X_OK); err != nil {
		return fault(NotWritable, err)
	}
	return nil
}

// Unfinished files are hidden, and named so that they are known as ours.
const (
	draftName   = ".p11bridge"
	draftEnding = ".part"
)

func (t Target) draftName() string {
	if t.DraftName == "" {
		return draftName
	}
	return t.DraftName
}

// Draft is a file on its way: complete on disk, without its final name. It is made in the target's directory, which is
// held open so that nobody can put another one in its place.
type Draft struct {
	target    Target
	directory *os.File
	name      string
	file      *os.File
}

// NewDraft writes the contents to a new file, mode 0600, next to the target, and brings them to disk. The caller ends it
// with place or discard.
func NewDraft(target Target, contents []byte) (d *Draft, err error) {
	if err := target.Check(); err != nil {
		return nil, err
	}
	directory, err := os.Open(filepath.Dir(target.Path))
	if err != nil {
		return nil, &FileError{Path: target.Path, Fault: NotWritable, Err: err}
	}
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return nil, errors.Join(fmt.Errorf("name an unfinished file: %w", err), directory.Close())
	}
	d = &Draft{target: target, directory: directory, name: target.draftName() + "-" + hex.EncodeToString(random) + draftEnding}
	d.tell(filepath.Join(filepath.Dir(target.Path), d.name))
	fd, err := unix.Openat(int(directory.Fd()), d.name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		d.tell("")
		return nil, errors.Join(&FileError{Path: target.Path, Fault: NotWritable, Err: err}, directory.Close())
	}
	d.file = os.NewFile(uintptr(fd), d.name)
	// The lock tells whoever clears up that the writer lives. A file system without locks keeps the draft all the same.
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil && !errors.Is(err, unix.ENOLCK) && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.ENOSYS) {
		return nil, errors.Join(&FileError{Path: target.Path, Fault: NotWritable, Err: err}, d.Discard())
	}
	if _, err = d.file.Write(contents); err == nil {
		err = d.file.Sync()
	}
	if err != nil {
		return nil, errors.Join(&FileError{Path: target.Path, Fault: NotWritable, Err: err}, d.Discard())
	}
	return d, nil
}

// ReadBack reads the draft from disk by its name, not from what this process wrote.
func (d *Draft) ReadBack() ([]byte, error) {
	fd, err := unix.Openat(int(d.directory.Fd()), d.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("read the file back: %w", err)
	}
	file := os.NewFile(uintptr(fd), d.name)
	defer file.Close()
	// A hint to read from the medium and not from memory; a file system that ignores it reads correctly all the same.
	if err := unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return nil, fmt.Errorf("read the file back: %w", err)
	}
	contents, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read the file back: %w", err)
	}
	return contents, nil
}

// Place gives the draft its final name, as the last act. Without Force it never replaces a file, even one that came
// meanwhile.
func (d *Draft) Place() error {
	flags := uint(unix.RENAME_NOREPLACE)
	if d.target.Force {
		flags = 0
	}
	at := int(d.directory.Fd())
	final := filepath.Base(d.target.Path)
	err := unix.Renameat2(at, d.name, at, final, flags)
	if errors.Is(err, unix.EINVAL) && !d.target.Force { // a file system without RENAME_NOREPLACE: a hard link does not replace either
		if err = unix.Linkat(at, d.name, at, final, 0); err == nil {
			err = unix.Unlinkat(at, d.name, 0)
		}
	}
	switch {
	case errors.Is(err, unix.EEXIST):
		return errors.Join(&FileError{Path: d.target.Path, Fault: FileExists}, d.Discard())
	case err != nil:
		return errors.Join(&FileError{Path: d.target.Path, Fault: NotWritable, Err: err}, d.Discard())
	}
	d.tell("")
	return errors.Join(d.directory.Sync(), d.file.Close(), d.directory.Close())
}

// Discard removes the draft.
func (d *Draft) Discard() error {
	err := unix.Unlinkat(int(d.directory.Fd()), d.name, 0)
	if errors.Is(err, unix.ENOENT) {
		err = nil
	}
	d.tell("")
	return errors.Join(err, d.file.Close(), d.directory.Close())
}

func (d *Draft) tell(path string) {
	if d.target.Scratch != nil {
		d.target.Scratch(path)
	}
}

// WriteFile writes a file whole or not at all, by the rules of Target, and compares it with what stands on disk before it
// gets its name. The error is a *FileError or ErrNotProven.
func WriteFile(target Target, contents []byte) error {
	draft, err := NewDraft(target, contents)
	if err != nil {
		return err
	}
	written, err := draft.ReadBack()
	if err == nil && !bytes.Equal(written, contents) {
		err = NotProven("what is on disk is not what was written")
	}
	if err != nil {
		return errors.Join(err, draft.Discard())
	}
	return draft.Place()
}
