package pki

import (
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// PrivateParts are a private key's numbers as C_CreateObject takes them (PKCS#11 v3.1 sections 6.1.3, 6.3.4 and 6.3.6):
// big-endian and without leading zeros for RSA; Value alone for EC, as long as the curve's order, and for Ed25519, the seed
// of RFC 8032. Whoever holds them wipes them.
type PrivateParts struct {
	Modulus, PublicExponent, PrivateExponent          []byte
	Prime1, Prime2, Exponent1, Exponent2, Coefficient []byte
	Value                                             []byte
}

// Wipe overwrites the secret numbers with zeros. A nil pointer is fine.
func (p *PrivateParts) Wipe() {
	if p == nil {
		return
	}
	for _, part := range [][]byte{p.PrivateExponent, p.Prime1, p.Prime2, p.Exponent1, p.Exponent2, p.Coefficient, p.Value} {
		clear(part)
	}
}

// Parts takes the key apart. The result shares memory with DER: wiping either wipes both. The errors are *UnsupportedError
// for keys that are neither RSA of two primes, EC nor Ed25519, and *MalformedError for a key that was wiped.
func (k *PrivateKey) Parts() (*PrivateParts, error) {
	s := cryptobyte.String(k.DER)
	var content, algorithm, value cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !content.SkipASN1(cbasn1.INTEGER) || !content.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
		!content.ReadASN1(&value, cbasn1.OCTET_STRING) {
		return nil, malformed(privateKeyInfo, "no key in it")
	}
	parts := &PrivateParts{}
	switch k.Public.Algorithm {
	case "RSA", "RSA-PSS":
		return parts, parts.readRSA(value)
	case "EC":
		var inner, scalar cryptobyte.String
		if !value.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.SkipASN1(cbasn1.INTEGER) || !inner.ReadASN1(&scalar, cbasn1.OCTET_STRING) {
			return nil, malformed("EC private key", "not an ECPrivateKey")
		}
		parts.Value = scalar
		return parts, nil
	case "Ed25519":
		var seed cryptobyte.String
		if !value.ReadASN1(&seed, cbasn1.OCTET_STRING) {
			return nil, malformed("Ed25519 private key", "not an OCTET STRING")
		}
		parts.Value = seed
		return parts, nil
	}
	return nil, &UnsupportedError{Algorithm: k.Public.Algorithm}
}

func (p *PrivateParts) readRSA(value cryptobyte.String) error {
	var content cryptobyte.String
	var version int64
	if !value.ReadASN1(&content, cbasn1.SEQUENCE) || !content.ReadASN1Integer(&version) {
		return malformed("RSA private key", "not an RSAPrivateKey")
	}
	if version != 0 { // a token has places for two primes
		return &UnsupportedError{Algorithm: multiPrime}
	}
	for _, part := range []*[]byte{&p.Modulus, &p.PublicExponent, &p.PrivateExponent, &p.Prime1, &p.Prime2, &p.Exponent1, &p.Exponent2, &p.Coefficient} {
		var number cryptobyte.String
		if !content.ReadASN1(&number, cbasn1.INTEGER) || len(number) == 0 {
			return malformed("RSA private key", "not an RSAPrivateKey")
		}
		if number[0] == 0 {
			number = number[1:]
		}
		*part = number
	}
	return nil
}

// RSANumbers are CKA_MODULUS and CKA_PUBLIC_EXPONENT (PKCS#11 v3.1 section 6.1.2): big-endian, without leading zeros. The
// errors are *UnsupportedError for keys other than RSA, and *MalformedError.
func (k PublicKey) RSANumbers() (modulus, exponent []byte, err error) {
	if k.Algorithm != "RSA" && k.Algorithm != "RSA-PSS" {
		return nil, nil, &UnsupportedError{Algorithm: k.Algorithm}
	}
	n, e, err := k.rsaNumbers()
	if err != nil {
		return nil, nil, err
	}
	return n.Bytes(), e.Bytes(), nil
}

// Params is the DER that CKA_EC_PARAMS wants (PKCS#11 v3.1 section 6.3.3): for EC the curve's object identifier, as the
// SubjectPublicKeyInfo has it; for Ed25519 the PrintableString that SoftHSM 2.6 needs and others understand. The errors are
// *UnsupportedError for other keys, and *MalformedError.
func (k PublicKey) Params() ([]byte, error) {
	switch k.Algorithm {
	case "EC":
		s := cryptobyte.String(k.SPKI)
		var content, algorithm, params cryptobyte.String
		if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !content.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
			!algorithm.SkipASN1(cbasn1.OBJECT_IDENTIFIER) || !algorithm.ReadASN1Element(&params, cbasn1.OBJECT_IDENTIFIER) {
			return nil, malformed("SubjectPublicKeyInfo", "no named curve")
		}
		return params, nil
	case "Ed25519":
		return append([]byte{byte(cbasn1.PrintableString), 12}, "edwards25519"...), nil
	}
	return nil, &UnsupportedError{Algorithm: k.Algorithm}
}

// SerialNumber is the certificate's serialNumber as CKA_SERIAL_NUMBER wants it (PKCS#11 v3.1 section 4.6.3): a DER INTEGER. The
// error is *MalformedError.
func (c *Certificate) SerialNumber() ([]byte, error) {
	s := cryptobyte.String(c.Raw)
	var outer, content, serial cryptobyte.String
	if !s.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1(&content, cbasn1.SEQUENCE) ||
		!content.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) || !content.ReadASN1Element(&serial, cbasn1.INTEGER) {
		return nil, malformed("certificate", "no serial number")
	}
	return serial, nil
}
