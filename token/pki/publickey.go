// Package pki reads X.509 certificates, public keys and PKCS#8 private keys as PKCS#11 tokens give them: with
// padding, without fields, on curves that crypto/x509 does not know. It computes with plain bytes and calls no token.
package pki

import (
	"bytes"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// PublicKey is a public key in one canonical form, whichever of its encodings it was read from. The zero value is
// no key.
type PublicKey struct {
	// Algorithm is "RSA", "RSA-PSS" (an RSA key that its SubjectPublicKeyInfo restricts to PSS), "EC", "Ed25519",
	// "Ed448", "X25519", "X448", "DSA", or "" where the key could not be understood.
	Algorithm string `json:"algorithm"`
	// Bits is the length of the RSA modulus or of DSA's p, the size of an elliptic curve's field, or the encoded
	// length of an Ed25519 (256), Ed448 (456), X25519 (256) or X448 (448) key. 0 means unknown.
	Bits int `json:"bits"`
	// Restriction is the DER AlgorithmIdentifier of an "RSA-PSS" key (RFC 4055 section 3), nil for all others. It says what
	// the key may sign, and nothing of which key it is.
	Restriction []byte `json:"restriction,omitempty"`
	// Curve is set for EC only: "P-256", "brainpoolP256r1", "secp256k1", …, or the dotted OID of a curve that is not
	// in this package's table.
	Curve string `json:"curve,omitempty"`
	// SPKI is a DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7): rsaEncryption with NULL parameters also for
	// RSA-PSS, a named curve with an uncompressed point, no parameters for Ed25519 and its kin. So two keys that were
	// understood are equal if and only if these bytes are. Where Algorithm is "", or Curve a dotted OID, they are the bytes
	// as found. Equal and Differs compare keys; the bytes themselves are for look-ups and digests.
	SPKI []byte `json:"spki"`
}

// Object identifiers of key algorithms: RFC 3279, RFC 4055, RFC 5480, RFC 8410.
const (
	oidRSA    = "1.2.840.113549.1.1.1"
	oidRSAPSS = "1.2.840.113549.1.1.10"
	oidDSA    = "1.2.840.10040.4.1"
	oidEC     = "1.2.840.10045.2.1"
)

// ParsePublicKey reads a DER SubjectPublicKeyInfo, for example CKA_PUBLIC_KEY_INFO. An EC key on a curve outside the
// table is read with its dotted OID for a curve; its point is not checked.
//
// Errors: *MalformedError for broken DER, bytes behind it, no bytes at all, numbers out of bounds or a point that is
// not on its curve; *UnsupportedError for an algorithm or explicit curve parameters that are not known. With the
// latter the result still carries SPKI, as found.
func ParsePublicKey(spki []byte) (PublicKey, error) {
	whole, rest, ok := outerElement(spki)
	if !ok || len(rest) > 0 {
		return PublicKey{}, malformed("SubjectPublicKeyInfo", "not one DER SEQUENCE")
	}
	algorithm, key, ok := splitPublicKey(whole)
	if !ok {
		return PublicKey{}, malformed("SubjectPublicKeyInfo", "not an algorithm and a key")
	}
	public, err := parseKeyBits(algorithm, key)
	if unsupported, ok := errors.AsType[*UnsupportedError](err); ok {
		return PublicKey{SPKI: bytes.Clone(whole)}, unsupported
	}
	return public, err
}

func parseKeyBits(algorithm algorithmIdentifier, key []byte) (PublicKey, error) {
	switch algorithm.oid {
	case oidRSA:
		return parseRSAPublicKey("RSA", key)
	case oidRSAPSS:
		public, err := parseRSAPublicKey("RSA-PSS", key)
		public.Restriction = bytes.Clone(algorithm.raw)
		return public, err
	case oidDSA:
		return parseDSAPublicKey(algorithm, key)
	case oidEC:
		return parseECPublicKey(algorithm.parameters, key)
	}
	if e := edwardsByOID(algorithm.oid); e != nil {
		if !algorithm.absent() {
			return PublicKey{}, malformed(e.algorithm+" public key", "parameters")
		}
		return e.public(key)
	}
	return PublicKey{}, &UnsupportedError{Algorithm: algorithmName(algorithm.oid)}
}

// algorithmNames are those of keys that are met and cannot be computed with here (RFC 3279; NIST's CSOR; RFC 9215).
var algorithmNames = map[string]string{
	oidDSA:                    "DSA",
	"1.2.840.10046.2.1":       "X9.42 DH",
	"1.2.840.113549.1.3.1":    "PKCS #3 DH",
	"1.2.643.2.2.19":          "GOST R 34.10-2001",
	"1.2.643.7.1.1.1.1":       "GOST R 34.10-2012 (256 bits)",
	"1.2.643.7.1.1.1.2":       "GOST R 34.10-2012 (512 bits)",
	"2.16.840.1.101.3.4.4.1":  "ML-KEM-512",
	"2.16.840.1.101.3.4.4.2":  "ML-KEM-768",
	"2.16.840.1.101.3.4.4.3":  "ML-KEM-1024",
	"2.16.840.1.101.3.4.3.17": "ML-DSA-44",
	"2.16.840.1.101.3.4.3.18": "ML-DSA-65",
	"2.16.840.1.101.3.4.3.19": "ML-DSA-87",
	"2.16.840.1.101.3.4.3.20": "SLH-DSA-SHA2-128s",
	"2.16.840.1.101.3.4.3.21": "SLH-DSA-SHA2-128f",
	"2.16.840.1.101.3.4.3.22": "SLH-DSA-SHA2-192s",
	"2.16.840.1.101.3.4.3.23": "SLH-DSA-SHA2-192f",
	"2.16.840.1.101.3.4.3.24": "SLH-DSA-SHA2-256s",
	"2.16.840.1.101.3.4.3.25": "SLH-DSA-SHA2-256f",
	"2.16.840.1.101.3.4.3.26": "SLH-DSA-SHAKE-128s",
	"2.16.840.1.101.3.4.3.27": "SLH-DSA-SHAKE-128f",
	"2.16.840.1.101.3.4.3.28": "SLH-DSA-SHAKE-192s",
	"2.16.840.1.101.3.4.3.29": "SLH-DSA-SHAKE-192f",
	"2.16.840.1.101.3.4.3.30": "SLH-DSA-SHAKE-256s",
	"2.16.840.1.101.3.4.3.31": "SLH-DSA-SHAKE-256f",
}

// algorithmName is the specification's name, or else the dotted OID.
func algorithmName(oid string) string {
	if name, known := algorithmNames[oid]; known {
		return name
	}
	return oid
}

// parseDSAPublicKey reads what a listing shows of a DSA key (RFC 3279 section 2.3.2).
func parseDSAPublicKey(algorithm algorithmIdentifier, key []byte) (PublicKey, error) {
	var p, q, g, y big.Int
	value := cryptobyte.String(key)
	if !readUnsigned(&value, &y) || !value.Empty() {
		return PublicKey{}, malformed("DSA public key", "not y")
	}
	if algorithm.absent() { // inherited from the issuer
		return encodePublicKey(PublicKey{Algorithm: "DSA"}, addRaw(algorithm.raw), key)
	}
	parameters := cryptobyte.String(algorithm.parameters)
	var content cryptobyte.String
	if !parameters.ReadASN1(&content, cbasn1.SEQUENCE) || !readUnsigned(&content, &p) || !readUnsigned(&content, &q) ||
		!readUnsigned(&content, &g) || !content.Empty() {
		return PublicKey{}, malformed("DSA public key", "not p, q and g")
	}
	return dsaPublicKey(&p, &q, &g, &y)
}

// dsaPublicKey writes the numbers with as many octets as DER gives them.
func dsaPublicKey(p, q, g, y *big.Int) (PublicKey, error) {
	var value cryptobyte.Builder
	addUnsigned(&value, y)
	key, err := value.Bytes()
	if err != nil {
		return PublicKey{}, &MalformedError{What: "DSA public key", Err: err}
	}
	return encodePublicKey(PublicKey{Algorithm: "DSA", Bits: p.BitLen()}, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addOID(b, oidDSA)
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, number := range []*big.Int{p, q, g} {
					addUnsigned(b, number)
				}
			})
		})
	}, key)
}

func addRaw(element []byte) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) { b.AddBytes(element) }
}

// encodePublicKey sets k.SPKI.
func encodePublicKey(k PublicKey, algorithm func(*cryptobyte.Builder), key []byte) (PublicKey, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		algorithm(b)
		b.AddASN1BitString(key)
	})
	spki, err := b.Bytes()
	if err != nil {
		return PublicKey{}, &MalformedError{What: "SubjectPublicKeyInfo", Err: err}
	}
	k.SPKI = spki
	return k, nil
}

// keyBits gives the BIT STRING's content of a canonical SPKI.
func (k PublicKey) keyBits() ([]byte, error) {
	_, key, ok := splitPublicKey(k.SPKI)
	if !ok {
		return nil, malformed("SubjectPublicKeyInfo", "no key in it")
	}
	return key, nil
}
