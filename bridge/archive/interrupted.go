package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A run that is ended between naming a PFX file and naming its record leaves the record as an unfinished file: it is written before the PFX
// file gets its name. So whoever comes next knows the file without its password, which may be sealed to somebody who is not there.

// sweep ends what killed processes left unfinished: a record of a file that is there gets its name, and the other files are removed. A writer
// that lives holds a lock on its own, which it takes before it writes the first byte: beside other workers an empty file is left alone.
func sweep(directory string, shard Shard) error {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return &FileError{Path: directory, Fault: NotReadable, Err: err}
	}
	for _, entry := range entries {
		if !isDraft(entry.Name(), draftName+"-") {
			continue
		}
		if err := endAbandoned(filepath.Join(directory, entry.Name()), shard.Whole()); err != nil {
			return &FileError{Path: directory, Fault: NotWritable, Err: err}
		}
	}
	return nil
}

func endAbandoned(path string, alone bool) error {
	file, err := openRegular(path)
	if err != nil {
		return nil // not a file of ours, or gone meanwhile
	}
	defer file.Close()
	if err := lock(file); err != nil {
		return nil // its writer lives, or nobody can tell
	}
	if info, err := file.Stat(); !alone && (err != nil || info.Size() == 0) {
		return nil
	}
	if err := finishRecord(path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// isDraft reports whether a name is that of an unfinished file, and begins so.
func isDraft(name, prefix string) bool {
	return strings.HasPrefix(name, prefix) && strings.HasPrefix(name, draftName+"-") && strings.HasSuffix(name, draftExtension)
}

// FinishRecords gives the records that a dead process left unfinished their names, where the files that they tell of stand as they were
// made. The paths of its unfinished files begin with the one given. Whatever else it left stays.
func FinishRecords(unfinished string) error {
	directory, prefix := filepath.Split(unfinished)
	entries, err := os.ReadDir(filepath.Clean(directory))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if isDraft(entry.Name(), prefix) {
			err = errors.Join(err, finishRecord(filepath.Join(directory, entry.Name())))
		}
	}
	return err
}

// finishRecord gives an unfinished record its name. It does so only where the files are what the record tells, and where no record stands
// there that tells of these files already, or of another certificate's.
func finishRecord(draft string) error {
	record, err := ReadRecord(draft)
	if err != nil {
		return nil // another file, or one that was not written to its end
	}
	made := newBackup(RecordPath(filepath.Join(filepath.Dir(draft), record.File)), record)
	if made.File != FileIntact || made.PasswordLost() {
		return nil
	}
	switch older, err := ReadRecord(made.RecordPath); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil || older.Certificate.SHA256 != record.Certificate.SHA256:
		return nil
	default:
		if there := newBackup(made.RecordPath, older); there.File == FileIntact && !there.PasswordLost() {
			return nil
		}
	}
	if record.Sealed != nil { // the password of the file that was replaced
		keptPassword{path: made.PasswordPath() + keptExtension}.remove()
	}
	return renameBeside(draft, made.RecordPath, true)
}
