package pki

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha1" // certificates of old CAs are signed with it
	_ "crypto/sha256"
	_ "crypto/sha512" // registers SHA-384 and SHA-512 as well
	"crypto/subtle"
	"fmt"
	"math"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Scheme is how a signature is made and written. SchemeOf makes one for another digest than SHA-256.
type Scheme string

const (
	// RSAPKCS1SHA256 is RSASSA-PKCS1-v1_5 with SHA-256 (CKM_SHA256_RSA_PKCS; RFC 8017 section 8.2).
	RSAPKCS1SHA256 Scheme = "RSA-PKCS1-SHA256"
	// RSAPSSSHA256 is RSASSA-PSS with SHA-256 in both places and a salt of any length (CKM_SHA256_RSA_PKCS_PSS; RFC 8017
	// section 8.1). It is the one for keys that are restricted to PSS.
	RSAPSSSHA256 Scheme = "RSA-PSS-SHA256"
	// ECDSASHA256 is ECDSA over the SHA-256 digest, written r || s, each half of the same length (CKM_ECDSA,
	// PKCS#11 v3.1 section 6.3.1). Halves shorter than the order are taken, longer ones are not.
	ECDSASHA256 Scheme = "ECDSA-SHA256"
	// Ed25519 is pure Ed25519 (CKM_EDDSA without parameters; RFC 8032 section 5.1).
	Ed25519 Scheme = "Ed25519"
)

// schemeFamilies name the schemes of a key's algorithm.
var schemeFamilies = map[string]string{"RSA": "RSA-PKCS1", "RSA-PSS": "RSA-PSS", "EC": "ECDSA"}

// schemeHashes name the digests of a scheme.
var schemeHashes = map[crypto.Hash]string{crypto.SHA1: "SHA1", crypto.SHA224: "SHA224", crypto.SHA256: "SHA256", crypto.SHA384: "SHA384", crypto.SHA512: "SHA512"}

// SchemeOf is the scheme of a key's algorithm ("RSA", "RSA-PSS", "EC", "Ed25519") with a digest, which Ed25519 has none of. It is
// empty where there is none.
func SchemeOf(algorithm string, hash crypto.Hash) Scheme {
	family, name := schemeFamilies[algorithm], schemeHashes[hash]
	switch {
	case algorithm == "Ed25519" && hash == 0:
		return Ed25519
	case family == "" || name == "":
		return ""
	}
	return Scheme(family + "-" + name)
}

// algorithmAndHash undoes SchemeOf.
func (s Scheme) algorithmAndHash() (algorithm string, hash crypto.Hash) {
	if s == Ed25519 {
		return "Ed25519", 0
	}
	for algorithm := range schemeFamilies {
		for hash := range schemeHashes {
			if SchemeOf(algorithm, hash) == s {
				return algorithm, hash
			}
		}
	}
	return "", 0
}

// Verify checks a token's signature over message. PKCS#1 v1.5 and ECDSA work for every size and curve that this
// package knows, brainpool and secp256k1 included; PSS from 1024 bits on.
//
// Errors: ErrSignature if the signature is not this key's over this message; *MalformedError if SPKI holds no such
// key; *UnsupportedError if the scheme is not one of this key's algorithm, or the curve is unknown.
func (k PublicKey) Verify(message, signature []byte, scheme Scheme) error {
	algorithm, hash := scheme.algorithmAndHash()
	switch {
	case algorithm == "RSA" && k.Algorithm == "RSA":
		return k.verifyPKCS1(hash, digest(hash, message), signature)
	case algorithm == "RSA-PSS" && (k.Algorithm == "RSA" || k.Algorithm == "RSA-PSS"):
		return k.verifyPSS(hash, digest(hash, message), signature)
	case algorithm == "EC" && k.Algorithm == "EC":
		c := curveByName(k.Curve)
		if c == nil {
			return &UnsupportedError{Algorithm: k.Curve}
		}
		half := len(signature) / 2
		if half == 0 || len(signature)%2 != 0 || half > c.scalarSize() {
			return ErrSignature
		}
		return k.verifyECDSA(digest(hash, message), new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
	case algorithm == "Ed25519" && k.Algorithm == "Ed25519":
		return k.verifyEd25519(message, signature)
	}
	return &UnsupportedError{Algorithm: fmt.Sprintf("%s with a key of algorithm %q", scheme, k.Algorithm)}
}

func (k PublicKey) rsaNumbers() (n, e *big.Int, err error) {
	key, err := k.keyBits()
	if err != nil {
		return nil, nil, err
	}
	n, e, err = readRSAPublicKey(key)
	if err != nil {
		return nil, nil, err
	}
	return n, e, checkRSAPublic(n, e)
}

// stdRSA gives the key to crypto/rsa if that takes it: from 1024 bits on, with an exponent of up to 31 bits.
func stdRSA(n, e *big.Int) (*rsa.PublicKey, bool) {
	if n.BitLen() < 1024 || e.BitLen() > 31 || !e.IsInt64() || e.Int64() > math.MaxInt32 {
		return nil, false
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, true
}

// Standard reports whether the size of the key is one that Go's own packages work with. Others are in use: RSA keys below 1024 bits, and
// those with an exponent of more than 31 bits.
func (k PublicKey) Standard() bool {
	if k.Algorithm != "RSA" && k.Algorithm != "RSA-PSS" {
		return true
	}
	n, e, err := k.rsaNumbers()
	if err != nil {
		return false
	}
	_, takes := stdRSA(n, e)
	return takes
}

func (k PublicKey) verifyPKCS1(hash crypto.Hash, digest, signature []byte) error {
	n, e, err := k.rsaNumbers()
	if err != nil {
		return err
	}
	if key, ok := stdRSA(n, e); ok {
		if rsa.VerifyPKCS1v15(key, hash, digest, signature) != nil {
			return ErrSignature
		}
		return nil
	}
	// The whole encoded message is built and compared; none of the signature is parsed (RFC 8017 section 8.2.2).
	expected, err := encodePKCS1(hash, digest, (n.BitLen()+7)/8)
	if err != nil {
		return err
	}
	s := new(big.Int).SetBytes(signature)
	if len(signature) != len(expected) || s.Cmp(n) >= 0 {
		return ErrSignature
	}
	got := s.Exp(s, e, n).FillBytes(make([]byte, len(expected)))
	if subtle.ConstantTimeCompare(got, expected) != 1 {
		return ErrSignature
	}
	return nil
}

func (k PublicKey) verifyPSS(hash crypto.Hash, digest, signature []byte) error {
	n, e, err := k.rsaNumbers()
	if err != nil {
		return err
	}
	key, ok := stdRSA(n, e)
	if !ok {
		return &UnsupportedError{Algorithm: "RSASSA-PSS with a small modulus or a large exponent"}
	}
	if rsa.VerifyPSS(key, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}) != nil {
		return ErrSignature
	}
	return nil
}

// hashOIDs name the digests of a DigestInfo and of RSASSA-PSS parameters (RFC 8017 section B.1).
var hashOIDs = map[crypto.Hash]string{
	crypto.SHA1:   "1.3.14.3.2.26",
	crypto.SHA224: "2.16.840.1.101.3.4.2.4",
	crypto.SHA256: "2.16.840.1.101.3.4.2.1",
	crypto.SHA384: "2.16.840.1.101.3.4.2.2",
	crypto.SHA512: "2.16.840.1.101.3.4.2.3",
}

// encodePKCS1 is EMSA-PKCS1-v1_5 (RFC 8017 section 9.2).
func encodePKCS1(hash crypto.Hash, digest []byte, size int) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addOID(b, hashOIDs[hash])
			b.AddBytes(derNull)
		})
		b.AddASN1OctetString(digest)
	})
	info, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("digest info: %w", err)
	}
	if size < len(info)+11 {
		return nil, &UnsupportedError{Algorithm: fmt.Sprintf("RSA of %d bits with %v", 8*size, hash)}
	}
	em := make([]byte, size)
	em[1] = 1
	for i := 2; i < size-len(info)-1; i++ {
		em[i] = 0xff
	}
	copy(em[size-len(info):], info)
	return em, nil
}

func (k PublicKey) verifyECDSA(digest []byte, r, s *big.Int) error {
	c := curveByName(k.Curve)
	if c == nil {
		return &UnsupportedError{Algorithm: k.Curve}
	}
	point, err := k.keyBits()
	if err != nil {
		return err
	}
	return c.verify(point, digest, r, s)
}

func (k PublicKey) verifyEd25519(message, signature []byte) error {
	key, err := k.keyBits()
	if err != nil {
		return err
	}
	if len(key) != ed25519.PublicKeySize {
		return malformed("Ed25519 public key", "%d bytes", len(key))
	}
	if !ed25519.Verify(key, message, signature) {
		return ErrSignature
	}
	return nil
}
