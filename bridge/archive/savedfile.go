package archive

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// SavedFault is what is wrong with a file that was given its final name.
type SavedFault string

// The faults of a placed file. Where a file is gone, replaced or altered, somebody else did it.
const (
	SavedUncertain     SavedFault = "uncertain"      // it is there and whole, and a power cut might still lose it
	SavedGone          SavedFault = "gone"           // there is no file under its name
	SavedReplaced      SavedFault = "replaced"       // another file stands under its name
	SavedAltered       SavedFault = "altered"        // its contents are others
	SavedWithoutRecord SavedFault = "without-record" // it is there and whole, and its record could not be written
)

// SavedError says what is wrong with a file that was given its final name.
type SavedError struct {
	Path  string
	Fault SavedFault
	Err   error // the system's own answer, if there was one
}

// Error names the file and the fault.
func (e *SavedError) Error() string {
	text := map[SavedFault]string{
		SavedUncertain: "placed, but not certain to be on disk", SavedGone: "gone since it was placed or read", SavedReplaced: "replaced by another file since it was placed or read",
		SavedAltered: "altered since it was placed or read", SavedWithoutRecord: "placed, but its record could not be written",
	}[e.Fault]
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Path, text, e.Err)
	}
	return e.Path + ": " + text
}

// Unwrap gives the system's answer.
func (e *SavedError) Unwrap() error { return e.Err }

// SavedFile is a file that has its final name. It knows which file that is, by device, inode, size and SHA-256.
type SavedFile struct {
	target Target
	id     identity
	size   int64
	digest [sha256.Size]byte
}

// Remember notes which file stands under a path, for contents that were read from there. The error is that of SavedFile.Check: the
// path is no regular file, or its contents are others by now.
func Remember(path string, contents []byte) (*SavedFile, error) {
	p := &SavedFile{target: Target{Path: path}, size: int64(len(contents)), digest: sha256.Sum256(contents)}
	file, err := openRegular(path)
	if err == nil {
		p.id, err = identityOf(file)
		err = errors.Join(err, file.Close())
	}
	if checked := p.Check(); checked != nil {
		return nil, checked
	}
	if err != nil {
		return nil, &SavedError{Path: path, Fault: SavedUncertain, Err: err}
	}
	return p, nil
}

// Check reports whether the file under the final name is still the one that was placed. The error is a *SavedError, with
// SavedUncertain where that could not be found out.
func (p *SavedFile) Check() error {
	fault := func(kind SavedFault, err error) error {
		return &SavedError{Path: p.target.Path, Fault: kind, Err: err}
	}
	file, err := openRegular(p.target.Path)
	switch {
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return fault(SavedGone, nil)
	case errors.Is(err, errIsLink) || errors.Is(err, errNotRegular):
		return fault(SavedReplaced, err)
	case err != nil:
		return fault(SavedUncertain, err)
	}
	defer file.Close()
	id, err := identityOf(file)
	if err != nil {
		return fault(SavedUncertain, err)
	}
	if id != p.id {
		return fault(SavedReplaced, nil)
	}
	digest, err := digestOf(file, p.size)
	switch {
	case errors.Is(err, errTooLarge):
		return fault(SavedAltered, nil)
	case err != nil:
		return fault(SavedUncertain, err)
	case digest != p.digest:
		return fault(SavedAltered, nil)
	}
	return nil
}

// Holds reports whether the file under the final name has the contents of the one that was placed, whichever file it is.
func (p *SavedFile) Holds() bool {
	contents, err := ReadRegular(p.target.Path, maxSaved)
	return err == nil && sha256.Sum256(contents) == p.digest
}

// maxSaved bounds what is read of a file that somebody may have put in the place of another, in bytes.
const maxSaved = 64 << 20

// PutBack writes the contents once more, for a file that is gone or altered and of which no other copy exists: under its final
// name; where that cannot be, or where another file stands there, beside it, in the person's home, or where temporary files are: the
// other file may be somebody's only copy. It gives the path where the contents are. Where all that fails, the error is the first answer.
func (p *SavedFile) PutBack(contents []byte) (path string, err error) {
	directory, name := filepath.Split(p.target.Path)
	beside := strings.TrimSuffix(name, filepath.Ext(name)) + "-put-back" + filepath.Ext(name)
	paths := []string{p.target.Path, filepath.Join(directory, beside)}
	if home, err := os.UserHomeDir(); err == nil {
		paths = append(paths, filepath.Join(home, beside))
	}
	paths = append(paths, filepath.Join(os.TempDir(), beside))
	var found *SavedError
	ours := errors.As(p.Check(), &found) && found.Fault == SavedAltered // the file that was placed, with other contents
	var first error
	for i, path := range paths {
		err := WriteFile(Target{Path: path, Force: i == 0 && ours}, contents)
		if err == nil || errors.As(err, &found) && found.Fault == SavedUncertain {
			return path, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", first
}
