package bridge

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// olderBackup is what stands under the name of a backup and may be replaced by a new one of the same key.
type olderBackup struct {
	file     *archive.SavedFile // nil where there is none
	password *archive.SavedFile // of its sealed password; nil where there is none

	unused string // the path of a sealed password that will open no file of its name; empty where there is none
	kept   string // the path of the older backup's own sealed password, where an interrupted run left it under another name
}

// olderOf finds the older backup under the name of an item's files. A file is this very key's where the record beside it says so and its
// SHA-256 is the record's, or where the password of this run, or the sealed one beside it, opens it as a copy of this key with this
// certificate: a run that was killed before it wrote the record leaves such a file, and so does a record that was lost. Whatever else bears the
// name may be somebody's only copy of something: the error is an *archive.FileError then, with FileNotOwn.
func (r ExportAllRequest) olderOf(ctx context.Context, turn *turn[*token.Session], item *Item, target archive.Target) (older olderBackup, err error) {
	path, certificate := target.Path, item.Identity.Certificate.Parsed
	there, err := standing(target, certificate)
	switch {
	case err != nil:
		return older, err
	case there == nil:
		older.unused = sealedAt(path + archive.PasswordExtension)
		return older, nil
	}
	contents, record, recorded := there.contents, there.record, there.recorded
	opens := func(password *secret.Text) bool {
		defer turn.worked()
		return isCopy(ctx, contents, certificate, password)
	}
	if !recorded && !r.opened(path, opens) {
		if ctx.Err() != nil {
			return older, context.Cause(ctx)
		}
		return older, notOwn(path, CauseUnknownContents)
	}
	if older.file, err = archive.Remember(path, contents); err != nil {
		return olderBackup{}, notOwn(path, err)
	}
	err = r.olderPassword(&older, path+archive.PasswordExtension, recorded, record, opens)
	return older, err
}

// standingFile is a PFX file under the name of a backup, as far as can be told without its password.
type standingFile struct {
	contents []byte
	record   *archive.Record // nil where none can be read
	recorded bool            // the record is this file's, and of this certificate and key
}

// standing looks at what stands under the name of a certificate's backup; nil where there is no file. The error is an *archive.FileError where
// nothing may be written there, whatever the password.
func standing(target archive.Target, certificate *pki.Certificate) (*standingFile, error) {
	path, file := target.Path, target
	file.Force = true
	for _, target := range []archive.Target{file, recordTarget(target)} { // neither is a link, a directory or a device
		if err := target.Check(); err != nil {
			return nil, err
		}
	}
	record, err := archive.ReadRecord(archive.RecordPath(path))
	switch {
	case errors.Is(err, archive.RecordOfNothing):
		return nil, notOwn(archive.RecordPath(path), archive.RecordOfNothing)
	case err == nil && record.Certificate.SHA256 != certificate.SHA256():
		return nil, notOwn(archive.RecordPath(path), CauseOfAnother)
	}
	contents, err := archive.ReadRegular(path, MaxFileSize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // nothing stands there
	case err != nil:
		return nil, notOwn(path, err)
	}
	return &standingFile{contents: contents, record: record, recorded: record != nil && record.File == filepath.Base(path) &&
		record.SHA256 == archive.Digest(contents) && record.PublicKeySHA256 == archive.Digest(certificate.PublicKey.SPKI)}, nil
}

// Foresee tells of the pending items, without a password, which of them cannot be exported for what stands under their names, and of which of
// them that is not known: their Unrecorded files are replaced only where a password opens them. A directory that is to be made has nothing.
func (r ExportAllRequest) Foresee(items []*Item) {
	if _, err := os.Stat(r.Directory); errors.Is(err, fs.ErrNotExist) {
		return
	}
	for _, item := range items {
		if item.Outcome != Pending {
			continue
		}
		path := filepath.Join(r.Directory, item.Name+archive.BackupExtension)
		there, err := standing(archive.Target{Path: path}, item.Identity.Certificate.Parsed)
		switch {
		case err != nil:
			item.Outcome, item.Err = Failed, err
		case there != nil && !there.recorded:
			item.Unrecorded = path
		}
	}
}

func notOwn(path string, err error) error {
	return &archive.FileError{Path: path, Fault: archive.FileNotOwn, Err: err}
}

// recordTarget is where the record of a PFX file goes. What stands there is that key's record, or none that says anything.
func recordTarget(file archive.Target) archive.Target {
	file.Path, file.Replaces, file.Force = archive.RecordPath(file.Path), nil, true
	return file
}

// olderPassword finds the sealed password of an older backup: the record names it with its SHA-256, or what is sealed in it opens the file.
// Where the record tells of another password of the file, a sealed one that stands in its place is of a run that was ended before its own
// file was there.
func (r ExportAllRequest) olderPassword(older *olderBackup, path string, recorded bool, record *archive.Record, opens func(*secret.Text) bool) error {
	contents, err := archive.ReadRegular(path, MaxFileSize)
	missing, own := errors.Is(err, fs.ErrNotExist), recorded && record.Sealed.Is(path, contents)
	switch {
	case r.Each.Sealing == nil: // none is written, and none replaced
		if own {
			older.unused = path
		}
		return nil
	case err != nil && !missing:
		return notOwn(path, err)
	case recorded && !own:
		older.kept = record.Sealed.Kept(path)
		if older.kept != "" || record.Sealed == nil {
			older.unused = sealedAt(path)
		}
	}
	if missing || older.unused != "" {
		return nil
	}
	if record == nil || !record.Sealed.Is(path, contents) {
		password := r.unsealed(path)
		defer password.Wipe()
		if password == nil || !opens(password) {
			return notOwn(path, CausePasswordOfNobody)
		}
	}
	if older.password, err = archive.Remember(path, contents); err != nil {
		return notOwn(path, err)
	}
	return nil
}

// unsealed opens a sealed password with the keys of this run; it is nil where they do not open it.
func (r ExportAllRequest) unsealed(path string) *secret.Text {
	if r.Each.Sealing == nil || len(r.Each.Sealing.Keys) == 0 {
		return nil
	}
	sealed, err := ReadSealed(path)
	if err != nil {
		return nil
	}
	password, err := sealed.Open(r.Each.Sealing.Keys...)
	if err != nil {
		return nil
	}
	return password
}

// opened reports whether a password that is at hand opens a file as it should.
func (r ExportAllRequest) opened(path string, opens func(*secret.Text) bool) bool {
	if r.Each.Password != nil {
		return opens(r.Each.Password)
	}
	password := r.unsealed(path + archive.PasswordExtension)
	defer password.Wipe()
	return password != nil && opens(password)
}

// isCopy reports whether a file is a valid copy of one key, with this certificate, and holds nothing else that somebody may miss. What the key
// left in memory is to be erased.
func isCopy(ctx context.Context, contents []byte, certificate *pki.Certificate, password *secret.Text) bool {
	request := VerifyRequest{File: contents, Password: func() (*secret.Text, error) { return password, nil }}
	var judged *VerifyResult
	var err error
	secret.Forget(func() { judged, err = verify(ctx, request.validate()) })
	if err != nil || !judged.Valid {
		return false
	}
	others := slices.ContainsFunc(judged.Keys, func(key *FileKey) bool {
		return !key.Proven || key.Certificate == nil || key.Certificate.SHA256() != certificate.SHA256()
	})
	return !others && !slices.ContainsFunc(judged.Reasons, func(reason verdict.Reason) bool {
		return reason.Code == verdict.OtherContents || reason.Code == verdict.TrailingData && len(reason.Evidence) > 1 // another file behind this one
	})
}
