package pfx

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// ErrMismatch means that a key and a certificate bear the same localKeyID and have different public keys.
var ErrMismatch = errors.New("pfx: key and certificate have the same local key id but different public keys")

// LinkedBy says what holds a key and its certificate together.
type LinkedBy string

// The links, from proof to none.
const (
	// LinkedByPublicKey is the proof: the certificate certifies the key's public key.
	LinkedByPublicKey LinkedBy = "public-key"
	// LinkedByLocalKeyID is what the file says; the public key could not be compared, or contradicts it.
	LinkedByLocalKeyID LinkedBy = "local-key-id"
	// LinkedByNothing means that the key has no certificate here.
	LinkedByNothing LinkedBy = "none"
)

// Pair is a key with its certificate.
type Pair struct {
	// Key is an index into Contents.Keys, Certificate one into Contents.Certificates, or -1.
	Key, Certificate int
	LinkedBy         LinkedBy
	// Also are further certificates of the same public key, as they remain after a renewal.
	Also []int
	// Err says why the public key does not prove the link: ErrMismatch, or why it could not be told. It is nil where
	// it does, and for a shrouded key, whose public key nobody can tell.
	Err error
}

// Match finds the certificate of every key: one with the key's public key, and among several the one with its
// localKeyID; else one with its localKeyID alone. publicKey tells the DER SubjectPublicKeyInfo of a PrivateKeyInfo, so
// that this package needs no key parsing; it is not called for shrouded keys. SubjectPublicKeyInfos are compared as
// they are encoded, save that NULL parameters and none are the same.
func Match(contents *Contents, publicKey func(pkcs8 []byte) (spki []byte, err error)) []Pair {
	pairs := make([]Pair, 0, len(contents.Keys))
	for i, key := range contents.Keys {
		pairs = append(pairs, match(contents.Certificates, i, key, publicKey))
	}
	return pairs
}

func match(certificates []Certificate, index int, key Key, publicKey func([]byte) ([]byte, error)) Pair {
	pair := Pair{Key: index, Certificate: -1, LinkedBy: LinkedByNothing}
	var spki []byte
	if key.PKCS8 != nil {
		if spki, pair.Err = publicKey(key.PKCS8); pair.Err != nil {
			pair.Err = fmt.Errorf("pfx: public key of key %d: %w", index, pair.Err)
			spki = nil
		}
	}
	named := func(c Certificate) bool { return len(key.LocalKeyID) > 0 && bytes.Equal(c.LocalKeyID, key.LocalKeyID) }
	var same []int
	for i, c := range certificates {
		if spki == nil {
			break
		}
		theirs, err := PublicKey(c.DER)
		if err != nil || !samePublicKey(spki, theirs) {
			continue
		}
		if named(c) {
			same = append([]int{i}, same...)
		} else {
			same = append(same, i)
		}
	}
	if len(same) > 0 {
		pair.Certificate, pair.Also, pair.LinkedBy = same[0], same[1:], LinkedByPublicKey
		return pair
	}
	for i, c := range certificates {
		if named(c) {
			pair.Certificate, pair.LinkedBy = i, LinkedByLocalKeyID
			if spki != nil {
				pair.Err = ErrMismatch
			}
			return pair
		}
	}
	return pair
}

// PublicKey returns the DER SubjectPublicKeyInfo of a DER certificate (RFC 5280, section 4.1), on whatever curve. It is
// a part of the certificate's memory. The error is *DamagedError.
func PublicKey(certificate []byte) ([]byte, error) {
	input := cryptobyte.String(certificate)
	var outer, tbs, spki cryptobyte.String
	ok := input.ReadASN1(&outer, asn1.SEQUENCE) && outer.ReadASN1(&tbs, asn1.SEQUENCE) &&
		tbs.SkipOptionalASN1(tagExplicit0) && // version
		tbs.SkipASN1(asn1.INTEGER) && // serialNumber
		tbs.SkipASN1(asn1.SEQUENCE) && // signature
		tbs.SkipASN1(asn1.SEQUENCE) && // issuer
		tbs.SkipASN1(asn1.SEQUENCE) && // validity
		tbs.SkipASN1(asn1.SEQUENCE) && // subject
		tbs.ReadASN1Element(&spki, asn1.SEQUENCE)
	if !ok {
		return nil, damaged("certificate")
	}
	return spki, nil
}

func samePublicKey(one, other []byte) bool {
	a, aBits, aOK := readPublicKey(one)
	b, bBits, bOK := readPublicKey(other)
	if !aOK || !bOK || a.oid != b.oid || !bytes.Equal(aBits, bBits) {
		return false
	}
	return bytes.Equal(a.parameters, b.parameters) || (a.plain() && b.plain())
}

func readPublicKey(spki cryptobyte.String) (a algorithm, bits cryptobyte.String, ok bool) {
	var sequence cryptobyte.String
	if !spki.ReadASN1(&sequence, asn1.SEQUENCE) || !spki.Empty() {
		return a, nil, false
	}
	a, ok = readAlgorithm(&sequence)
	ok = ok && sequence.ReadASN1(&bits, asn1.BIT_STRING) && sequence.Empty()
	return a, bits, ok
}
