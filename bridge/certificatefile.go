package bridge

import (
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"p11bridge/bridge/archive"
	"p11bridge/token/pki"
)

// CertificateFormat is the form of a file that holds certificates and no key.
type CertificateFormat string

// The forms that the Windows wizard offers.
const (
	CertificateDER CertificateFormat = "der" // one certificate in DER (X.690)
	CertificatePEM CertificateFormat = "pem" // one certificate as text (RFC 7468 section 5)
	CertificateP7B CertificateFormat = "p7b" // the certificate and its chain in a PKCS #7 of certificates only, in DER (RFC 5652 section 5, RFC 8551 section 3.8)
)

// CertificateFormats lists them.
func CertificateFormats() []CertificateFormat {
	return []CertificateFormat{CertificateDER, CertificatePEM, CertificateP7B}
}

// formatNames are the extensions that speak of one form. The others, as .cer and .crt, are used for DER and for PEM.
var formatNames = map[string]CertificateFormat{".der": CertificateDER, ".pem": CertificatePEM, ".p7b": CertificateP7B, ".p7c": CertificateP7B}

// FormatOf is the form that a file's name speaks of; DER where it speaks of none.
func FormatOf(path string) CertificateFormat {
	if format, speaks := formatNames[strings.ToLower(filepath.Ext(path))]; speaks {
		return format
	}
	return CertificateDER
}

// Fits reports whether a file of this form may have the name: not that of another form, and .p7b or .p7c for the one that Windows
// knows by it.
func (f CertificateFormat) Fits(path string) bool {
	speaksOf, speaks := formatNames[strings.ToLower(filepath.Ext(path))]
	return speaks && speaksOf == f || !speaks && f != CertificateP7B
}

// CertificateRequest says which certificate is to be written, and how. That is no backup: the key is not in it.
type CertificateRequest struct {
	Target      archive.Target
	Format      CertificateFormat // empty: the one that the target's name speaks of
	Certificate *pki.Certificate
	Pool        []*pki.Certificate // where the chain is sought
}

// CertificateResult says what was written, or would be.
type CertificateResult struct {
	Format   CertificateFormat
	Chain    []*pki.Certificate // that is in the file, nearest first
	contents []byte
}

// Encode makes the contents of the file, without writing it. The error is ErrRequest for a format that is none, or a name that is
// that of another one.
func (r CertificateRequest) Encode() (*CertificateResult, error) {
	if err := needs("write a certificate", part{"target", r.Target.Path == ""}, part{"certificate", r.Certificate == nil}); err != nil {
		return nil, err
	}
	if r.Format == "" {
		r.Format = FormatOf(r.Target.Path)
	}
	if !slices.Contains(CertificateFormats(), r.Format) || !r.Format.Fits(r.Target.Path) {
		return nil, fmt.Errorf("write a certificate: format %q as %s: %w", r.Format, r.Target.Path, ErrRequest)
	}
	result := &CertificateResult{Format: r.Format, contents: r.Certificate.Raw}
	var err error
	switch r.Format {
	case CertificatePEM:
		result.contents = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate.Raw})
	case CertificateP7B:
		result.Chain, _ = pki.Chain(r.Certificate, r.Pool)
		result.contents, err = certificatesOnly(append([]*pki.Certificate{r.Certificate}, result.Chain...))
	}
	return result, err
}

// WriteCertificate writes the certificate. The error is that of Encode, or an *archive.FileError.
func WriteCertificate(r CertificateRequest) (*CertificateResult, error) {
	result, err := r.Encode()
	if err != nil {
		return nil, err
	}
	if err := archive.CheckName(r.Target.Path, archive.ContentCertificate); err != nil {
		return nil, err
	}
	return result, archive.WriteFile(r.Target, result.contents)
}

var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
)

// certificatesOnly is a SignedData that nobody signed.
func certificatesOnly(certificates []*pki.Certificate) ([]byte, error) {
	type contentInfo struct {
		ContentType asn1.ObjectIdentifier
	}
	type signedData struct {
		Version          int
		DigestAlgorithms []asn1.RawValue `asn1:"set"`
		Content          contentInfo
		Certificates     asn1.RawValue
		SignerInfos      []asn1.RawValue `asn1:"set"`
	}
	var raw []byte
	for _, certificate := range certificates {
		raw = append(raw, certificate.Raw...)
	}
	body, err := asn1.Marshal(signedData{
		Version: 1, Content: contentInfo{oidData}, DigestAlgorithms: []asn1.RawValue{}, SignerInfos: []asn1.RawValue{},
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: raw},
	})
	if err != nil {
		return nil, fmt.Errorf("encode the certificates: %w", err)
	}
	der, err := asn1.Marshal(struct {
		ContentType asn1.ObjectIdentifier
		Content     asn1.RawValue
	}{oidSignedData, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: body}})
	if err != nil {
		return nil, fmt.Errorf("encode the certificates: %w", err)
	}
	return der, nil
}
