package pki

import (
	"bytes"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Equal reports whether both are certainly the same key, whatever their encodings were: compressed or explicit points, RSA with
// or without the restriction to RSASSA-PSS (a token knows only CKK_RSA), parameters that are NULL or left out. A key without
// SPKI equals nothing, not even itself. That two keys are not equal does not mean that they differ: see Differs.
func (k PublicKey) Equal(other PublicKey) bool {
	if len(k.SPKI) == 0 || len(other.SPKI) == 0 {
		return false
	}
	return bytes.Equal(k.SPKI, other.SPKI) || !k.Understood() && !other.Understood() && sameForm(k.SPKI, other.SPKI)
}

// Sharing is the key with its SubjectPublicKeyInfo in the place of one that has the same octets, so that these are kept once.
func (k PublicKey) Sharing(spki []byte) PublicKey {
	if bytes.Equal(k.SPKI, spki) {
		k.SPKI = spki
	}
	return k
}

// Same is the same text for keys that are Equal, and for no others. A key without SPKI has none.
func (k PublicKey) Same() string {
	if algorithm, bits, ok := splitPublicKey(k.SPKI); ok && !k.Understood() {
		parameters := algorithm.parameters
		if algorithm.absent() {
			parameters = nil
		}
		return fmt.Sprintf("%s %x %x", algorithm.oid, parameters, bits)
	}
	return string(k.SPKI)
}

// Differs reports whether both are certainly different keys: both were understood, and are not equal. Where neither Equal nor
// Differs holds, one of them is in an encoding or of an algorithm that this package does not know, and nothing may rest on it.
func (k PublicKey) Differs(other PublicKey) bool {
	if len(k.SPKI) == 0 || len(other.SPKI) == 0 || k.Equal(other) {
		return false
	}
	one, two := k.family(), other.family()
	switch {
	case one == "" || two == "":
		return false
	case one == two || one == oidEC || two == oidEC: // some writers put Ed25519 under the identifier of EC
		return k.Understood() && other.Understood()
	}
	return true
}

// Understood reports whether SPKI is canonical, so that another key has other bytes: two understood keys are Equal, or they differ.
func (k PublicKey) Understood() bool { return k.Algorithm != "" && k.Bits > 0 }

// family is the algorithm, for a key that was not understood too. Keys of two families are different keys.
func (k PublicKey) family() string {
	algorithm, _, ok := splitPublicKey(k.SPKI)
	switch {
	case !ok:
		return ""
	case algorithm.oid == oidRSAPSS:
		return oidRSA
	}
	if e := edwardsByOID(algorithm.oid); e != nil {
		return e.oid
	}
	return algorithm.oid
}

// sameForm compares two keys of an algorithm that is not known: the same parameters, where NULL and none are the same, and
// the same bits.
func sameForm(one, other []byte) bool {
	a, aBits, aOK := splitPublicKey(one)
	b, bBits, bOK := splitPublicKey(other)
	return aOK && bOK && a.oid == b.oid && bytes.Equal(aBits, bBits) &&
		(bytes.Equal(a.parameters, b.parameters) || a.absent() && b.absent())
}

// splitPublicKey takes a DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) apart.
func splitPublicKey(spki []byte) (algorithm algorithmIdentifier, key []byte, ok bool) {
	s := cryptobyte.String(spki)
	var content cryptobyte.String
	ok = s.ReadASN1(&content, cbasn1.SEQUENCE) && s.Empty() && readAlgorithm(&content, &algorithm) &&
		content.ReadASN1BitStringAsBytes(&key) && content.Empty()
	return algorithm, key, ok
}

// Restricted is the DER SubjectPublicKeyInfo with the restriction to RSASSA-PSS that the key was read with, if there was
// one: what a request for a new certificate of the same key says of it. Without a restriction it is SPKI. The error is
// *MalformedError.
func (k PublicKey) Restricted() ([]byte, error) {
	if len(k.Restriction) == 0 {
		return k.SPKI, nil
	}
	key, err := k.keyBits()
	if err != nil {
		return nil, err
	}
	restricted, err := encodePublicKey(k, addRaw(k.Restriction), key)
	return restricted.SPKI, err
}

// KeyOfCertificate reads the public key alone of a DER certificate (RFC 5280 section 4.1), also where ParseCertificate cannot
// read its other fields. A key that could not be understood has its SPKI as found. The error is *MalformedError.
func KeyOfCertificate(der []byte) (PublicKey, error) {
	parts, err := splitCertificate(der)
	if err != nil {
		return PublicKey{}, err
	}
	var content, spki cryptobyte.String
	if !parts.tbs.ReadASN1(&content, cbasn1.SEQUENCE) ||
		!content.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) || // version
		!content.SkipASN1(cbasn1.INTEGER) || // serialNumber
		!content.SkipASN1(cbasn1.SEQUENCE) || // signature
		!content.SkipASN1(cbasn1.SEQUENCE) || // issuer
		!content.SkipASN1(cbasn1.SEQUENCE) || // validity
		!content.SkipASN1(cbasn1.SEQUENCE) || // subject
		!content.ReadASN1Element(&spki, cbasn1.SEQUENCE) {
		return PublicKey{}, malformed("certificate", "no public key")
	}
	key, err := ParsePublicKey(spki)
	if err != nil {
		return PublicKey{SPKI: bytes.Clone(spki)}, nil //nolint:nilerr // as ParseCertificate has it
	}
	return key, nil
}
