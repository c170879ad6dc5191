package pki

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"p11bridge/token/foreign"
)

// Certificate is what p11bridge needs of an X.509 certificate (RFC 5280 section 4.1), whatever curve its key is on. All of it
// is the certificate's own claim: parsing checks no signature.
type Certificate struct {
	// Raw is the DER of the certificate, without the bytes that some tokens store behind it.
	Raw []byte `json:"-"`
	// RawSubject and RawIssuer are the DER Names.
	RawSubject, RawIssuer []byte `json:"-"`
	// Subject and Issuer are the names as RFC 4514 writes them, in UTF-8. Control characters, line ends, and characters that
	// turn the direction of writing or are invisible are escaped as \XX, octet by octet, so the text is safe to show. A name
	// that cannot be read is "#" and its DER in hexadecimal.
	Subject foreign.Text `json:"subject"`
	Issuer  foreign.Text `json:"issuer"`
	// Serial is lower-case hexadecimal, two digits an octet, without leading zero octets; "00" for zero, and with a "-"
	// in front for the negative numbers that some CAs gave.
	Serial string `json:"serial"`
	// NotBefore and NotAfter are in UTC.
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// PublicKey has an empty Algorithm, and SPKI as found, if the key could not be understood.
	PublicKey PublicKey `json:"public_key"`
	// Purposes are the extended key usages by the names of their specifications ("clientAuth", "smartcardLogon"), else as dotted OIDs.
	Purposes []string `json:"purposes"`
	// KeyUsage are the set bits by their names in RFC 5280 section 4.2.1.3.
	KeyUsage []string `json:"key_usage"`
	// HasEKU reports whether the extension is there at all: without it the key may serve any purpose.
	HasEKU bool `json:"has_eku"`
	// IsCA is basicConstraints' cA.
	IsCA bool `json:"is_ca"`
	// SubjectKeyID and AuthorityKeyID are the key identifiers, nil where absent.
	SubjectKeyID, AuthorityKeyID []byte `json:"-"`
	// RawSAN is the DER GeneralNames of subjectAltName, nil where absent.
	RawSAN []byte `json:"-"`
	// Unreadable are the dotted OIDs of the extensions above that are there and could not be read, and "extensions" if what
	// stands in their place is no list of extensions, at least from some point on.
	Unreadable []string `json:"unreadable,omitempty"`
	// Fingerprint is the SHA-256 of Raw in lower-case hexadecimal. It stays where Raw was left out.
	Fingerprint string `json:"sha256"`
}

// ParseCertificate reads one DER certificate, for example CKA_VALUE. It takes what tokens really hold and crypto/x509
// refuses: bytes behind the certificate, negative serial numbers, every string type, times without seconds or with an
// offset, unknown curves and algorithms, names and extensions that are broken, extensions that stand there twice
// (the first counts), and bytes behind the last field of a SEQUENCE. It keeps no reference to der.
//
// Errors: *MalformedError if the outer structure, the serial number or the validity cannot be read.
func ParseCertificate(der []byte) (*Certificate, error) {
	return ParseSharedCertificate(bytes.Clone(der))
}

// ParseSharedCertificate is ParseCertificate for DER that does not change any more: the result's octets are parts of it.
func ParseSharedCertificate(der []byte) (*Certificate, error) {
	parts, err := splitCertificate(der)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(parts.raw)
	c := &Certificate{Raw: slices.Clip(parts.raw), Fingerprint: hex.EncodeToString(sum[:])}
	s := parts.tbs
	var content, serial, issuer, validity, subject, spki cryptobyte.String
	var algorithm cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) ||
		!content.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) || // the version, which says nothing
		!content.ReadASN1(&serial, cbasn1.INTEGER) || len(serial) == 0 ||
		!content.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) ||
		!content.ReadASN1Element(&issuer, cbasn1.SEQUENCE) ||
		!content.ReadASN1(&validity, cbasn1.SEQUENCE) ||
		!content.ReadASN1Element(&subject, cbasn1.SEQUENCE) ||
		!content.ReadASN1Element(&spki, cbasn1.SEQUENCE) {
		return nil, malformed("certificate", "not the fields of a TBSCertificate")
	}
	c.Serial = serialText(serial)
	if c.NotBefore, c.NotAfter, err = readValidity(validity); err != nil {
		return nil, err
	}
	c.RawIssuer, c.RawSubject = slices.Clip([]byte(issuer)), slices.Clip([]byte(subject))
	c.Issuer, c.Subject = foreign.Text(nameText(issuer)), foreign.Text(nameText(subject))
	if c.PublicKey, err = ParsePublicKey(spki); err != nil {
		c.PublicKey = PublicKey{SPKI: spki}
	}
	c.PublicKey = c.PublicKey.Sharing(slices.Clip([]byte(spki)))
	if !c.readExtensions(content) {
		c.Unreadable = append(c.Unreadable, "extensions")
	}
	return c, nil
}

// certificateParts are the three parts of a signed certificate, not looked into.
type certificateParts struct {
	raw                       []byte
	tbs, algorithm, signature cryptobyte.String // whole elements; tbs is what is signed
}

// splitCertificate takes anything for the algorithm and the signature, and anything behind them: a listing needs neither.
func splitCertificate(der []byte) (certificateParts, error) {
	raw, _, ok := outerElement(der)
	if !ok {
		return certificateParts{}, malformed("certificate", "not a DER SEQUENCE")
	}
	parts := certificateParts{raw: raw}
	s := cryptobyte.String(raw)
	var content cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !content.ReadASN1Element(&parts.tbs, cbasn1.SEQUENCE) ||
		!content.ReadASN1Element(&parts.algorithm, cbasn1.SEQUENCE) || !content.ReadASN1Element(&parts.signature, cbasn1.BIT_STRING) {
		return certificateParts{}, malformed("certificate", "not a signed SEQUENCE")
	}
	return parts, nil
}

// serialText reads the content octets of an INTEGER.
func serialText(content []byte) string {
	n := new(big.Int).SetBytes(content)
	if content[0]&0x80 == 0 {
		return evenHex(n)
	}
	n.Sub(n, new(big.Int).Lsh(one, uint(8*len(content))))
	return "-" + evenHex(n.Abs(n))
}

func evenHex(n *big.Int) string {
	if n.Sign() == 0 {
		return "00"
	}
	return hex.EncodeToString(n.Bytes())
}

// timeLayouts are DER's two forms first, then what BER allows and old CAs wrote (X.680 sections 46 and 47).
var timeLayouts = map[cbasn1.Tag][]string{
	cbasn1.UTCTime:         {"060102150405Z0700", "0601021504Z0700"},
	cbasn1.GeneralizedTime: {"20060102150405Z0700", "200601021504Z0700", "20060102150405.999999999Z0700", "20060102150405"},
}

func readValidity(s cryptobyte.String) (notBefore, notAfter time.Time, err error) {
	notBefore, ok := readTime(&s)
	if !ok {
		return time.Time{}, time.Time{}, malformed("certificate", "no notBefore")
	}
	notAfter, ok = readTime(&s)
	if !ok {
		return time.Time{}, time.Time{}, malformed("certificate", "no notAfter")
	}
	return notBefore, notAfter, nil
}

func readTime(s *cryptobyte.String) (time.Time, bool) {
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&content, &tag) {
		return time.Time{}, false
	}
	for _, layout := range timeLayouts[tag] {
		t, err := time.Parse(layout, string(content))
		if err != nil {
			continue
		}
		if tag == cbasn1.UTCTime && t.Year() >= 2050 { // RFC 5280 section 4.1.2.5.1
			t = t.AddDate(-100, 0, 0)
		}
		return t.UTC(), true
	}
	return time.Time{}, false
}

// SHA256 is the fingerprint in lower-case hexadecimal.
func (c *Certificate) SHA256() string { return c.Fingerprint }

// SelfIssued reports whether subject and issuer are the same name (RFC 5280 section 3.2). It says nothing of the signature.
func (c *Certificate) SelfIssued() bool { return sameName(c.RawSubject, c.RawIssuer) }

// MayHaveIssued reports whether c's subject is child's issuer and, where c has a subject key identifier and child an
// authority key identifier, these are equal. It checks no signature; Chain does.
func (c *Certificate) MayHaveIssued(child *Certificate) bool {
	if len(c.SubjectKeyID) > 0 && len(child.AuthorityKeyID) > 0 && !bytes.Equal(c.SubjectKeyID, child.AuthorityKeyID) {
		return false
	}
	return sameName(c.RawSubject, child.RawIssuer)
}
