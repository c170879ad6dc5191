package pki

import (
	"bytes"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ECParams tells what CKA_EC_PARAMS alone tells of a key (PKCS#11 v3.1 sections 6.3.3, 6.3.5 and 6.3.7): a DER OBJECT
// IDENTIFIER, a PrintableString with a curve's name, or explicit parameters of a curve of the table, which is then named.
// Algorithm is "EC" with the curve's name and its field's bits, or "Ed25519", "Ed448", "X25519" or "X448" with an
// empty curve. A curve that is not in the table is "EC" with a dotted OID and 0 bits.
//
// Errors: *MalformedError, or *UnsupportedError for names and explicit parameters that are not known.
func ECParams(params []byte) (algorithm, curve string, bits int, err error) {
	id, err := readECParams(params)
	if err != nil {
		return "", "", 0, err
	}
	switch {
	case id.edwards != nil:
		return id.edwards.algorithm, "", id.edwards.bits, nil
	case id.curve != nil:
		return "EC", id.curve.name, id.curve.bits, nil
	}
	return "EC", id.oid, 0, nil
}

// ecIdentity is what CKA_EC_PARAMS names: a curve of ours, an Edwards or Montgomery algorithm, or else an OID.
type ecIdentity struct {
	curve   *curve
	edwards *edwards
	oid     string
}

func readECParams(params []byte) (ecIdentity, error) {
	s := cryptobyte.String(params)
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&content, &tag) || !s.Empty() {
		return ecIdentity{}, malformed("EC parameters", "not one DER element")
	}
	switch tag {
	case cbasn1.OBJECT_IDENTIFIER:
		oid, ok := oidText(content)
		if !ok {
			return ecIdentity{}, malformed("EC parameters", "no object identifier")
		}
		return ecIdentity{curve: curveByOID(oid), edwards: edwardsByOID(oid), oid: oid}, nil
	case cbasn1.PrintableString, cbasn1.UTF8String:
		id := ecIdentity{curve: curveByName(string(content)), edwards: edwardsByName(string(content))}
		if id.curve == nil && id.edwards == nil {
			return ecIdentity{}, &UnsupportedError{Algorithm: strings.ToValidUTF8(string(content), "?")}
		}
		return id, nil
	case cbasn1.SEQUENCE:
		c, err := matchExplicit(content)
		return ecIdentity{curve: c}, err
	}
	return ecIdentity{}, &UnsupportedError{Algorithm: "EC with implicit parameters"}
}

// matchExplicit recognises explicit parameters (SEC 1 section C.2). All of them must be those of the table, the
// base point included: a curve with another base point is another curve, where anybody can have the private key.
func matchExplicit(s cryptobyte.String) (*curve, error) {
	unknown := &UnsupportedError{Algorithm: "EC with explicit parameters"}
	var field, coefficients cryptobyte.String
	var base, a, b cryptobyte.String
	var version, p, n, h big.Int
	if !readUnsigned(&s, &version) || !s.ReadASN1(&field, cbasn1.SEQUENCE) ||
		!s.ReadASN1(&coefficients, cbasn1.SEQUENCE) || !s.ReadASN1(&base, cbasn1.OCTET_STRING) || !readUnsigned(&s, &n) {
		return nil, malformed("EC parameters", "not field, curve, base and order")
	}
	if !s.Empty() && !readUnsigned(&s, &h) {
		return nil, malformed("EC parameters", "no cofactor")
	}
	if oid, ok := readOID(&field); !ok || oid != "1.2.840.10045.1.1" || !readUnsigned(&field, &p) {
		return nil, unknown
	}
	if !coefficients.ReadASN1(&a, cbasn1.OCTET_STRING) || !coefficients.ReadASN1(&b, cbasn1.OCTET_STRING) {
		return nil, malformed("EC parameters", "no coefficients")
	}
	known := curves()
	at := slices.IndexFunc(known, func(c *curve) bool {
		return c.p.Cmp(&p) == 0 && c.n.Cmp(&n) == 0 &&
			new(big.Int).SetBytes(a).Cmp(c.a) == 0 && new(big.Int).SetBytes(b).Cmp(c.b) == 0
	})
	if at < 0 || h.Sign() != 0 && h.Cmp(one) != 0 {
		return nil, unknown
	}
	found := known[at]
	x, y, err := found.decode(base)
	if err != nil || x.Cmp(found.gx) != 0 || y.Cmp(found.gy) != 0 {
		return nil, unknown
	}
	return found, nil
}

// ECPublicKey builds a key from CKA_EC_PARAMS and CKA_EC_POINT (PKCS#11 v3.1 section 6.3.3). The point may be wrapped
// in a DER OCTET STRING, as the specification says, in a BIT STRING, or raw; compressed points are decompressed. On a
// known curve the lengths that its points can have decide, so that the first byte of a raw point, 04 too, deceives nobody.
//
// Errors: *MalformedError for a point that is not on the curve; *UnsupportedError as from ECParams, and for Edwards
// curves, which EdwardsPublicKey takes.
func ECPublicKey(params, point []byte) (PublicKey, error) {
	id, err := readECParams(params)
	if err != nil {
		return PublicKey{}, err
	}
	switch {
	case id.edwards != nil:
		return PublicKey{}, &UnsupportedError{Algorithm: id.edwards.algorithm + " as EC"}
	case id.curve != nil:
		return id.curve.public(id.curve.unwrap(point))
	}
	raw := point
	if inner, ok := unwrapString(point); ok && looksLikePoint(inner) {
		raw = inner
	}
	if len(raw) == 0 { // a private key that does not tell its public half is no key of its own
		return PublicKey{}, malformed("EC point", "it is empty")
	}
	return unknownCurveKey(id.oid, params, raw)
}

// looksLikePoint is the best guess where the curve's length is not known.
func looksLikePoint(b []byte) bool {
	return len(b) > 2 && (b[0] == 2 || b[0] == 3 || b[0] == 4 && len(b)%2 == 1)
}

// unwrapString opens an OCTET STRING, or a BIT STRING without unused bits, that fills the whole of b.
func unwrapString(b []byte) ([]byte, bool) {
	s := cryptobyte.String(b)
	var octets cryptobyte.String
	if s.ReadASN1(&octets, cbasn1.OCTET_STRING) && s.Empty() {
		return octets, true
	}
	s = cryptobyte.String(b)
	var bits []byte
	if s.ReadASN1BitStringAsBytes(&bits) && s.Empty() {
		return bits, true
	}
	return nil, false
}

// unwrap gives the raw point of CKA_EC_POINT.
func (c *curve) unwrap(point []byte) []byte {
	if c.fits(point) {
		return point
	}
	if inner, ok := unwrapString(point); ok {
		return inner
	}
	return point
}

// public checks a raw point and makes the canonical key of it.
func (c *curve) public(point []byte) (PublicKey, error) {
	if !c.isUncompressed(point) {
		x, y, err := c.decode(point)
		if err != nil {
			return PublicKey{}, &MalformedError{What: "EC public key", Err: err}
		}
		point = c.encode(x, y)
	}
	return encodePublicKey(PublicKey{Algorithm: "EC", Bits: c.bits, Curve: c.name}, c.addAlgorithm, point)
}

// isUncompressed reports whether the point is on the curve and has the form already that encode gives it. The standard library, which knows
// the usual curves, finds that out in a tenth of the time that decode takes: a token may have many keys.
func (c *curve) isUncompressed(point []byte) bool {
	if c.std == nil {
		return false
	}
	_, err := ecdsa.ParseUncompressedPublicKey(c.std, point)
	return err == nil
}

func (c *curve) addAlgorithm(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oidEC)
		addOID(b, c.oid)
	})
}

// unknownCurveKey keeps a key that nothing can be computed with, so that it can still be listed and compared.
func unknownCurveKey(oid string, params, point []byte) (PublicKey, error) {
	return encodePublicKey(PublicKey{Algorithm: "EC", Curve: oid}, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addOID(b, oidEC)
			b.AddBytes(params)
		})
	}, bytes.Clone(point))
}

// parseECPublicKey reads the key of an EC SubjectPublicKeyInfo (RFC 5480 section 2).
func parseECPublicKey(params, point []byte) (PublicKey, error) {
	if params == nil {
		return PublicKey{}, &UnsupportedError{Algorithm: "EC with implicit parameters"}
	}
	id, err := readECParams(params)
	switch {
	case err != nil:
		return PublicKey{}, fmt.Errorf("EC public key: %w", err)
	case id.edwards != nil:
		return PublicKey{}, &UnsupportedError{Algorithm: id.edwards.algorithm + " as EC"}
	case id.curve != nil:
		return id.curve.public(point)
	}
	return unknownCurveKey(id.oid, params, point)
}
