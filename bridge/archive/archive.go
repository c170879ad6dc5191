// Package archive keeps backups on disk: files that are written whole or not at all, the names they get, the record beside each,
// and the state of every key against them.
//
// Call WriteFile, or NewDraft, Draft.ReadBack and Draft.Place with something between; Read for the archive of a directory, and Status
// to compare tokens with it.
//
// Digests are SHA-256 in lower-case hexadecimal, times RFC 3339 in UTC, files have mode 0600. Errors: *FileError where a file did not
// get its name, *SavedError where it did and is not as it was written, *RecordError for a record that cannot be used, ErrNotProven.
// What is promised: no file is replaced without Force, and what has its final name is whole.
package archive

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"p11bridge/token"
	"p11bridge/token/pki"
)

// Archive is a directory with backups and their records, as it stood when it was read.
type Archive struct {
	Directory  string
	Backups    []Backup           // by the names of their records
	Unreadable []UnreadableRecord // records that are there and say nothing
	Unrecorded []string           // the paths of the PFX files, by their extension, for which no record can be read

	byCertificate map[string][]*Backup
	byPublicKey   map[string][]*Backup
	loose         map[string][]string // PFX files that no record speaks for, by the fingerprint in their names
}

// Backup is a record with what became of its file.
type Backup struct {
	RecordPath string
	Record     *Record
	File       FileState
	Problem    string    // for a file that was changed: what stands there instead of it, where it is no file
	Password   FileState // of the sealed password; empty or intact where there is none
}

// Path is where the PFX file is to be.
func (b *Backup) Path() string { return filepath.Join(filepath.Dir(b.RecordPath), b.Record.File) }

// Proven reports whether the file is the one that was made, that its sealed password is there where it has one, and that it was shown then to
// hold the key.
func (b *Backup) Proven() bool {
	return b.File == FileIntact && !b.PasswordLost() && b.Record.Proof.OfKey()
}

// UpToDate reports whether the backup, which BackupOf found for the identity, is proven, and that the private key on the token is shown
// to be the one in it.
func (b *Backup) UpToDate(identity token.Identity) bool { return b.Proven() && Shown(identity) }

// Shown reports whether it is known whose the private key of an identity is: by a public half that the token tells of it, or by a
// signature. A CKA_ID that it has in common with a certificate is a hint only.
func Shown(identity token.Identity) bool {
	return identity.PrivateKey != nil && len(identity.Public.SPKI) > 0 && identity.LinkedBy != token.LinkedByID
}

// FileState is what became of a backup's file.
type FileState string

// The states of a file.
const (
	FileIntact  FileState = "intact"  // the SHA-256 is the record's
	FileMissing FileState = "missing" // there is none
	FileChanged FileState = "changed" // there is something else
)

// UnreadableRecord is a record that is there and cannot be used.
type UnreadableRecord struct {
	Path string
	Err  error // why it cannot: a RecordFault, or the system's answer

	fingerprint string // of the certificate, as far as the name tells it
}

// Read reads the records of a directory and the SHA-256 of every file that one names. It opens no PFX and needs no
// password. The error is a *FileError, or the context's.
func Read(ctx context.Context, directory string) (*Archive, error) {
	a := &Archive{Directory: directory, byCertificate: map[string][]*Backup{}, byPublicKey: map[string][]*Backup{}, loose: map[string][]string{}}
	entries, err := os.ReadDir(directory)
	switch {
	case err != nil && isFile(directory):
		return nil, &FileError{Path: directory, Fault: NotADirectory}
	case errors.Is(err, os.ErrNotExist):
		return nil, &FileError{Path: directory, Fault: DirectoryMissing}
	case err != nil:
		return nil, &FileError{Path: directory, Fault: NotReadable, Err: err}
	}
	there := map[string]bool{}
	for _, entry := range entries {
		there[entry.Name()] = true
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if name, ok := strings.CutSuffix(entry.Name(), RecordExtension); ok && !strings.HasPrefix(name, ".") {
			a.read(name, there)
		}
	}
	spoken := map[string]bool{}
	for i := range a.Backups {
		b := &a.Backups[i]
		spoken[b.Record.File] = true
		a.byCertificate[b.Record.Certificate.SHA256] = append(a.byCertificate[b.Record.Certificate.SHA256], b)
		a.byPublicKey[b.Record.PublicKeySHA256] = append(a.byPublicKey[b.Record.PublicKeySHA256], b)
	}
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), BackupExtension)
		if fingerprint := namedFor(name); ok && fingerprint != "" && !spoken[entry.Name()] {
			a.loose[fingerprint] = append(a.loose[fingerprint], name)
		}
		if isPFX(entry.Name()) && !spoken[entry.Name()] {
			a.Unrecorded = append(a.Unrecorded, filepath.Join(directory, entry.Name()))
		}
	}
	return a, nil
}

// isPFX goes by the extension. Names that begin with a dot are unfinished files, of ours or of others.
func isPFX(name string) bool {
	extension := strings.ToLower(filepath.Ext(name))
	return (extension == BackupExtension || extension == ".p12") && !strings.HasPrefix(name, ".")
}

// read takes in one JSON file. Other people's are left alone: those that are not named as records are and have no PFX file
// of their name.
func (a *Archive) read(name string, there map[string]bool) {
	path := filepath.Join(a.Directory, name+RecordExtension)
	record, err := ReadRecord(path)
	if err != nil {
		if namedFor(name) != "" || there[name+BackupExtension] {
			var problem *RecordError
			if errors.As(err, &problem) {
				err = problem.Err
			}
			a.Unreadable = append(a.Unreadable, UnreadableRecord{Path: path, Err: err, fingerprint: namedFor(name)})
		}
		return
	}
	a.Backups = append(a.Backups, newBackup(path, record))
}

// newBackup looks at the files that a record tells of.
func newBackup(recordPath string, record *Record) Backup {
	backup := Backup{RecordPath: recordPath, Record: record, File: FileIntact}
	switch digest, err := digestOfFile(backup.Path()); {
	case errors.Is(err, os.ErrNotExist):
		backup.File = FileMissing
	case err != nil:
		backup.File, backup.Problem = FileChanged, err.Error()
	case digest != record.SHA256:
		backup.File = FileChanged
	}
	backup.Password = backup.passwordState()
	return backup
}

// of finds the backup of a certificate: the best one, where there are several.
func (a *Archive) of(certificate *pki.Certificate) *Backup {
	found := a.byCertificate[certificate.SHA256()]
	found = slices.DeleteFunc(slices.Clone(found), func(b *Backup) bool { return b.Record.PublicKeySHA256 != Digest(certificate.PublicKey.SPKI) })
	return bestOf(found)
}

// ofKey finds the backup of a key, with whatever certificate.
func (a *Archive) ofKey(public pki.PublicKey) *Backup {
	if len(public.SPKI) == 0 {
		return nil
	}
	return bestOf(a.byPublicKey[Digest(public.SPKI)])
}

// bestOf prefers a proven file, then an intact one, then the newest record.
func bestOf(backups []*Backup) *Backup {
	rank := func(b *Backup) int {
		switch {
		case b.Proven():
			return 2
		case b.File == FileIntact:
			return 1
		}
		return 0
	}
	var best *Backup
	for _, b := range backups {
		if best == nil || rank(b) > rank(best) || rank(b) == rank(best) && b.Record.Created > best.Record.Created {
			best = b
		}
	}
	return best
}

// NameFor is the name, without ending, under which a certificate's backup is to be written: the one that it has already,
// also where the label was changed since or the record was lost, so that no duplicate grows.
func (a *Archive) NameFor(label, certificateSHA256 string) string {
	if backup := bestOf(a.byCertificate[certificateSHA256]); backup != nil {
		name, ok := strings.CutSuffix(backup.Record.File, BackupExtension)
		if ok && name+RecordExtension == filepath.Base(backup.RecordPath) {
			return name
		}
	}
	own := BackupName(label, certificateSHA256)
	if names := a.loose[shortFingerprint(certificateSHA256)]; len(names) > 0 && !slices.Contains(names, own) {
		return names[0]
	}
	return own
}

// isFile reports whether something else than a directory stands under the path.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// BackupOf finds the backup of an identity: of its certificate, or of its key where there is no certificate. Whether the private
// key is the one in the backup is another question: see token.Identity.Proven.
func (a *Archive) BackupOf(identity token.Identity) *Backup {
	if identity.Certificate != nil {
		if identity.Certificate.Parsed == nil {
			return nil
		}
		return a.of(identity.Certificate.Parsed)
	}
	return a.ofKey(identity.Public)
}
