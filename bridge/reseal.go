package bridge

import (
	"context"
	"errors"
	"io"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/seal"
	"p11bridge/token/secret"
)

// ResealRequest says to whom the sealed password of a copy is to be sealed anew.
type ResealRequest struct {
	Backup   *archive.Backup // with a sealed password in its record
	Password *secret.Text    // the one that is sealed
	Sealing  Sealing         // its keys prove what is made where they are of one of its recipients
	Random   io.Reader       // nil: crypto/rand
	DryRun   bool            // checks, and writes nothing
	Target   archive.Target  // Scratch, Placing and DraftName of the files that are written
}

// ResealResult says what was done.
type ResealResult struct {
	Before []archive.SealedTo
	Sealed *archive.SealedPassword // as it is now; as it would be, but for its SHA-256, of a dry run
}

// Reseal shows that a password opens its PFX file, and seals it to other recipients. The new sealed password replaces the old one whole;
// then the record tells of it. The error is a *seal.RecipientError, an *InvalidCopyError or *UnjudgedError where the password does not open
// the file, a *archive.FileError, or *archive.SavedError with SavedWithoutRecord, after which the same once more mends it.
func Reseal(ctx context.Context, r ResealRequest) (*ResealResult, error) {
	if err := needs("reseal", part{"sealed password in the record", r.Backup == nil || r.Backup.Record.Sealed == nil}, part{"password", r.Password == nil}); err != nil {
		return nil, err
	}
	sealing, err := r.Sealing.validate()
	if err != nil {
		return nil, err
	}
	contents, err := archive.ReadRegular(r.Backup.Path(), MaxFileSize)
	if err != nil {
		return nil, &archive.FileError{Path: r.Backup.Path(), Fault: archive.NotReadable, Err: err}
	}
	judged, err := Verify(ctx, VerifyRequest{File: contents, Password: func() (*secret.Text, error) { return r.Password, nil }, Now: sealing.Now, Sealed: true})
	if err == nil {
		err = judged.failure()
	}
	if err != nil {
		return nil, err
	}
	var file []byte
	var opened bool
	secret.Forget(func() { file, opened, err = sealing.sealAgain(randomOr(r.Random), r.Password) })
	secret.Erase()
	if err != nil {
		return nil, err
	}
	result := &ResealResult{Before: r.Backup.Record.Sealed.Recipients, Sealed: sealing.describe(r.Backup.PasswordPath(), file, opened)}
	if r.DryRun {
		return result, nil
	}
	return result, r.replace(file, result.Sealed)
}

// sealAgain is seal where the keys may be of those who are recipients no longer.
func (s *Sealing) sealAgain(random io.Reader, password *secret.Text) (file []byte, opened bool, err error) {
	file, opened, err = s.seal(random, password)
	var fault *seal.OpenError
	if errors.As(err, &fault) && fault.Fault == seal.ForOthers {
		others := *s
		others.Keys = nil
		return others.seal(random, password)
	}
	return file, opened, err
}

func (r ResealRequest) replace(file []byte, sealed *archive.SealedPassword) error {
	target := r.Target
	target.Path, target.Force = r.Backup.PasswordPath(), true
	if err := archive.WriteFile(target, file); err != nil {
		return err
	}
	record := *r.Backup.Record
	record.Sealed = sealed
	target.Path = r.Backup.RecordPath
	if err := record.Write(target); err != nil {
		return &archive.SavedError{Path: r.Backup.PasswordPath(), Fault: archive.SavedWithoutRecord, Err: err}
	}
	return nil
}
