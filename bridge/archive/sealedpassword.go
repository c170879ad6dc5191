package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/token/foreign"
)

const (
	// PasswordExtension ends the name of a sealed password, behind the whole name of its PFX file.
	PasswordExtension = ".password"
	// keptExtension ends the name of a sealed password that another one is about to replace, until the file that the other one opens is
	// saved.
	keptExtension = ".old"
	// unusedExtension ends the name of a sealed password that opens no file of its name. A number may follow.
	unusedExtension = ".unused"
	mostUnused      = 100 // of one name
)

// SealedPassword is what a record says of the password of its file: nobody knows it, and those can open it.
type SealedPassword struct {
	File       string     `json:"file"`   // its name, in the record's own directory
	SHA256     string     `json:"sha256"` // of that file, hexadecimal
	Recipients []SealedTo `json:"recipients"`
	// Opened means that it was opened again with a recipient's key when it was made. Else its form and its recipients were checked.
	Opened bool `json:"opened"`
}

// SealedTo is one who can open a sealed password: the fingerprint is as seal.Recipient has it.
type SealedTo struct {
	Kind   string       `json:"kind"`
	SHA256 string       `json:"sha256"`
	Name   foreign.Text `json:"name"`
}

// sound reports whether what a record says of its sealed password can be believed as far as its form goes.
func (s *SealedPassword) sound() bool {
	if s == nil {
		return true
	}
	digest, err := hex.DecodeString(s.SHA256)
	return err == nil && len(digest) == sha256.Size && safeName(s.File)
}

// Is reports whether a sealed password, whose contents were read from the path, is the one that a record tells of.
func (s *SealedPassword) Is(path string, contents []byte) bool {
	return s != nil && s.File == filepath.Base(path) && s.SHA256 == Digest(contents)
}

// safeName reports whether a name leads to no other directory and is not hidden.
func safeName(name string) bool {
	return name != "" && !strings.HasPrefix(name, ".") && !strings.ContainsAny(name, "/\\\x00")
}

// passwordState is what became of the sealed password of a backup; intact where it has none.
func (b *Backup) passwordState() FileState {
	s := b.Record.Sealed
	if s == nil {
		return FileIntact
	}
	switch digest, err := digestOfFile(b.PasswordPath()); {
	case errors.Is(err, fs.ErrNotExist):
		return FileMissing
	case err != nil || digest != s.SHA256:
		return FileChanged
	}
	return FileIntact
}

// PasswordLost reports whether the sealed password of the file is gone, or that another one stands there.
func (b *Backup) PasswordLost() bool { return b.Password == FileMissing || b.Password == FileChanged }

// PasswordReason says that the sealed password is lost.
func (b *Backup) PasswordReason() verdict.Reason {
	return verdict.Because(verdict.SealedPasswordMissing, verdict.Fact{Name: "file", Value: b.PasswordPath()},
		verdict.Fact{Name: "sha256", Value: b.Record.Sealed.SHA256}, verdict.Fact{Name: "found", Value: string(b.Password)})
}

// PasswordPath is where the sealed password is to be; empty where the file's password was not sealed.
func (b *Backup) PasswordPath() string {
	if b.Record.Sealed == nil {
		return ""
	}
	return filepath.Join(filepath.Dir(b.RecordPath), b.Record.Sealed.File)
}

// PlaceBoth gives a sealed password and the file that it opens their names, in this order: both or neither. A sealed password that is
// replaced is kept under another name until the file has its own, so that at no moment a file is there whose password is nowhere. The error
// is that of Draft.Place; with SavedUncertain both files are given.
func PlaceBoth(password, file *Draft) (savedPassword, saved *SavedFile, err error) {
	kept, err := password.keepReplaced()
	if err != nil {
		return nil, nil, errors.Join(err, password.Discard(), file.Discard())
	}
	savedPassword, uncertain := password.Place()
	if savedPassword == nil {
		return nil, nil, errors.Join(uncertain, kept.putBack(), file.Discard())
	}
	saved, err = file.Place()
	if saved != nil {
		kept.remove()
		return savedPassword, saved, errors.Join(uncertain, err)
	}
	var refused *FileError
	if errors.As(err, &refused) && savedPassword.Check() == nil { // the file did not get its name
		err = errors.Join(err, os.Remove(password.target.Path), kept.putBack())
	}
	return nil, nil, err
}

// keptPassword is a copy of a sealed password that is being replaced. Its path is empty where none was there.
type keptPassword struct{ path, replaced string }

// keepReplaced copies the sealed password that is about to be replaced. A run that was ended right after that has left such a copy.
func (d *Draft) keepReplaced() (keptPassword, error) {
	contents, err := ReadRegular(d.target.Path, maxSaved)
	if errors.Is(err, fs.ErrNotExist) {
		return keptPassword{}, nil
	}
	if err != nil {
		return keptPassword{}, &FileError{Path: d.target.Path, Fault: NotReadable, Err: err}
	}
	kept := keptPassword{path: d.target.Path + keptExtension, replaced: d.target.Path}
	if there, err := ReadRegular(kept.path, maxSaved); err == nil && bytes.Equal(there, contents) {
		return kept, nil
	}
	return kept, WriteFile(Target{Path: kept.path, DraftName: d.target.DraftName, Scratch: d.target.Scratch}, contents)
}

// remove removes the copy. Where that fails both files stand all the same, and the next run that would make such a copy names it.
func (k keptPassword) remove() {
	if k.path != "" {
		_ = os.Remove(k.path)
	}
}

func (k keptPassword) putBack() error {
	if k.path == "" {
		return nil
	}
	return os.Rename(k.path, k.replaced)
}

// SetAside gives a sealed password that opens no file of its name another name. A copy of its file may be elsewhere: it is not removed. The
// error is a *FileError.
func SetAside(path string) (aside string, err error) {
	for n := range mostUnused {
		aside = path + unusedExtension
		if n > 0 {
			aside = fmt.Sprintf("%s-%d", aside, n+1)
		}
		if err = renameBeside(path, aside, false); !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return "", &FileError{Path: path, Fault: FileExists}
	case err != nil:
		return "", &FileError{Path: path, Fault: NotWritable, Err: err}
	}
	return aside, nil
}

// TakeBack gives what was set aside its name again, unless another file has it.
func TakeBack(aside, path string) error {
	if err := renameBeside(aside, path, false); err != nil && !errors.Is(err, fs.ErrExist) {
		return &FileError{Path: path, Fault: NotWritable, Err: err}
	}
	return nil
}

// renameBeside renames a file in its directory.
func renameBeside(from, to string, replace bool) error {
	directory, err := openFolder(filepath.Dir(from))
	if err != nil {
		return err
	}
	defer directory.Close()
	if err := directory.rename(filepath.Base(from), filepath.Base(to), replace); err != nil {
		return err
	}
	return directory.sync()
}

// Kept is where the sealed password that a record tells of stands, if a run was ended after it replaced that password at the path and before
// it replaced the file; empty where it does not.
func (s *SealedPassword) Kept(path string) string {
	kept := path + keptExtension
	if digest, err := digestOfFile(kept); s == nil || err != nil || digest != s.SHA256 {
		return ""
	}
	return kept
}

// RecordPath is where the record of a PFX file stands.
func RecordPath(file string) string {
	return strings.TrimSuffix(file, filepath.Ext(file)) + RecordExtension
}

// WasSealed reports whether the record beside a file, whose contents were read, tells that the file's password was made for it and sealed.
func WasSealed(path string, contents []byte) bool {
	record, err := ReadRecord(RecordPath(path))
	return err == nil && record.Sealed != nil && record.SHA256 == Digest(contents)
}

// NotTheSealed reports whether the record beside a PFX file names another sealed password than the one at the path, by its SHA-256.
func NotTheSealed(file, password string) bool {
	record, err := ReadRecord(RecordPath(file))
	if err != nil || record.Sealed == nil {
		return false
	}
	digest, err := digestOfFile(password)
	return err == nil && digest != record.Sealed.SHA256
}
