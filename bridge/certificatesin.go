package bridge

import (
	"bytes"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"p11bridge/token/pki"
)

// CertificatesIn reads the certificates of one DER document: of a certificate, or of a PKCS #7 (RFC 5652 section 5), in which many issuers
// send a certificate with its chain. Signatures are not verified. The members of a PKCS #7 have no order: those that issued none of the
// others come first. The error is that of pki.ParseCertificate.
func CertificatesIn(der []byte) ([]*pki.Certificate, error) {
	members, is := signedDataCertificates(der)
	if !is {
		certificate, err := pki.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		return []*pki.Certificate{certificate}, nil
	}
	var certificates []*pki.Certificate
	for _, member := range members {
		certificate, err := pki.ParseCertificate(member)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, certificate)
	}
	return leavesFirst(certificates), nil
}

// signedDataCertificates are the certificates of a SignedData, not looked into. It reports whether there are any.
func signedDataCertificates(der []byte) (members [][]byte, is bool) {
	input, explicit := cryptobyte.String(der), asn1.Tag(0).ContextSpecific().Constructed()
	var info, content, signed, set cryptobyte.String
	var contentType []byte
	if !input.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1((*cryptobyte.String)(&contentType), asn1.OBJECT_IDENTIFIER) ||
		!bytes.Equal(contentType, signedDataContent) || !info.ReadASN1(&content, explicit) || !content.ReadASN1(&signed, asn1.SEQUENCE) ||
		!signed.SkipASN1(asn1.INTEGER) || !signed.SkipASN1(asn1.SET) || !signed.SkipASN1(asn1.SEQUENCE) || !signed.ReadASN1(&set, explicit) {
		return nil, false
	}
	for !set.Empty() {
		var member cryptobyte.String
		var tag asn1.Tag
		if !set.ReadAnyASN1Element(&member, &tag) {
			return nil, false
		}
		if tag == asn1.SEQUENCE { // others are attribute certificates and forms that nobody uses
			members = append(members, member)
		}
	}
	return members, len(members) > 0
}

// signedDataContent is oidSignedData without its tag and length.
var signedDataContent = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}

// leavesFirst puts those certificates first that issued none of the others.
func leavesFirst(certificates []*pki.Certificate) []*pki.Certificate {
	issued := func(c *pki.Certificate) bool {
		return slices.ContainsFunc(certificates, func(other *pki.Certificate) bool {
			return other != c && bytes.Equal(other.RawIssuer, c.RawSubject)
		})
	}
	leaves := slices.DeleteFunc(slices.Clone(certificates), issued)
	return append(leaves, slices.DeleteFunc(slices.Clone(certificates), func(c *pki.Certificate) bool { return !issued(c) })...)
}
