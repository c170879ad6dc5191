package bridge

import (
	"encoding/hex"
	"path/filepath"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/token"
)

// NewRecord describes what an export wrote.
func NewRecord(inventory *token.Inventory, identity token.Identity, result *ExportResult, now time.Time) *archive.Record {
	certificate, attributes := result.Certificate, identity.PrivateKey.Attributes
	record := &archive.Record{
		Schema: archive.RecordSchema, File: filepath.Base(result.File), SHA256: result.SHA256, Created: now.UTC().Format(time.RFC3339),
		Token: archive.RecordTokenOf(inventory),
		ID:    hex.EncodeToString(identity.PrivateKey.ID()), Label: identity.Label(),
		Usage: archive.RecordUsage{
			Sign: attributes.Bool(token.CKASign).Value(), Decrypt: attributes.Bool(token.CKADecrypt).Value(), Derive: attributes.Bool(token.CKADerive).Value(),
		},
		Certificate: archive.RecordCertificate{
			SHA256: certificate.SHA256(), Subject: certificate.Subject, Issuer: certificate.Issuer, Serial: certificate.Serial,
			NotBefore: certificate.NotBefore.UTC().Format(time.RFC3339), NotAfter: certificate.NotAfter.UTC().Format(time.RFC3339),
		},
		PublicKeySHA256: archive.Digest(certificate.PublicKey.SPKI), Method: result.Method, Profile: result.Profile,
		Iterations: result.Iterations, Proof: result.Proof,
		Sealed: result.Sealed,
	}
	if result.Mechanism != "" {
		record.Mechanism = &result.Mechanism
	}
	return record
}

// recording says where the record of a file is to stand.
type recording struct {
	target archive.Target
	now    time.Time
	named  func(*ExportResult, *archive.Record) // is called once the record has its name, before the key may be destroyed
}

// writtenRecord is a record that has not got its name yet; nil where none is written.
type writtenRecord struct {
	*recording
	record *archive.Record
	draft  *archive.Draft
}

// draftRecord writes the record of a file that is proven and has no name yet. By it a later run finishes what is ended before the record has
// its name: until then it is an unfinished file, and no record of anything.
func (r ExportRequest) draftRecord(made *provenFile) (*writtenRecord, error) {
	if r.recording == nil {
		return nil, nil //nolint:nilnil // none is written
	}
	record := NewRecord(r.Inventory, r.Identity, made.result, r.recording.now)
	draft, err := record.Draft(r.recording.target)
	return &writtenRecord{r.recording, record, draft}, err
}

// place gives the record its name. The error is an *archive.SavedError: the file stands by then.
func (w *writtenRecord) place(result *ExportResult) error {
	if w == nil {
		return nil
	}
	if _, err := w.draft.Place(); err != nil && noticed(result, err) == nil {
		return &archive.SavedError{Path: result.File, Fault: archive.SavedWithoutRecord, Err: err}
	}
	w.named(result, w.record)
	return nil
}

func (w *writtenRecord) discard() error {
	if w == nil {
		return nil
	}
	return w.draft.Discard()
}
