package bridge

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/seal"
	"p11bridge/bridge/verdict"
	"p11bridge/token/secret"
)

// SealedIterations is the iteration count of a file whose password was made for it and sealed. Such a password cannot be guessed, so that
// it needs no stretching; 1000 is the least that RFC 8018 section 4.2 recommends, and that NIST SP 800-132 asks for; every reader takes it.
const SealedIterations = 1000

// sealedGroups are the groups of five letters and digits of such a password: 150 bits.
const sealedGroups = 6

// Sealing says to whom the password of a file is to be sealed: one that is made for this file, written beside it, and shown nowhere.
type Sealing struct {
	Recipients []seal.Recipient
	Transport  seal.Transport // empty: seal.OAEP
	// Keys are of recipients, as far as they are at hand: the sealed password is opened again with them before it is placed. Without any
	// its form and its recipients are checked.
	Keys []seal.Key
	Now  time.Time // zero: the time of the call
}

// ErrNotOpened means that a key was to be destroyed though nobody has shown that the sealed password of its copy can be opened.
var ErrNotOpened = errors.New("nobody has shown that the sealed password can be opened")

// validate takes what is needed where nothing is named.
func (s *Sealing) validate() (*Sealing, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // nothing is to be sealed
	}
	valid := *s
	if valid.Transport == "" {
		valid.Transport = seal.OAEP
	}
	if !slices.Contains(seal.Transports(), valid.Transport) {
		return nil, fmt.Errorf("seal: transport %q: %w", valid.Transport, ErrRequest)
	}
	if valid.Now.IsZero() {
		valid.Now = time.Now()
	}
	return &valid, seal.CheckRecipients(valid.Recipients, valid.Now)
}

// sealedTarget is where the sealed password of the file is to stand.
func (r ExportRequest) sealedTarget() archive.Target {
	target := r.Target
	target.Path += archive.PasswordExtension
	target.Replaces = r.olderPassword
	return target
}

// besideSealed makes sure that the sealed password can be placed, and the record that tells of it, which a single export writes as one of
// many does.
func (r ExportRequest) besideSealed() (ExportRequest, error) {
	if r.Sealing == nil {
		return r, nil
	}
	if err := r.sealedTarget().Check(); err != nil || r.recording != nil {
		return r, err
	}
	target := r.Target
	target.Path = archive.RecordPath(r.Target.Path)
	r.recording = &recording{target: target, now: r.Sealing.Now, named: func(result *ExportResult, _ *archive.Record) { result.Record = target.Path }}
	return r, target.Check()
}

// sealPassword writes the sealed password as a draft, and proves it on what is read back from disk. What it is goes into the result.
func (r ExportRequest) sealPassword(result *ExportResult) (*archive.Draft, []byte, error) {
	target := r.sealedTarget()
	file, opened, err := r.Sealing.seal(r.Random, r.Password)
	if errors.As(err, new(*seal.OpenError)) { // with the key that is to prove it
		err = &SealedError{target.Path, err}
	}
	if err != nil {
		return nil, nil, err
	}
	draft, err := archive.NewDraft(target, file)
	if err != nil {
		return nil, nil, err
	}
	written, err := draft.ReadBack()
	if err == nil && archive.Digest(written) != archive.Digest(file) {
		err = archive.NotProven("the sealed password on disk is not what was written")
	}
	if err != nil {
		return nil, nil, errors.Join(err, draft.Discard())
	}
	result.SealedFile = target.Path
	result.Sealed = r.Sealing.describe(target.Path, file, opened)
	if !opened {
		result.Notices = append(result.Notices, notOpened(target.Path))
	}
	return draft, file, nil
}

func notOpened(path string) verdict.Reason {
	return verdict.Because(verdict.SealedNotOpened, verdict.Fact{Name: "file", Value: path})
}

// seal seals a password and proves what it made: with a recipient's key where one is at hand.
func (s *Sealing) seal(random io.Reader, password *secret.Text) (file []byte, opened bool, err error) {
	if file, err = seal.Seal(random, password, s.Recipients, s.Transport); err != nil {
		return nil, false, err
	}
	parsed, err := seal.Parse(file)
	if err != nil {
		return nil, false, archive.NotProven("the sealed password: %w", err)
	}
	if err := parsed.CheckAddresses(s.Recipients); err != nil {
		return nil, false, archive.NotProven("the sealed password: %w", err)
	}
	if len(s.Keys) == 0 {
		return file, false, nil
	}
	again, err := parsed.Open(s.Keys...)
	if err != nil {
		return nil, false, err
	}
	defer again.Wipe()
	if !again.Equal(password) {
		return nil, false, archive.NotProven("the sealed password opens to another one")
	}
	return file, true, nil
}

func (s *Sealing) describe(path string, file []byte, opened bool) *archive.SealedPassword {
	described := &archive.SealedPassword{File: filepath.Base(path), SHA256: archive.Digest(file), Opened: opened}
	for _, r := range s.Recipients {
		described.Recipients = append(described.Recipients, archive.SealedTo{Kind: string(r.Kind), SHA256: r.Fingerprint, Name: r.Name})
	}
	return described
}

// place gives the file its name, and its sealed password before it.
func (made *provenFile) place() (err error) {
	if made.password == nil {
		made.saved, err = made.draft.Place()
		return err
	}
	made.savedPassword, made.saved, err = archive.PlaceBoth(made.password, made.draft)
	return err
}

// discard removes what has no name yet.
func (made *provenFile) discard() error {
	if made.password == nil {
		return made.draft.Discard()
	}
	return errors.Join(made.draft.Discard(), made.password.Discard())
}

// withFreshPassword is the request with a password that was made for its file, where it is to be sealed. forget wipes it.
func (r ExportRequest) withFreshPassword() (_ ExportRequest, forget func(), err error) {
	if r.Sealing == nil {
		return r, func() {}, nil
	}
	if r.Password, err = NewPassword(r.Random, sealedGroups); err != nil {
		return r, nil, err
	}
	if r.Iterations == 0 {
		r.Iterations = SealedIterations
	}
	return r, r.Password.Wipe, nil
}

// ReadSealed reads a sealed password, and opens nothing. The error is a *seal.OpenError, or a *fs.PathError.
func ReadSealed(path string) (*seal.Sealed, error) {
	file, err := archive.ReadRegular(path, seal.MaxSize)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return seal.Parse(file)
}

// SealedError names the file of a sealed password that does not open.
type SealedError struct {
	Path string
	Err  error
}

// Error names the file.
func (e *SealedError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *SealedError) Unwrap() error { return e.Err }

// SealedIn is a *SealedError with the error as its cause; nil for nil.
func SealedIn(path string, err error) error {
	if err == nil {
		return nil
	}
	return &SealedError{path, err}
}
