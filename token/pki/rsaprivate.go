package pki

import (
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// PrivateKeyFromRSA builds a key from CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2,
// CKA_EXPONENT_1, CKA_EXPONENT_2 and CKA_COEFFICIENT (PKCS#11 v3.1 section 6.1.3): big-endian, with or without leading
// zeros. Besides the modulus and the exponent either the private exponent or a prime must be there; empty or zero parts
// are computed. The bounds of the public part are those of RSAPublicKey.
//
// Errors: *MalformedError for parts that contradict each other, or too few of them.
func PrivateKeyFromRSA(n, e, d, p, q, dp, dq, qi []byte) (*PrivateKey, error) {
	parts := &rsaParts{}
	defer parts.wipe()
	for i, target := range parts.all() {
		*target = new(big.Int).SetBytes([][]byte{n, e, d, p, q, dp, dq, qi}[i])
	}
	return rsaPrivateKey("RSA", parts, addRSAAlgorithm)
}

// all lists the numbers in the order of RSAPrivateKey.
func (k *rsaParts) all() []**big.Int {
	return []**big.Int{&k.n, &k.e, &k.d, &k.p, &k.q, &k.dp, &k.dq, &k.qi}
}

// parseRSAPrivateKey reads RSAPrivateKey of RFC 8017 section A.1.2.
func parseRSAPrivateKey(name string, value []byte, algorithm func(*cryptobyte.Builder)) (*PrivateKey, error) {
	s := cryptobyte.String(value)
	var content cryptobyte.String
	var version big.Int
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !s.Empty() || !readUnsigned(&content, &version) {
		return nil, malformed("RSA private key", "not an RSAPrivateKey")
	}
	if version.Cmp(one) == 0 {
		return parseMultiPrime(name, content, algorithm)
	}
	if version.Sign() != 0 {
		return nil, &UnsupportedError{Algorithm: "RSA private key of a later version"}
	}
	parts := &rsaParts{}
	defer parts.wipe()
	for _, target := range parts.all() {
		*target = new(big.Int)
		if content.Empty() && target != &parts.n && target != &parts.e {
			continue // a part that is missing at the end is computed
		}
		if !readUnsigned(&content, *target) {
			return nil, malformed("RSA private key", "not an RSAPrivateKey")
		}
	}
	if !content.Empty() {
		return nil, malformed("RSA private key", "more than its eight numbers")
	}
	return rsaPrivateKey(name, parts, algorithm)
}

func rsaPrivateKey(name string, parts *rsaParts, algorithm func(*cryptobyte.Builder)) (*PrivateKey, error) {
	if err := rsaWithinBounds(parts.n, parts.e); err != nil {
		return nil, err
	}
	if err := parts.complete(); err != nil {
		return nil, contradicts("RSA private key", err)
	}
	public, err := rsaPublicKey(name, parts.n, parts.e)
	if err != nil {
		return nil, err
	}
	size := 64
	for _, part := range parts.all() {
		size += ((*part).BitLen()+7)/8 + 8
	}
	return encodePrivateKey(public, algorithm, size, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(0)
			for _, part := range parts.all() {
				addUnsigned(b, *part)
			}
		})
	})
}
