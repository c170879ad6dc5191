package pki

import (
	"bytes"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// PrivateKeyFromEC builds a key from CKA_EC_PARAMS and CKA_VALUE (PKCS#11 v3.1 section 6.3.4): big-endian, with or
// without leading zeros; it is padded to the length that the curve's order has.
//
// Errors: *MalformedError for a value that is not between 1 and the order less 1; *UnsupportedError for a curve that is
// not in the table.
func PrivateKeyFromEC(params, value []byte) (*PrivateKey, error) {
	id, err := readECParams(params)
	if err != nil {
		return nil, err
	}
	c, err := id.weierstrass()
	if err != nil {
		return nil, err
	}
	return c.private(value)
}

// weierstrass gives the curve, if it is one that can be computed on.
func (id ecIdentity) weierstrass() (*curve, error) {
	switch {
	case id.curve != nil:
		return id.curve, nil
	case id.edwards != nil:
		return nil, &UnsupportedError{Algorithm: id.edwards.algorithm + " as EC"}
	}
	return nil, &UnsupportedError{Algorithm: id.oid}
}

// parseECPrivateKey reads ECPrivateKey of RFC 5915 section 3. The curve stands in the AlgorithmIdentifier or, with
// some writers, in the key alone; stated is OneAsymmetricKey's public key.
func parseECPrivateKey(algorithm algorithmIdentifier, value, stated []byte) (*PrivateKey, error) {
	s := cryptobyte.String(value)
	var content, scalar, parameters, public cryptobyte.String
	var version int64
	var hasParameters, hasPublic bool
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !s.Empty() || !content.ReadASN1Integer(&version) || version != 1 ||
		!content.ReadASN1(&scalar, cbasn1.OCTET_STRING) ||
		!content.ReadOptionalASN1(&parameters, &hasParameters, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!content.ReadOptionalASN1(&public, &hasPublic, cbasn1.Tag(1).ContextSpecific().Constructed()) || !content.Empty() {
		return nil, malformed("EC private key", "not an ECPrivateKey")
	}
	c, err := privateCurve(algorithm, parameters, hasParameters)
	if err != nil {
		return nil, err
	}
	key, err := c.private(scalar)
	if err != nil {
		return nil, err
	}
	inner, err := innerPublic(public, hasPublic)
	if err != nil {
		key.Wipe()
		return nil, err
	}
	for _, point := range [][]byte{stated, inner} {
		if !c.fits(point) {
			continue // not there, or not to be understood: it is computed anyway
		}
		if other, err := c.public(point); err != nil || !other.Equal(key.Public) {
			key.Wipe()
			return nil, errOtherPublic("EC")
		}
	}
	return key, nil
}

func innerPublic(field cryptobyte.String, there bool) ([]byte, error) {
	var point []byte
	if there && (!field.ReadASN1BitStringAsBytes(&point) || !field.Empty()) {
		return nil, malformed("EC private key", "its publicKey is no BIT STRING")
	}
	return point, nil
}

// privateCurve finds the curve in one place or the other; if it stands in both they must agree.
func privateCurve(algorithm algorithmIdentifier, inner []byte, hasInner bool) (*curve, error) {
	params := algorithm.parameters
	if algorithm.absent() {
		params = inner
	}
	id, err := readECParams(params)
	if err != nil {
		return nil, err
	}
	c, err := id.weierstrass()
	if err != nil {
		return nil, err
	}
	if hasInner && !bytes.Equal(inner, params) {
		again, err := readECParams(inner)
		if err != nil || again.curve != c {
			return nil, contradicts("EC private key", errors.New("two different curves"))
		}
	}
	return c, nil
}

// private makes the canonical key of a private value with or without leading zeros.
func (c *curve) private(value []byte) (*PrivateKey, error) {
	scalar := make([]byte, c.scalarSize())
	defer clear(scalar)
	trimmed := bytes.TrimLeft(value, "\x00")
	if len(trimmed) > len(scalar) {
		return nil, malformed("EC private key", "%d bytes and not %d", len(trimmed), len(scalar))
	}
	copy(scalar[len(scalar)-len(trimmed):], trimmed)
	point, err := c.publicPoint(scalar)
	if err != nil {
		return nil, contradicts("EC private key", err)
	}
	public, err := c.public(point)
	if err != nil {
		return nil, err
	}
	return encodePrivateKey(public, c.addAlgorithm, len(scalar)+len(point), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddASN1OctetString(scalar)
			b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1BitString(point) })
		})
	})
}
