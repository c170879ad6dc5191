package bridge

import (
	"encoding/hex"
	"path/filepath"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/token"
)

// NewRecord describes what an export wrote.
func NewRecord(inventory *token.Inventory, identity token.Identity, receipt *ExportResult, now time.Time) *archive.Record {
	certificate, attributes := receipt.Certificate, identity.PrivateKey.Attributes
	record := &archive.Record{
		Schema: archive.RecordSchema, File: filepath.Base(receipt.File), SHA256: receipt.SHA256, Created: now.UTC().Format(time.RFC3339),
		Token: archive.RecordTokenOf(inventory),
		ID:    hex.EncodeToString(identity.PrivateKey.ID()), Label: identity.Label(),
		Usage: archive.RecordUsage{
			Sign: attributes.Bool(token.CKASign).Value(), Decrypt: attributes.Bool(token.CKADecrypt).Value(), Derive: attributes.Bool(token.CKADerive).Value(),
		},
		Certificate: archive.RecordCertificate{
			SHA256: certificate.SHA256(), Subject: certificate.Subject, Issuer: certificate.Issuer, Serial: certificate.Serial,
			NotBefore: certificate.NotBefore.UTC().Format(time.RFC3339), NotAfter: certificate.NotAfter.UTC().Format(time.RFC3339),
		},
		PublicKeySHA256: archive.Digest(certificate.PublicKey.SPKI), Method: receipt.Method, Profile: receipt.Profile,
		Iterations: receipt.Iterations, Proof: receipt.Proof,
	}
	if receipt.Mechanism != "" {
		record.Mechanism = &receipt.Mechanism
	}
	return record
}
