package pki

import (
	"bytes"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
)

// mostKeptExponent bounds the public exponents that a stand-in keeps: those that many keys share.
var mostKeptExponent = big.NewInt(65537)

// StandIn gives a public key in place of this one: of the same algorithm, size and curve, as well-formed as this one, and
// nobody's. derive makes n octets of the text that it is given, always the same and in a way that leads to no one but who knows
// its key: equal keys get equal stand-ins. Algorithm identifiers stay; of an RSA key an exponent up to 65537 stays. The error is
// *MalformedError for a key without SPKI.
func (k PublicKey) StandIn(derive func(what string, from []byte, n int) []byte) (PublicKey, error) {
	algorithm, key, ok := splitPublicKey(k.SPKI)
	if !ok && len(k.SPKI) > 0 { // nothing can be told of it: the bytes stand for it
		return PublicKey{SPKI: derive("SubjectPublicKeyInfo", k.SPKI, len(k.SPKI))}, nil
	}
	if !ok {
		return PublicKey{}, malformed("SubjectPublicKeyInfo", "no key in it")
	}
	from := append([]byte(k.family()), key...)
	octets := func(what string, n int) []byte { return derive(what, from, n) }
	switch k.Algorithm {
	case "RSA", "RSA-PSS":
		return k.rsaStandIn(octets)
	case "EC":
		if c := curveByName(k.Curve); c != nil {
			point, err := c.publicPoint(c.anyScalar(octets("scalar", c.scalarSize()+8)))
			if err != nil {
				return PublicKey{}, err
			}
			return c.public(point)
		}
	case "DSA":
		if k.Bits > 0 {
			return dsaPublicKey(number(octets, "p", k.Bits), number(octets, "q", 256), number(octets, "g", k.Bits-1), number(octets, "y", k.Bits-1))
		}
	}
	standIn, err := encodePublicKey(k, addRaw(algorithm.raw), octets("key", len(key)))
	return standIn, err
}

func (k PublicKey) rsaStandIn(octets func(string, int) []byte) (PublicKey, error) {
	n, e, err := k.rsaNumbers()
	if err != nil {
		return PublicKey{}, err
	}
	if e.Cmp(mostKeptExponent) > 0 {
		e = number(octets, "public exponent", e.BitLen())
	}
	standIn, err := rsaPublicKey(k.Algorithm, number(octets, "modulus", n.BitLen()), e)
	standIn.Restriction = bytes.Clone(k.Restriction)
	return standIn, err
}

// number makes an odd number of so many bits.
func number(octets func(string, int) []byte, what string, bits int) *big.Int {
	n := new(big.Int).SetBytes(octets(what, (bits+7)/8))
	n.Rsh(n, uint((8-bits%8)%8))
	n.SetBit(n, bits-1, 1)
	return n.SetBit(n, 0, 1)
}

// anyScalar makes a scalar between 1 and the order of octets.
func (c *curve) anyScalar(octets []byte) []byte {
	n := new(big.Int).SetBytes(octets)
	n.Mod(n, new(big.Int).Sub(c.n, one))
	return n.Add(n, one).FillBytes(make([]byte, c.scalarSize()))
}

// OctetString is a DER OCTET STRING of the octets, as CKA_EC_POINT is specified (PKCS#11 v3.1 section 6.3.3).
func OctetString(octets []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1OctetString(octets)
	der, err := b.Bytes()
	if err != nil {
		return nil, &MalformedError{What: "OCTET STRING", Err: err}
	}
	return der, nil
}
