package pfx

import (
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Content types (RFC 5652), bags (RFC 7292, section 4.2) and attributes (RFC 2985).
const (
	oidData          = "1.2.840.113549.1.7.1"
	oidSignedData    = "1.2.840.113549.1.7.2"
	oidEnvelopedData = "1.2.840.113549.1.7.3"
	oidEncryptedData = "1.2.840.113549.1.7.6"

	oidKeyBag          = "1.2.840.113549.1.12.10.1.1"
	oidShroudedKeyBag  = "1.2.840.113549.1.12.10.1.2"
	oidCertBag         = "1.2.840.113549.1.12.10.1.3"
	oidSecretBag       = "1.2.840.113549.1.12.10.1.5"
	oidSafeContentsBag = "1.2.840.113549.1.12.10.1.6"

	oidX509Certificate = "1.2.840.113549.1.9.22.1"
	oidFriendlyName    = "1.2.840.113549.1.9.20"
	oidLocalKeyID      = "1.2.840.113549.1.9.21"

	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidPBMAC1 = "1.2.840.113549.1.5.14"
	oidScrypt = "1.3.6.1.4.1.11591.4.11"
	oidRC2CBC = "1.2.840.113549.3.2"
)

// algorithmNames are the names of what a file may use and this package has not got.
var algorithmNames = map[string]string{
	oidSignedData:               "public-key integrity (signedData)",
	oidEnvelopedData:            "public-key privacy (envelopedData)",
	"1.2.840.113549.1.5.1":      "pbeWithMD2AndDES-CBC",
	"1.2.840.113549.1.5.4":      "pbeWithMD2AndRC2-CBC",
	"1.2.840.113549.3.4":        "RC4",
	"1.2.840.113549.3.9":        "RC5-CBC-Pad",
	"1.2.840.113549.2.2":        "MD2",
	"1.2.840.113549.2.4":        "MD4",
	"1.3.36.3.2.1":              "RIPEMD-160",
	"1.2.643.7.1.1.2.2":         "Streebog-256",
	"1.2.643.7.1.1.2.3":         "Streebog-512",
	"1.2.643.7.1.1.4.1":         "HMAC-Streebog-256",
	"1.2.643.7.1.1.4.2":         "HMAC-Streebog-512",
	"1.2.643.2.2.21":            "GOST 28147-89",
	"1.2.156.10197.1.401":       "SM3",
	"1.2.156.10197.1.104.2":     "SM4-CBC",
	"1.2.392.200011.61.1.1.1.2": "Camellia-128-CBC",
	"1.2.392.200011.61.1.1.1.3": "Camellia-192-CBC",
	"1.2.392.200011.61.1.1.1.4": "Camellia-256-CBC",
	"1.2.410.200004.1.4":        "SEED-CBC",
	"1.2.410.200046.1.1.12":     "ARIA-256-CBC",
	"2.16.840.1.101.3.4.1.6":    "AES-128-GCM",
	"2.16.840.1.101.3.4.1.26":   "AES-192-GCM",
	"2.16.840.1.101.3.4.1.46":   "AES-256-GCM",
	"2.16.840.1.101.3.4.1.4":    "AES-128-CFB",
	"2.16.840.1.101.3.4.1.44":   "AES-256-CFB",
	"1.3.6.1.4.1.3029.1.2":      "Blowfish-CBC",
}

// algorithmName is the specification's name, or else the identifier.
func algorithmName(oid string) string {
	if name, ok := algorithmNames[oid]; ok {
		return name
	}
	return oid
}

// readOID reads an OBJECT IDENTIFIER as dotted decimal. Arcs of any size are met, such as those below 2.25.
func readOID(s *cryptobyte.String) (string, bool) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, asn1.OBJECT_IDENTIFIER) || len(content) > maxOID {
		return "", false
	}
	var oid x509.OID
	if err := oid.UnmarshalBinary(content); err != nil {
		return "", false
	}
	return oid.String(), true
}

func addOID(b *cryptobyte.Builder, dotted string) {
	oid, err := x509.ParseOID(dotted)
	if err != nil {
		b.SetError(&DamagedError{Where: "object identifier to encode", Err: err})
		return
	}
	content, err := oid.MarshalBinary()
	if err != nil {
		b.SetError(&DamagedError{Where: "object identifier to encode", Err: err})
		return
	}
	b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(content) })
}

// algorithm is an AlgorithmIdentifier (RFC 5280, section 4.1.1.2).
type algorithm struct {
	oid string
	// parameters is the whole element, empty when it is absent.
	parameters cryptobyte.String
}

func readAlgorithm(s *cryptobyte.String) (algorithm, bool) {
	var a algorithm
	var sequence cryptobyte.String
	if !s.ReadASN1(&sequence, asn1.SEQUENCE) {
		return a, false
	}
	oid, ok := readOID(&sequence)
	if !ok {
		return a, false
	}
	a.oid = oid
	if sequence.Empty() {
		return a, true
	}
	var tag asn1.Tag
	return a, sequence.ReadAnyASN1Element(&a.parameters, &tag) && sequence.Empty()
}

// plain reports whether the parameters are NULL or absent, as digest and HMAC algorithms want them.
func (a algorithm) plain() bool {
	return len(a.parameters) == 0 || (len(a.parameters) == 2 && a.parameters[0] == 5 && a.parameters[1] == 0)
}

// addPlainAlgorithm writes an AlgorithmIdentifier with NULL parameters, which readers want explicit for HMACs.
func addPlainAlgorithm(b *cryptobyte.Builder, oid string) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oid)
		b.AddASN1NULL()
	})
}
