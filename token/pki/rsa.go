package pki

import (
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of RSA numbers: what tokens make, and what keeps the arithmetic on untrusted numbers short.
const (
	minModulusBits  = 512
	maxModulusBits  = 16384
	maxExponentBits = 256
)

// RSAPublicKey builds a key from CKA_MODULUS and CKA_PUBLIC_EXPONENT: big-endian, with or without leading zeros
// (PKCS#11 v3.1 section 6.1.2). The modulus must be odd, of 512 to 16384 bits; the exponent odd, at least 3, of at
// most 256 bits. Anything else is a *MalformedError.
func RSAPublicKey(modulus, exponent []byte) (PublicKey, error) {
	return rsaPublicKey("RSA", new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent))
}

// parseRSAPublicKey reads RSAPublicKey of RFC 8017 section A.1.1.
func parseRSAPublicKey(algorithm string, key []byte) (PublicKey, error) {
	n, e, err := readRSAPublicKey(key)
	if err != nil {
		return PublicKey{}, err
	}
	return rsaPublicKey(algorithm, n, e)
}

func readRSAPublicKey(key []byte) (n, e *big.Int, err error) {
	s := cryptobyte.String(key)
	var content cryptobyte.String
	n, e = new(big.Int), new(big.Int)
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !s.Empty() || !readUnsigned(&content, n) ||
		!readUnsigned(&content, e) || !content.Empty() {
		return nil, nil, malformed("RSA public key", "not a modulus and an exponent")
	}
	return n, e, nil
}

func checkRSAPublic(n, e *big.Int) error {
	switch {
	case n.BitLen() < minModulusBits || n.BitLen() > maxModulusBits:
		return malformed("RSA public key", "a modulus of %d bits", n.BitLen())
	case e.BitLen() < 2 || e.BitLen() > maxExponentBits:
		return malformed("RSA public key", "an exponent of %d bits", e.BitLen())
	case n.Bit(0) == 0 || e.Bit(0) == 0:
		return malformed("RSA public key", "an even number")
	}
	return nil
}

// rsaWithinBounds tells a private key of a size that is not computed with here from one that is broken.
func rsaWithinBounds(n, e *big.Int) error {
	switch {
	case n.BitLen() > maxModulusBits:
		return &UnsupportedError{Algorithm: fmt.Sprintf("RSA with a modulus of %d bits", n.BitLen())}
	case e.BitLen() > maxExponentBits:
		return &UnsupportedError{Algorithm: fmt.Sprintf("RSA with an exponent of %d bits", e.BitLen())}
	}
	return nil
}

func rsaPublicKey(algorithm string, n, e *big.Int) (PublicKey, error) {
	if err := checkRSAPublic(n, e); err != nil {
		return PublicKey{}, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addUnsigned(b, n)
		addUnsigned(b, e)
	})
	key, err := b.Bytes()
	if err != nil {
		return PublicKey{}, &MalformedError{What: "RSA public key", Err: err}
	}
	return encodePublicKey(PublicKey{Algorithm: algorithm, Bits: n.BitLen()}, addRSAAlgorithm, key)
}

func addRSAAlgorithm(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oidRSA)
		b.AddBytes(derNull)
	})
}

// rsaParts are the numbers of a two-prime RSA private key (RFC 8017 section A.1.2). Zero is "not given".
type rsaParts struct{ n, e, d, p, q, dp, dq, qi *big.Int }

func (k *rsaParts) wipe() { wipeInts(k.d, k.p, k.q, k.dp, k.dq, k.qi) }

var (
	one = big.NewInt(1)
	two = big.NewInt(2)
)

// complete checks the parts that are there against each other and computes those that are not.
func (k *rsaParts) complete() error {
	if err := checkRSAPublic(k.n, k.e); err != nil {
		return err
	}
	for _, part := range []*big.Int{k.d, k.p, k.q, k.dp, k.dq, k.qi} {
		if part.Cmp(k.n) >= 0 {
			return errors.New("a part is not smaller than the modulus")
		}
	}
	if err := k.findPrimes(); err != nil {
		return err
	}
	p1, q1 := new(big.Int).Sub(k.p, one), new(big.Int).Sub(k.q, one)
	defer wipeInts(p1, q1)
	if err := k.checkPrimes(p1, q1); err != nil {
		return err
	}
	if k.d.Sign() == 0 {
		gcd, lcm := new(big.Int).GCD(nil, nil, p1, q1), new(big.Int).Mul(p1, q1)
		lcm.Quo(lcm, gcd)
		defer wipeInts(gcd, lcm)
		if k.d.ModInverse(k.e, lcm) == nil {
			return errors.New("the exponent has no inverse")
		}
	}
	for _, m := range []*big.Int{p1, q1} {
		product := new(big.Int).Mul(k.e, k.d)
		inverse := product.Mod(product, m).Cmp(one) == 0
		wipeInts(product)
		if !inverse {
			return errors.New("the exponents are not each other's inverse")
		}
	}
	return k.completeCRT(p1, q1)
}

// checkPrimes holds n = pq and, by Fermat's test, that p and q are prime: a flipped bit in both would get past the rest.
func (k *rsaParts) checkPrimes(p1, q1 *big.Int) error {
	product := new(big.Int).Mul(k.p, k.q)
	if product.Cmp(k.n) != 0 || k.p.Cmp(one) <= 0 || k.q.Cmp(one) <= 0 {
		return errors.New("the primes do not make the modulus")
	}
	power := new(big.Int)
	defer wipeInts(power)
	if power.Exp(two, p1, k.p).Cmp(one) != 0 || power.Exp(two, q1, k.q).Cmp(one) != 0 {
		return errors.New("a prime is not prime")
	}
	return nil
}

// completeCRT checks or computes d mod p-1, d mod q-1 and the inverse of q mod p.
func (k *rsaParts) completeCRT(p1, q1 *big.Int) error {
	dp, dq, qi := new(big.Int).Mod(k.d, p1), new(big.Int).Mod(k.d, q1), new(big.Int).ModInverse(k.q, k.p)
	defer wipeInts(dp, dq, qi)
	if qi == nil {
		return errors.New("the primes share a factor") // one prime, twice
	}
	for _, pair := range [][2]*big.Int{{k.dp, dp}, {k.dq, dq}, {k.qi, qi}} {
		given, computed := pair[0], pair[1]
		if given.Sign() != 0 && given.Cmp(computed) != 0 {
			return errors.New("a CRT part does not belong to the exponent and the primes")
		}
		given.Set(computed)
	}
	return nil
}

// findPrimes sees that p and q are there: from one of them, or from (n, e, d).
func (k *rsaParts) findPrimes() error {
	switch havep, haveq := k.p.Sign() != 0, k.q.Sign() != 0; {
	case havep && haveq:
		return nil
	case havep:
		k.q.Quo(k.n, k.p) // checkPrimes sees a remainder
		return nil
	case haveq:
		k.p.Quo(k.n, k.q)
		return nil
	case k.d.Sign() == 0:
		return errors.New("neither the private exponent nor a prime")
	}
	return k.factor()
}

// maxWitnesses bounds factor. Each witness splits a modulus of two primes with a chance of one half or more.
const maxWitnesses = 32

// factor finds p and q from (n, e, d): ed-1 is a multiple of the order of every number mod n, so halving that
// exponent meets a square root of one, and with luck one that is neither 1 nor -1 (NIST SP 800-56B r2 appendix C.1).
// Small primes serve for random witnesses.
func (k *rsaParts) factor() error {
	odd := new(big.Int).Mul(k.e, k.d)
	odd.Sub(odd, one)
	x, square, minusOne := new(big.Int), new(big.Int), new(big.Int).Sub(k.n, one)
	defer wipeInts(odd, x, square)
	halvings := odd.TrailingZeroBits()
	odd.Rsh(odd, halvings)
	witness := big.NewInt(2)
	for range maxWitnesses {
		x.Exp(witness, odd, k.n)
		for i := uint(0); i < halvings && x.Cmp(one) != 0 && x.Cmp(minusOne) != 0; i++ {
			square.Mul(x, x).Mod(square, k.n)
			if square.Cmp(one) == 0 {
				k.p.GCD(nil, nil, x.Sub(x, one), k.n)
				k.q.Quo(k.n, k.p)
				if k.p.Cmp(k.q) < 0 {
					k.p, k.q = k.q, k.p
				}
				return nil
			}
			x, square = square, x
		}
		if x.Cmp(one) != 0 && x.Cmp(minusOne) != 0 {
			return errors.New("the exponents are not each other's inverse")
		}
		witness.Add(witness, one)
		for !witness.ProbablyPrime(0) {
			witness.Add(witness, one)
		}
	}
	return errors.New("the modulus does not fall into two primes")
}
