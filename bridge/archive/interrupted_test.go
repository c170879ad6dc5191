package archive

import (
	"os"
	"path/filepath"
	"testing"
)

// TestUnfinishedRecords: a record that a killed run left unfinished gets its name where the files are what it tells, and where it takes the place
// of nothing but an outdated record of the same certificate. A record that is not finished is removed, as every unfinished file is.
func TestUnfinishedRecords(t *testing.T) {
	const name, password = "alice-0123456789abcdef", "alice-0123456789abcdef.pfx.password"
	const another = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
	outdated := func(r *Record) { r.SHA256, r.Sealed = another, nil }
	for _, row := range []struct {
		name     string
		file     string        // what stands under the PFX file's name; empty for nothing
		password string        // likewise
		older    func(*Record) // the record that stands there; nil for none
		finished bool
	}{
		{"the file is there", "PFX", "sealed", nil, true},
		{"it was replaced", "PFX", "sealed", outdated, true},
		{"it was sealed anew", "PFX", "sealed", func(r *Record) { r.Sealed = &SealedPassword{File: password, SHA256: another} }, true},
		{"there is none", "", "sealed", nil, false},
		{"the older one is there", "older", "sealed", outdated, false},
		{"the sealed password is another one", "PFX", "older", outdated, false},
		{"there is no sealed password", "PFX", "", nil, false},
		{"a record tells of the file already", "PFX", "sealed", func(r *Record) { r.LastDrill = r.Created }, false},
		{"the record is another certificate's", "PFX", "sealed", func(r *Record) { outdated(r); r.Certificate.SHA256 = another }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			directory := t.TempDir()
			record := unfinishedIn(t, directory, map[string]string{name + BackupExtension: row.file, password: row.password}, row.older)
			draft, err := record.Draft(Target{Path: filepath.Join(directory, name+RecordExtension), Force: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := draft.settle(); err != nil { // as if the process had died
				t.Fatal(err)
			}
			putFile(t, directory, ".p11bridge-0123.part", "PF")
			held, err := Reserve(directory, Shard{})
			if err != nil {
				t.Fatal(err)
			}
			if err := held.Release(); err != nil {
				t.Fatal(err)
			}
			if left, err := filepath.Glob(filepath.Join(directory, ".p11bridge*")); err != nil || len(left) > 0 {
				t.Errorf("there is %q (%v)", left, err)
			}
			found, err := ReadRecord(filepath.Join(directory, name+RecordExtension))
			finished := err == nil && found.Sealed != nil && found.Sealed.SHA256 == record.Sealed.SHA256 && found.SHA256 == record.SHA256 && found.LastDrill == ""
			if finished != row.finished || row.older != nil && err != nil {
				t.Errorf("finished: %v, %v", finished, err)
			}
		})
	}
}

// unfinishedIn makes the files that a killed run left, and the record that stands there if older makes one, and gives the unfinished record.
func unfinishedIn(t *testing.T, directory string, files map[string]string, older func(*Record)) *Record {
	t.Helper()
	record := someRecord()
	record.SHA256 = Digest([]byte("PFX"))
	record.Sealed = &SealedPassword{File: record.File + PasswordExtension, SHA256: Digest([]byte("sealed"))}
	for name, text := range files {
		putFile(t, directory, name, text)
	}
	if older == nil {
		return record
	}
	standing := *record
	older(&standing)
	if err := standing.Write(Target{Path: RecordPath(filepath.Join(directory, record.File))}); err != nil {
		t.Fatal(err)
	}
	return record
}

// putFile writes a file, unless it is to be empty.
func putFile(t *testing.T, directory, name, text string) {
	t.Helper()
	if text == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
