package archive

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"p11bridge/token/secret"
)

// Unfinished files are hidden, and named so that they are known as ours.
const (
	draftName      = ".p11bridge"
	draftExtension = ".part"
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
	digest    [sha256.Size]byte // of the contents
}

// NewDraft writes the contents to a new file, mode 0600 or what Target says, next to the target, and brings them to disk. The caller ends it
// with Place or Discard.
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
	d = &Draft{target: target, directory: directory, name: target.draftName() + "-" + hex.EncodeToString(random) + draftExtension, digest: sha256.Sum256(contents)}
	d.noteScratch(filepath.Join(filepath.Dir(target.Path), d.name))
	fd, err := unix.Openat(int(directory.Fd()), d.name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		d.noteScratch("")
		return nil, errors.Join(&FileError{Path: target.Path, Fault: NotWritable, Err: err}, directory.Close())
	}
	d.file = os.NewFile(uintptr(fd), d.name)
	if target.Public {
		if err := unix.Fchmod(fd, 0o644); err != nil {
			return nil, errors.Join(&FileError{Path: target.Path, Fault: NotWritable, Err: err}, d.Discard())
		}
	}
	// The lock tells whoever clears up that the writer lives. A file system without locks keeps the draft all the same.
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil && !errors.Is(err, unix.ENOLCK) && !unsupported(err) {
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
	if err := unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED); err != nil && !unsupported(err) {
		return nil, fmt.Errorf("read the file back: %w", err)
	}
	contents, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read the file back: %w", err)
	}
	return contents, nil
}

// unsupported tells the answers by which a file system says that it does not know a call. ESPIPE is posix_fadvise's.
func unsupported(err error) bool {
	return slices.ContainsFunc([]error{unix.EINVAL, unix.ENOSYS, unix.ENOTSUP, unix.ESPIPE}, func(known error) bool { return errors.Is(err, known) })
}

// Place gives the draft its final name, as the last act, and looks whether the file under that name is the draft. Without Force
// it never replaces a file, even one that came meanwhile. The error is a *FileError where the file did not get its name, and
// was removed, or a *SavedError. With SavedUncertain the file is given as well: it is whole.
func (d *Draft) Place() (*SavedFile, error) {
	var info unix.Stat_t
	if err := unix.Fstat(int(d.file.Fd()), &info); err != nil {
		return nil, errors.Join(&FileError{Path: d.target.Path, Fault: NotWritable, Err: err}, d.Discard())
	}
	p := &SavedFile{target: d.target, device: uint64(info.Dev), inode: info.Ino, digest: d.digest}
	if d.target.Placing != nil {
		d.target.Placing(d.target.Path)
	}
	named := d.rename()
	if named != nil && !d.hasFinalName(p) {
		fault := &FileError{Path: d.target.Path, Fault: NotWritable, Err: named}
		if errors.Is(named, unix.EEXIST) {
			fault = &FileError{Path: d.target.Path, Fault: FileExists}
		}
		return nil, errors.Join(fault, d.Discard())
	}
	if named == nil {
		d.noteScratch("")
	}
	settled := errors.Join(named, d.settle())
	var found *SavedError
	switch err := p.Check(); {
	case errors.As(err, &found) && found.Fault != SavedUncertain:
		return nil, found
	case err != nil:
		return p, err
	case settled != nil:
		return p, &SavedError{Path: d.target.Path, Fault: SavedUncertain, Err: settled}
	}
	return p, nil
}

// rename renames the draft. A file system that does not know RENAME_NOREPLACE gets a hard link, which does not replace
// either.
func (d *Draft) rename() error {
	flags := uint(unix.RENAME_NOREPLACE)
	if d.target.Force {
		flags = 0
	}
	at, final := int(d.directory.Fd()), filepath.Base(d.target.Path)
	err := unix.Renameat2(at, d.name, at, final, flags)
	switch {
	case !unsupported(err):
		return err
	case d.target.Force:
		return unix.Renameat(at, d.name, at, final)
	}
	if err = unix.Linkat(at, d.name, at, final, 0); err == nil {
		err = unix.Unlinkat(at, d.name, 0)
	}
	return err
}

// hasFinalName reports whether a renaming that answered an error was carried out all the same.
func (d *Draft) hasFinalName(p *SavedFile) bool {
	var info unix.Stat_t
	err := unix.Fstatat(int(d.directory.Fd()), filepath.Base(d.target.Path), &info, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && uint64(info.Dev) == p.device && info.Ino == p.inode
}

// settle brings the name to disk. Some file systems do not know fsync on a directory, and lose nothing by that.
func (d *Draft) settle() error {
	err := d.directory.Sync()
	if unsupported(err) {
		err = nil
	}
	return errors.Join(err, d.file.Close(), d.directory.Close())
}

// Discard removes the draft.
func (d *Draft) Discard() error {
	err := unix.Unlinkat(int(d.directory.Fd()), d.name, 0)
	if errors.Is(err, unix.ENOENT) {
		err = nil
	}
	d.noteScratch("")
	return errors.Join(err, d.file.Close(), d.directory.Close())
}

func (d *Draft) noteScratch(path string) {
	if d.target.Scratch != nil {
		secret.Outside(func() { d.target.Scratch(path) }) // whoever is told may call C code
	}
}

// WriteFile writes a file whole or not at all, by the rules of Target, and compares it with what stands on disk before it
// gets its name. The error is a *FileError, ErrNotProven, or a *SavedError.
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
	_, err = draft.Place()
	return err
}
