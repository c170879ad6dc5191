package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"math/big"
)

// curve is a short Weierstrass curve y² = x³ + ax + b over a prime field, with a base point of prime order n.
//
// The arithmetic below is for the curves that the standard library lacks. It is not constant-time, math/big being
// what it is. Its inputs are public, but for one computation: the public key of a private key that is being
// exported, once, on its owner's own machine.
type curve struct {
	name, oid          string
	aliases            []string
	std                elliptic.Curve
	bits               int // of the field
	p, a, b, gx, gy, n *big.Int
}

var errOffCurve = errors.New("the point is not on the curve")

// size is the length of a coordinate in bytes.
func (c *curve) size() int { return (c.bits + 7) / 8 }

// scalarSize is the length of a private key in bytes (RFC 5915 section 3). On secp224k1 it is not size.
func (c *curve) scalarSize() int { return (c.n.BitLen() + 7) / 8 }

// rightSide is x³ + ax + b.
func (c *curve) rightSide(x *big.Int) *big.Int {
	r := new(big.Int).Mul(x, x)
	r.Add(r, c.a).Mul(r, x).Add(r, c.b)
	return r.Mod(r, c.p)
}

func (c *curve) contains(x, y *big.Int) bool {
	if x.Sign() < 0 || y.Sign() < 0 || x.Cmp(c.p) >= 0 || y.Cmp(c.p) >= 0 {
		return false
	}
	left := new(big.Int).Mul(y, y)
	return left.Mod(left, c.p).Cmp(c.rightSide(x)) == 0
}

// encode is the uncompressed point (SEC 1 section 2.3.3).
func (c *curve) encode(x, y *big.Int) []byte {
	out := make([]byte, 1+2*c.size())
	out[0] = 4
	x.FillBytes(out[1 : 1+c.size()])
	y.FillBytes(out[1+c.size():])
	return out
}

// decode reads an uncompressed, compressed or hybrid point and checks that it is on the curve (SEC 1 section 2.3.4).
// The point at infinity is no public key and is refused.
func (c *curve) decode(point []byte) (x, y *big.Int, err error) {
	size := c.size()
	if !c.fits(point) {
		return nil, nil, fmt.Errorf("%d bytes are no point on %s", len(point), c.name)
	}
	x = new(big.Int).SetBytes(point[1 : 1+size])
	if len(point) == 1+size {
		y, err = c.decompress(x, uint(point[0]&1))
		return x, y, err
	}
	y = new(big.Int).SetBytes(point[1+size:])
	if !c.contains(x, y) || point[0] != 4 && y.Bit(0) != uint(point[0]&1) {
		return nil, nil, errOffCurve
	}
	return x, y, nil
}

// fits reports whether a raw point has the form octet and the length that this curve's points have.
func (c *curve) fits(point []byte) bool {
	if len(point) == 0 {
		return false
	}
	switch point[0] {
	case 2, 3:
		return len(point) == 1+c.size()
	case 4, 6, 7:
		return len(point) == 1+2*c.size()
	}
	return false
}

func (c *curve) decompress(x *big.Int, odd uint) (*big.Int, error) {
	y := new(big.Int).ModSqrt(c.rightSide(x), c.p)
	if y == nil {
		return nil, errOffCurve
	}
	if y.Bit(0) != odd {
		y.Sub(c.p, y)
	}
	if !c.contains(x, y) { // x is out of range, or y = 0, which has no odd twin
		return nil, errOffCurve
	}
	return y, nil
}

// publicPoint is the uncompressed public point of a private key of scalarSize bytes, which must be 1 to n-1.
func (c *curve) publicPoint(scalar []byte) ([]byte, error) {
	if c.std != nil {
		key, err := ecdsa.ParseRawPrivateKey(c.std, scalar)
		if err != nil {
			return nil, fmt.Errorf("private value: %w", err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			return nil, fmt.Errorf("public point: %w", err)
		}
		return point, nil
	}
	k := new(big.Int).SetBytes(scalar)
	defer wipeInts(k)
	if k.Sign() == 0 || k.Cmp(c.n) >= 0 {
		return nil, errors.New("private value: not between 1 and the order of the curve")
	}
	x, y, ok := c.affine(c.multiply(k, jacobian{c.gx, c.gy, big.NewInt(1)}))
	if !ok {
		return nil, errOffCurve
	}
	return c.encode(x, y), nil
}

// verify checks an ECDSA signature over a digest (SEC 1 section 4.1.4).
func (c *curve) verify(point, digest []byte, r, s *big.Int) error {
	if c.std != nil {
		key, err := ecdsa.ParseUncompressedPublicKey(c.std, point)
		if err != nil {
			return &MalformedError{What: "EC public key", Err: err}
		}
		if !ecdsa.Verify(key, digest, r, s) {
			return ErrSignature
		}
		return nil
	}
	x, y, err := c.decode(point)
	if err != nil {
		return &MalformedError{What: "EC public key", Err: err}
	}
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(c.n) >= 0 || s.Cmp(c.n) >= 0 {
		return ErrSignature
	}
	e := new(big.Int).SetBytes(digest)
	if extra := 8*len(digest) - c.n.BitLen(); extra > 0 {
		e.Rsh(e, uint(extra))
	}
	w := new(big.Int).ModInverse(s, c.n)
	u1 := e.Mul(e, w)
	u1.Mod(u1, c.n)
	u2 := w.Mul(r, w)
	u2.Mod(u2, c.n)
	sum := c.add(c.multiply(u1, jacobian{c.gx, c.gy, big.NewInt(1)}), c.multiply(u2, jacobian{x, y, big.NewInt(1)}))
	v, _, ok := c.affine(sum)
	if !ok || v.Mod(v, c.n).Cmp(r) != 0 {
		return ErrSignature
	}
	return nil
}

// jacobian is the point (x/z², y/z³); z = 0 is the point at infinity. The numbers are never changed in place.
type jacobian struct{ x, y, z *big.Int }

func (c *curve) infinity() jacobian { return jacobian{big.NewInt(1), big.NewInt(1), new(big.Int)} }

// affine returns false for the point at infinity.
func (c *curve) affine(p jacobian) (x, y *big.Int, ok bool) {
	if p.z.Sign() == 0 {
		return nil, nil, false
	}
	inverse := new(big.Int).ModInverse(p.z, c.p)
	square := c.mul(inverse, inverse)
	return c.mul(p.x, square), c.mul(p.y, c.mul(square, inverse)), true
}

func (c *curve) mul(a, b *big.Int) *big.Int {
	r := new(big.Int).Mul(a, b)
	return r.Mod(r, c.p)
}

func (c *curve) sub(a, b *big.Int) *big.Int {
	r := new(big.Int).Sub(a, b)
	return r.Mod(r, c.p)
}

func (c *curve) times(a *big.Int, n uint) *big.Int {
	r := new(big.Int).Lsh(a, n)
	return r.Mod(r, c.p)
}

func (c *curve) double(p jacobian) jacobian {
	if p.z.Sign() == 0 || p.y.Sign() == 0 {
		return c.infinity()
	}
	yy := c.mul(p.y, p.y)
	s := c.times(c.mul(p.x, yy), 2)
	xx, zz := c.mul(p.x, p.x), c.mul(p.z, p.z)
	m := new(big.Int).Add(xx, c.times(xx, 1))
	m.Add(m, c.mul(c.a, c.mul(zz, zz)))
	x := c.sub(c.mul(m, m), c.times(s, 1))
	y := c.sub(c.mul(m, c.sub(s, x)), c.times(c.mul(yy, yy), 3))
	return jacobian{x, y, c.times(c.mul(p.y, p.z), 1)}
}

func (c *curve) add(p, q jacobian) jacobian {
	if p.z.Sign() == 0 {
		return q
	}
	if q.z.Sign() == 0 {
		return p
	}
	pzz, qzz := c.mul(p.z, p.z), c.mul(q.z, q.z)
	u, s := c.mul(p.x, qzz), c.mul(p.y, c.mul(qzz, q.z))
	h := c.sub(c.mul(q.x, pzz), u)
	r := c.sub(c.mul(q.y, c.mul(pzz, p.z)), s)
	if h.Sign() == 0 {
		if r.Sign() == 0 {
			return c.double(p)
		}
		return c.infinity()
	}
	hh := c.mul(h, h)
	hhh, v := c.mul(h, hh), c.mul(u, hh)
	x := c.sub(c.sub(c.mul(r, r), hhh), c.times(v, 1))
	y := c.sub(c.mul(r, c.sub(v, x)), c.mul(s, hhh))
	return jacobian{x, y, c.mul(h, c.mul(p.z, q.z))}
}

// multiply is k·p by a ladder: one addition and one doubling for each bit of the order, whatever k is.
func (c *curve) multiply(k *big.Int, p jacobian) jacobian {
	low, high := c.infinity(), p
	for i := max(c.n.BitLen(), k.BitLen()) - 1; i >= 0; i-- {
		if k.Bit(i) == 0 {
			low, high = c.double(low), c.add(low, high)
		} else {
			low, high = c.add(low, high), c.double(high)
		}
	}
	return low
}

// wipeInts overwrites the numbers' own memory. What math/big copied on the way is out of reach.
func wipeInts(numbers ...*big.Int) {
	for _, n := range numbers {
		if n != nil {
			clear(n.Bits())
			n.SetInt64(0)
		}
	}
}
