package pki

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"p11bridge/token/secret"
)

// PrivateKey is one private key in clear, as C_WrapKey or its attributes gave it. It prints and serialises as
// "[redacted]"; whoever holds it wipes it.
type PrivateKey struct {
	// DER is a PKCS#8 PrivateKeyInfo of version 0 (RFC 5208 section 5) without attributes, rebuilt so that strict
	// readers take it: RSA with all its CRT parts, EC as a named curve with its publicKey field (RFC 5915), Ed25519 and X25519
	// as RFC 8410 section 7 has them. It shares no memory with what it was parsed from.
	DER []byte
	// Public is computed from the private part. What the file says of it is not believed.
	Public PublicKey
}

// Wipe overwrites DER with zeros and drops it; Public stays. A nil or wiped key is fine. The copies that math/big and the
// standard library made while they computed are out of its reach.
func (k *PrivateKey) Wipe() {
	if k == nil {
		return
	}
	clear(k.DER)
	k.DER = nil
}

const redacted = "[redacted]"

// Format implements fmt.Formatter, so that no verb shows the key.
func (PrivateKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// MarshalText implements encoding.TextMarshaler, so that neither JSON nor a log shows the key.
func (PrivateKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const privateKeyInfo = "PrivateKeyInfo"

// ParsePrivateKey reads a DER PKCS#8 PrivateKeyInfo or OneAsymmetricKey (RFC 5208, RFC 5958). Zero bytes behind the
// outer element are padding (SoftHSM 2.6.1 wraps that way) and are cut off; any other byte there is an error.
// Attributes are dropped. The caller keeps der, and wipes it.
//
// RSA parts must agree with each other: n = pq, e and d inverse, both primes prime. Parts that are missing or zero are
// computed, but not where there are more than two primes. EC works on every curve of the table, Ed25519 and X25519 as in RFC 8410. A public key that the file carries and
// that is another one than the private part's means damage, and is an error.
//
// Errors: *MalformedError, which says whether the form or the numbers are at fault; *UnsupportedError for Ed448, X448, DSA, unknown curves, RSA of
// sizes that are not computed with here, and the rest.
func ParsePrivateKey(der []byte) (*PrivateKey, error) {
	whole, rest, ok := outerElement(der)
	if !ok {
		return nil, malformed(privateKeyInfo, "not a DER SEQUENCE")
	}
	for _, b := range rest {
		if b != 0 {
			return nil, malformed(privateKeyInfo, "%d bytes behind it, not all zero", len(rest))
		}
	}
	s := cryptobyte.String(whole)
	var content, value, attributes, public cryptobyte.String
	var version big.Int
	var algorithm algorithmIdentifier
	var hasAttributes, hasPublic bool
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !readUnsigned(&content, &version) || !readAlgorithm(&content, &algorithm) ||
		!content.ReadASN1(&value, cbasn1.OCTET_STRING) ||
		!content.ReadOptionalASN1(&attributes, &hasAttributes, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!content.ReadOptionalASN1(&public, &hasPublic, cbasn1.Tag(1).ContextSpecific()) || !content.Empty() {
		return nil, malformed(privateKeyInfo, "not version, algorithm and key")
	}
	if version.Cmp(one) > 0 {
		return nil, malformed(privateKeyInfo, "a version other than 0 and 1")
	}
	if hasPublic && !public.Skip(1) { // the count of unused bits
		return nil, malformed(privateKeyInfo, "an empty public key")
	}
	return parsePrivate(algorithm, value, public)
}

// parsePrivate reads the key for its algorithm. The stated public key is nil when there is none.
func parsePrivate(algorithm algorithmIdentifier, value, stated []byte) (*PrivateKey, error) {
	switch algorithm.oid {
	case oidRSA:
		return parseRSAPrivateKey("RSA", value, addRSAAlgorithm)
	case oidRSAPSS:
		return parseRSAPrivateKey("RSA-PSS", value, addRaw(algorithm.raw))
	case oidEC:
		return parseECPrivateKey(algorithm, value, stated)
	}
	e := edwardsByOID(algorithm.oid)
	if e == nil {
		return nil, &UnsupportedError{Algorithm: algorithmName(algorithm.oid)}
	}
	if !algorithm.absent() {
		return nil, malformed(e.algorithm+" private key", "parameters")
	}
	s := cryptobyte.String(value)
	var octets cryptobyte.String
	if !s.ReadASN1(&octets, cbasn1.OCTET_STRING) || !s.Empty() {
		return nil, malformed(e.algorithm+" private key", "not an OCTET STRING")
	}
	key, err := e.private(octets)
	if err != nil {
		return nil, err
	}
	if len(stated) == e.size {
		if other, err := e.public(stated); err != nil || !other.Equal(key.Public) {
			key.Wipe()
			return nil, errOtherPublic(e.algorithm)
		}
	}
	return key, nil
}

func errOtherPublic(algorithm string) error {
	return contradicts(algorithm+" private key", errors.New("its public key is that of another private key"))
}

// PrivateKeyFromEdwards builds a key from CKA_EC_PARAMS and CKA_VALUE of a CKK_EC_EDWARDS or CKK_EC_MONTGOMERY key: the seed of
// RFC 8032 or the scalar of RFC 7748, raw or in a DER OCTET STRING.
//
// Errors: *MalformedError for any length but 32 bytes; *UnsupportedError for Ed448 and X448, for which there is no
// arithmetic here, and for curves that are neither Edwards nor Montgomery.
func PrivateKeyFromEdwards(params, value []byte) (*PrivateKey, error) {
	e, err := readEdwardsParams(params)
	if err != nil {
		return nil, err
	}
	return e.private(e.unwrap(value))
}

func (e *edwards) private(value []byte) (*PrivateKey, error) {
	if len(value) != e.size {
		return nil, malformed(e.algorithm+" private key", "%d bytes and not %d", len(value), e.size)
	}
	point, err := e.publicPoint(value)
	if err != nil {
		return nil, err
	}
	public, err := e.public(point)
	if err != nil {
		return nil, err
	}
	return encodePrivateKey(public, e.addAlgorithm, len(value), func(b *cryptobyte.Builder) { b.AddASN1OctetString(value) })
}

func (e *edwards) publicPoint(value []byte) ([]byte, error) {
	switch e.algorithm {
	case "Ed25519":
		key := ed25519.NewKeyFromSeed(value)
		defer clear(key)
		public, ok := key.Public().(ed25519.PublicKey)
		if !ok {
			return nil, errors.New("ed25519 gave no public key")
		}
		return public, nil
	case "X25519":
		key, err := ecdh.X25519().NewPrivateKey(value)
		if err != nil {
			return nil, &MalformedError{What: "X25519 private key", Err: err}
		}
		return key.PublicKey().Bytes(), nil
	}
	return nil, &UnsupportedError{Algorithm: e.algorithm}
}

// encodePrivateKey writes the PrivateKeyInfo into one buffer that never grows, so that no copy of the key stays behind
// in memory that was given up. size is the length of the private part; the rest is bounded by what public has.
func encodePrivateKey(public PublicKey, algorithm func(*cryptobyte.Builder), size int, private func(*cryptobyte.Builder)) (*PrivateKey, error) {
	buffer := make([]byte, 0, size+len(public.SPKI)+256)
	b := cryptobyte.NewFixedBuilder(buffer)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		algorithm(b)
		b.AddASN1(cbasn1.OCTET_STRING, private)
	})
	der, err := b.Bytes()
	if err != nil {
		clear(buffer[:cap(buffer)])
		return nil, &MalformedError{What: privateKeyInfo, Err: err}
	}
	secret.Lock(der)
	return &PrivateKey{DER: der, Public: public}, nil
}
