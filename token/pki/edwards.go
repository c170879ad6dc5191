package pki

import (
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// edwards is one algorithm of RFC 8410, on an Edwards or a Montgomery curve.
type edwards struct {
	algorithm, oid string
	others         []string // OIDs that stand for the same curve on some tokens
	names          []string // PKCS#11's curveName
	size, bits     int      // of the encoded public key
}

// edwardsTable: the first of the other OIDs are GnuPG's, which OpenPGP cards and OpenSC use.
var edwardsTable = []edwards{
	{algorithm: "Ed25519", oid: "1.3.101.112", others: []string{"1.3.6.1.4.1.11591.15.1"}, names: []string{"edwards25519", "Ed25519"}, size: 32, bits: 256},
	{algorithm: "Ed448", oid: "1.3.101.113", names: []string{"edwards448", "Ed448"}, size: 57, bits: 456},
	{algorithm: "X25519", oid: "1.3.101.110", others: []string{"1.3.6.1.4.1.3029.1.5.1"}, names: []string{"curve25519", "X25519"}, size: 32, bits: 256},
	{algorithm: "X448", oid: "1.3.101.111", names: []string{"curve448", "X448"}, size: 56, bits: 448},
}

func findEdwards(match func(edwards) bool) *edwards {
	i := slices.IndexFunc(edwardsTable, match)
	if i < 0 {
		return nil
	}
	return &edwardsTable[i]
}

func edwardsByOID(oid string) *edwards {
	return findEdwards(func(e edwards) bool { return e.oid == oid || slices.Contains(e.others, oid) })
}

func edwardsByName(name string) *edwards {
	return findEdwards(func(e edwards) bool { return slices.Contains(e.names, name) })
}

// readEdwardsParams reads CKA_EC_PARAMS that must name one of the table.
func readEdwardsParams(params []byte) (*edwards, error) {
	id, err := readECParams(params)
	if err != nil {
		return nil, err
	}
	if id.edwards == nil {
		name := id.oid
		if id.curve != nil {
			name = id.curve.name
		}
		return nil, &UnsupportedError{Algorithm: name + " as an Edwards curve"}
	}
	return id.edwards, nil
}

// EdwardsPublicKey builds a key from CKA_EC_PARAMS and CKA_EC_POINT of a CKK_EC_EDWARDS or CKK_EC_MONTGOMERY key (PKCS#11
// v3.1 sections 6.3.5 and 6.3.7). The parameters are an OID, also GnuPG's older ones, or a name as SoftHSM 2.6.1 gives
// it ("edwards25519", "edwards448", "curve25519", "curve448"). The point is the little-endian key of RFC 8032 or RFC
// 7748, raw or in a DER OCTET STRING or BIT STRING; only its length is checked.
//
// Errors: *MalformedError for a point of another length; *UnsupportedError for any other curve.
func EdwardsPublicKey(params, point []byte) (PublicKey, error) {
	e, err := readEdwardsParams(params)
	if err != nil {
		return PublicKey{}, err
	}
	return e.public(e.unwrap(point))
}

// unwrap gives the raw octets of a key, public or private: its own length decides.
func (e *edwards) unwrap(octets []byte) []byte {
	if len(octets) == e.size {
		return octets
	}
	if inner, ok := unwrapString(octets); ok {
		return inner
	}
	return octets
}

func (e *edwards) public(point []byte) (PublicKey, error) {
	if len(point) != e.size {
		return PublicKey{}, malformed(e.algorithm+" public key", "%d bytes and not %d", len(point), e.size)
	}
	return encodePublicKey(PublicKey{Algorithm: e.algorithm, Bits: e.bits}, e.addAlgorithm, point)
}

func (e *edwards) addAlgorithm(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addOID(b, e.oid) })
}
