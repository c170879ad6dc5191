package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf16"

	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// RecordSchema names the form of a record.
const RecordSchema = "p11bridge.record/1"

// maxRecord is the largest record that is read, in bytes.
const maxRecord = 1 << 20

// Record says what a backup holds, without a secret: of which key and certificate, from which token, made how and when.
// It stands beside the PFX file, and status and restore read it.
type Record struct {
	Schema          string            `json:"schema"`
	File            string            `json:"file"`    // the PFX file's name, in the record's own directory
	SHA256          string            `json:"sha256"`  // of the PFX file, hexadecimal
	Created         string            `json:"created"` // RFC 3339, in UTC
	Token           RecordToken       `json:"token"`
	ID              string            `json:"cka_id"` // hexadecimal
	Label           foreign.Text      `json:"label"`  // CKA_LABEL as the token told it
	Usage           RecordUsage       `json:"usage"`
	Certificate     RecordCertificate `json:"certificate"`
	PublicKeySHA256 string            `json:"public_key_sha256"` // of the SubjectPublicKeyInfo
	Method          verdict.Method    `json:"method"`
	Mechanism       *string           `json:"mechanism"` // nil for a method that needs none
	Profile         pfx.Profile       `json:"profile"`
	Iterations      int               `json:"iterations"`
	Proof           Proof             `json:"proof"`
	// Sealed is the file's password where it was made for it and sealed to recipients; nil where somebody set it.
	Sealed *SealedPassword `json:"sealed_password,omitempty"`
	// LastDrill is when the file was last restored to a throw-away token that signed with its key, RFC 3339 in UTC; empty for never.
	LastDrill string `json:"last_drill,omitempty"`
}

// RecordToken is the token that a key came from.
type RecordToken struct {
	Label        foreign.Text `json:"label"`
	Serial       foreign.Text `json:"serial"`
	Manufacturer foreign.Text `json:"manufacturer"`
	Model        foreign.Text `json:"model"`
}

// RecordTokenOf is what a record says of a token.
func RecordTokenOf(inventory *token.Inventory) RecordToken {
	t := inventory.Token
	return RecordToken{Label: t.Label, Serial: t.Serial, Manufacturer: t.Manufacturer, Model: t.Model}
}

// RecordUsage is what the private key's attributes let it do; nil where the token did not tell.
type RecordUsage struct {
	Sign    *bool `json:"sign"`    // CKA_SIGN
	Decrypt *bool `json:"decrypt"` // CKA_DECRYPT
	Derive  *bool `json:"derive"`  // CKA_DERIVE
}

// RecordCertificate is the certificate in the backup.
type RecordCertificate struct {
	SHA256    string       `json:"sha256"`
	Subject   foreign.Text `json:"subject"`
	Issuer    foreign.Text `json:"issuer"`
	Serial    string       `json:"serial"`
	NotBefore string       `json:"not_before"`
	NotAfter  string       `json:"not_after"`
}

// Digest is the SHA-256 of the data, hexadecimal.
func Digest(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

// Write places the record, mode 0600. It replaces an older record of that name whole.
func (r *Record) Write(target Target) error {
	draft, err := r.Draft(target)
	if err == nil {
		_, err = draft.Place()
	}
	return err
}

// Draft writes the record as a draft, which was compared with what stands on disk. The caller ends it with Place or Discard.
func (r *Record) Draft(target Target) (*Draft, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return nil, fmt.Errorf("write the record: %w", err)
	}
	draft, err := NewDraft(target, asciiOnly(text.Bytes()))
	if err != nil {
		return nil, err
	}
	return draft, draft.compare()
}

// asciiOnly writes everything beyond ASCII as \u escapes. Labels come from tokens, and a record may be shown on a terminal
// by anything.
func asciiOnly(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case r < 0x7F:
			out = append(out, byte(r))
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// RecordError says why a record cannot be used.
type RecordError struct {
	Path string
	Err  error
}

// Error names the record.
func (e *RecordError) Error() string { return fmt.Sprintf("record %s: %v", e.Path, e.Err) }

// Unwrap gives the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// RecordFault is what is wrong with the contents of a record.
type RecordFault string

// The faults that a record can have.
const (
	RecordNotJSON        RecordFault = "not-json"
	RecordOfLaterVersion RecordFault = "later-version"
	RecordFingerprint    RecordFault = "fingerprint"
	RecordTime           RecordFault = "time"
	RecordID             RecordFault = "id"
	RecordFileName       RecordFault = "file-name"
	RecordSealed         RecordFault = "sealed-password"
	RecordOfNothing      RecordFault = "no-record"
)

// Error names the fault.
func (f RecordFault) Error() string { return "the record is of no use: " + string(f) }

// ReadRecord reads the record at the path. What it says of its file cannot lead out of its own directory. The error is a
// *RecordError.
func ReadRecord(path string) (*Record, error) {
	text, err := ReadRegular(path, maxRecord)
	if err != nil {
		return nil, &RecordError{path, err}
	}
	record, err := parseRecord(text)
	if err != nil {
		return nil, &RecordError{path, err}
	}
	return record, nil
}

func parseRecord(text []byte) (*Record, error) {
	var named struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(text, &named); err != nil {
		return nil, fmt.Errorf("%w: %w", RecordNotJSON, err)
	}
	switch {
	case !strings.HasPrefix(named.Schema, strings.TrimRight(RecordSchema, "0123456789")):
		return nil, RecordOfNothing
	case named.Schema != RecordSchema:
		return nil, RecordOfLaterVersion
	}
	r := &Record{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%w: %w", RecordNotJSON, err)
	}
	for _, digest := range []string{r.SHA256, r.Certificate.SHA256, r.PublicKeySHA256} {
		if len(digest) != hex.EncodedLen(sha256.Size) || strings.Trim(digest, "0123456789abcdef") != "" {
			return nil, RecordFingerprint
		}
	}
	times := []string{r.Created, r.Certificate.NotBefore, r.Certificate.NotAfter}
	if r.LastDrill != "" {
		times = append(times, r.LastDrill)
	}
	for _, t := range times {
		if _, err := time.Parse(time.RFC3339, t); err != nil {
			return nil, RecordTime
		}
	}
	if _, err := hex.DecodeString(r.ID); err != nil {
		return nil, RecordID
	}
	if !safeName(r.File) {
		return nil, RecordFileName
	}
	if !r.Sealed.sound() {
		return nil, RecordSealed
	}
	return r, nil
}

// errNotRegular means that a path is a device, a pipe, a directory or the like.
var errNotRegular = errors.New("not a regular file")

// openRegular opens a regular file that is not behind a symbolic link, without waiting for anybody. The error is errIsLink or
// errNotRegular, or the system's.
func openRegular(path string) (*os.File, error) { return regular(openNoFollow(path)) }

// regular closes what was opened and is no regular file: a device or a pipe may give bytes for ever.
func regular(file *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// errNotFollowed says what the system calls too many links: there is one, and none is followed.
var errNotFollowed = errors.New("a symbolic link, which is not followed here")

// ReadRegular reads a regular file that is not behind a symbolic link, up to most bytes.
func ReadRegular(path string, most int64) ([]byte, error) {
	file, err := openRegular(path)
	if errors.Is(err, errIsLink) {
		return nil, errNotFollowed
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("larger than %d bytes", most)
	}
	return text, err
}

// digestOfFile is the SHA-256 of a regular file's content, hexadecimal. One of more than maxSaved bytes is not read: nothing that was written
// here is as large.
func digestOfFile(path string) (string, error) {
	file, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	digest, err := digestOf(file, maxSaved)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(digest[:]), nil
}

// errTooLarge means that a file is larger than it may be.
var errTooLarge = errors.New("larger than what is read here")

// digestOf is the SHA-256 of an open file of at most so many bytes. Of a larger one nothing is read, or, where it grows, one byte more.
func digestOf(file *os.File, most int64) (sum [sha256.Size]byte, err error) {
	info, err := file.Stat()
	switch {
	case err != nil:
		return sum, err
	case info.Size() > most:
		return sum, errTooLarge
	}
	digest := sha256.New()
	read, err := io.Copy(digest, io.LimitReader(file, most+1))
	if err == nil && read > most {
		err = errTooLarge
	}
	return [sha256.Size]byte(digest.Sum(nil)), err
}
