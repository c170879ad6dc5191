package archive

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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
	directory *folder
	name      string
	file      *os.File
	size      int64             // of the contents
	digest    [sha256.Size]byte // of them
}

// NewDraft writes the contents to a new file, mode 0600 or what Target says, next to the target, and brings them to disk. The caller ends it
// with Place or Discard.
func NewDraft(target Target, contents []byte) (*Draft, error) {
	return newDraft(target, func(out io.Writer) error {
		_, err := out.Write(contents)
		return err
	})
}

// newDraft is NewDraft for contents that need not be in memory at once. An error of write's own is given as it is.
func newDraft(target Target, write func(io.Writer) error) (d *Draft, err error) {
	if err := target.Check(); err != nil {
		return nil, err
	}
	directory, err := openFolder(filepath.Dir(target.Path))
	if err != nil {
		return nil, &FileError{Path: target.Path, Fault: NotWritable, Err: err}
	}
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return nil, errors.Join(fmt.Errorf("name an unfinished file: %w", err), directory.Close())
	}
	d = &Draft{target: target, directory: directory, name: target.draftName() + "-" + hex.EncodeToString(random) + draftExtension}
	d.noteScratch(filepath.Join(filepath.Dir(target.Path), d.name))
	if d.file, err = directory.create(d.name, target.Public); err != nil {
		d.noteScratch("")
		return nil, errors.Join(&FileError{Path: target.Path, Fault: NotWritable, Err: err}, directory.Close())
	}
	// The lock tells whoever clears up that the writer lives. A file system without locks keeps the draft all the same.
	if err := lock(d.file); err != nil && !errors.Is(err, errNoLocks) {
		return nil, errors.Join(&FileError{Path: target.Path, Fault: NotWritable, Err: err}, d.Discard())
	}
	if err := d.fill(write); err != nil {
		return nil, errors.Join(err, d.Discard())
	}
	return d, nil
}

// fill writes the contents and brings them to disk. Where the file does not take them, the error is a *FileError.
func (d *Draft) fill(write func(io.Writer) error) error {
	const piece = 64 << 10
	file, digest := &failing{to: d.file}, sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(file, digest), piece)
	err := write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		file.err = d.file.Sync()
	}
	if file.err != nil {
		return &FileError{Path: d.target.Path, Fault: NotWritable, Err: file.err}
	}
	digest.Sum(d.digest[:0])
	d.size = file.size
	return err
}

// failing counts what is written, and keeps the first error of a writer: whoever wrote may give it with words of its own.
type failing struct {
	to   io.Writer
	size int64
	err  error
}

func (f *failing) Write(text []byte) (int, error) {
	n, err := f.to.Write(text)
	f.size += int64(n)
	if f.err == nil {
		f.err = err
	}
	return n, err
}

// ReadBack reads the draft from disk by its name, not from what this process wrote.
func (d *Draft) ReadBack() (contents []byte, err error) {
	err = d.read(func(file io.Reader) (err error) {
		contents, err = io.ReadAll(file)
		return err
	})
	return contents, err
}

// read has what stands on disk under the draft's name read. Of a file that somebody put in its place no more is read than shows that it is
// another one.
func (d *Draft) read(by func(io.Reader) error) error {
	file, err := regular(d.directory.open(d.name))
	if err != nil {
		return fmt.Errorf("read the file back: %w", err)
	}
	defer file.Close()
	if err := by(io.LimitReader(file, d.size+1)); err != nil {
		return fmt.Errorf("read the file back: %w", err)
	}
	return nil
}

// Place gives the draft its final name, as the last act, and looks whether the file under that name is the draft. Without Force
// it never replaces a file, even one that came meanwhile. The error is a *FileError where the file did not get its name, and
// was removed, or a *SavedError. With SavedUncertain the file is given as well: it is whole.
func (d *Draft) Place() (*SavedFile, error) {
	id, err := identityOf(d.file)
	if err != nil {
		return nil, errors.Join(&FileError{Path: d.target.Path, Fault: NotWritable, Err: err}, d.Discard())
	}
	p := &SavedFile{target: d.target, id: id, size: d.size, digest: d.digest}
	if d.target.Placing != nil {
		d.target.Placing(d.target.Path)
	}
	replace, err := d.target.replaces()
	if err != nil {
		return nil, errors.Join(err, d.Discard())
	}
	named := d.directory.rename(d.name, filepath.Base(d.target.Path), replace)
	if named != nil && !d.hasFinalName(p) {
		fault := &FileError{Path: d.target.Path, Fault: NotWritable, Err: named}
		if errors.Is(named, os.ErrExist) {
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

// hasFinalName reports whether a renaming that answered an error was carried out all the same.
func (d *Draft) hasFinalName(p *SavedFile) bool {
	id, err := d.directory.identity(filepath.Base(d.target.Path))
	return err == nil && id == p.id
}

// settle brings the name to disk.
func (d *Draft) settle() error {
	return errors.Join(d.directory.sync(), d.file.Close(), d.directory.Close())
}

// Discard removes the draft.
func (d *Draft) Discard() error {
	err := d.directory.remove(d.name)
	if errors.Is(err, os.ErrNotExist) {
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
	return draft.placeCompared()
}

// WriteFileBy is WriteFile for contents that need not be in memory at once. An error of write's own is given as it is.
func WriteFileBy(target Target, write func(io.Writer) error) error {
	draft, err := newDraft(target, write)
	if err != nil {
		return err
	}
	return draft.placeCompared()
}

// placeCompared places a draft that is on disk as it was written, and discards any other.
func (d *Draft) placeCompared() error {
	if err := d.compare(); err != nil {
		return err
	}
	_, err := d.Place()
	return err
}

// compare discards a draft that is not on disk as it was written.
func (d *Draft) compare() error {
	digest := sha256.New()
	err := d.read(func(file io.Reader) error {
		_, err := io.Copy(digest, file)
		return err
	})
	if err == nil && !bytes.Equal(digest.Sum(nil), d.digest[:]) {
		err = NotProven("what is on disk is not what was written")
	}
	if err != nil {
		return errors.Join(err, d.Discard())
	}
	return nil
}
