package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// FileFault is the kind of reason for which a file cannot be written where it was wanted.
type FileFault string

// The faults that are told apart before anything is carried out.
const (
	FileExists      FileFault = "exists"            // there is a file, and it is not to be replaced
	FileIsSymlink   FileFault = "symlink"           // the path is a symbolic link
	FileIsDirectory FileFault = "directory"         // the path is a directory
	FileIsSpecial   FileFault = "special"           // the path is a device, a socket or a pipe
	NoDirectory     FileFault = "no-directory"      // the directory is missing or is none
	NotWritable     FileFault = "not-writable"      // the directory cannot be written to
	FileNamedCert   FileFault = "named-certificate" // a file with a private key would have a name of files that are passed on
	FileNamedBackup FileFault = "named-backup"      // a certificate alone would have the name of a backup
	FileNamedDash   FileFault = "named-dash"        // "-" stands for standard output elsewhere, and nothing is written there
	FileVolatile    FileFault = "volatile"          // what is written there is gone after the next start of the machine
	FileNotOwn      FileFault = "not-own"           // there is a file, and nobody has shown that it is what may be replaced
	FileNameTaken   FileFault = "name-taken"        // another file of the same run gets this name

	DirectoryMissing FileFault = "directory-missing" // the path is to be a directory that is there
	NotADirectory    FileFault = "not-a-directory"   // the path is to be a directory, and is something else
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

	// Replaces is the one file that may be replaced without Force; nil for none. Whatever else stands there is left as it is.
	Replaces *SavedFile

	Public bool // the file is for everybody to read, mode 0644: it holds no secret

	// Scratch is told the path of the unfinished file, and "" once there is none, so that somebody else can remove it if
	// this process dies.
	Scratch func(path string)

	// Placing is told the path of a file before it gets its final name, so that somebody else can tell of it if this process dies.
	Placing func(path string)

	// DraftName begins the name of the unfinished file, in place of draftName: one for all the files of a run.
	DraftName string
}

// CheckDirectory reports whether the path is a directory in which a file can be placed. The error is a *FileError.
func CheckDirectory(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return &FileError{Path: path, Fault: DirectoryMissing, Err: err}
	case !info.IsDir():
		return &FileError{Path: path, Fault: NotADirectory}
	}
	if err := checkWritable(path); err != nil {
		return &FileError{Path: path, Fault: NotWritable, Err: err}
	}
	return nil
}

// replaces reports whether the file that stands under the path now may be replaced. The error is a *FileError where another one stands there
// than the one that may be.
func (t Target) replaces() (bool, error) {
	if t.Replaces == nil {
		return t.Force, nil
	}
	err := t.Replaces.Check()
	var found *SavedError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &found) && found.Fault == SavedGone:
		return false, nil
	}
	return false, &FileError{Path: t.Path, Fault: FileNotOwn, Err: err}
}

// Check reports whether the file could be placed, without writing anything. The error is a *FileError.
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
	case t.Replaces != nil:
		if err := t.Replaces.Check(); err != nil {
			return fault(FileNotOwn, err)
		}
	case !t.Force:
		return fault(FileExists, nil)
	}
	if err := checkWritable(filepath.Dir(t.Path)); err != nil {
		return fault(NotWritable, err)
	}
	return nil
}
