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
