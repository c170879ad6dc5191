package pki

import (
	"errors"
	"math/big"
	"slices"
)

// mostCandidates bounds the public keys that one signature leaves possible. On a curve of prime order there are two, rarely four.
const mostCandidates = 8

// RecoverECPublicKey finds the public key that made two ECDSA signatures, written r || s, on the curve of CKA_EC_PARAMS (SEC 1 section 4.1.6). The
// first signature leaves a few keys possible, the second decides. It is for private keys that do not tell their public half.
//
// Errors: ErrSignature where no key, or more than one, made both; *UnsupportedError and *MalformedError as from ECParams.
func RecoverECPublicKey(params []byte, messages, signatures [2][]byte, schemes [2]Scheme) (PublicKey, error) {
	id, err := readECParams(params)
	if err != nil {
		return PublicKey{}, err
	}
	c, err := id.weierstrass()
	if err != nil {
		return PublicKey{}, err
	}
	algorithm, hash := schemes[0].algorithmAndHash()
	half := len(signatures[0]) / 2
	if algorithm != "EC" || half == 0 || len(signatures[0])%2 != 0 || half > c.scalarSize() {
		return PublicKey{}, ErrSignature
	}
	r, s := new(big.Int).SetBytes(signatures[0][:half]), new(big.Int).SetBytes(signatures[0][half:])
	var found []PublicKey
	for _, point := range c.candidates(digest(hash, messages[0]), r, s) {
		public, err := c.public(point)
		if err != nil {
			return PublicKey{}, err
		}
		switch err := public.Verify(messages[1], signatures[1], schemes[1]); {
		case err == nil:
			found = append(found, public)
		case !errors.Is(err, ErrSignature):
			return PublicKey{}, err
		}
	}
	if len(found) != 1 {
		return PublicKey{}, ErrSignature
	}
	return found[0], nil
}

// candidates are the public points with which a signature over a digest verifies, each (sR - eG) / r for a point R whose x is r, modulo the order.
func (c *curve) candidates(digest []byte, r, s *big.Int) (points [][]byte) {
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(c.n) >= 0 || s.Cmp(c.n) >= 0 {
		return nil
	}
	e := new(big.Int).SetBytes(digest)
	if extra := 8*len(digest) - c.n.BitLen(); extra > 0 {
		e.Rsh(e, uint(extra))
	}
	inverse := new(big.Int).ModInverse(r, c.n)
	ofBase := c.modOrder(new(big.Int).Mul(new(big.Int).Neg(e), inverse))
	ofR := c.modOrder(new(big.Int).Mul(s, inverse))
	base := c.multiply(ofBase, jacobian{c.gx, c.gy, big.NewInt(1)})
	for x := new(big.Int).Set(r); x.Cmp(c.p) < 0 && len(points) < mostCandidates; x = new(big.Int).Add(x, c.n) {
		for _, odd := range []uint{0, 1} {
			y, err := c.decompress(x, odd)
			if err != nil { // no point has this x
				continue
			}
			if qx, qy, ok := c.affine(c.add(base, c.multiply(ofR, jacobian{x, y, big.NewInt(1)}))); ok {
				if point := c.encode(qx, qy); !slices.ContainsFunc(points, func(p []byte) bool { return slices.Equal(p, point) }) {
					points = append(points, point)
				}
			}
		}
	}
	return points
}

func (c *curve) modOrder(n *big.Int) *big.Int { return n.Mod(n, c.n) }
