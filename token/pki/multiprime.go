package pki

import (
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const multiPrime = "multi-prime RSA"

// maxPrimes is what OpenSSL makes at most, by its bounds for the length of a prime.
const maxPrimes = 5

// rsaPrime is a prime with its exponent, d mod (r-1), and its coefficient: for the second prime the inverse of it modulo the
// first, and for a later one the inverse of all before it (RFC 8017 section 3.2).
type rsaPrime struct{ r, d, t *big.Int }

func (p rsaPrime) wipe() { wipeInts(p.r, p.d, p.t) }

// parseMultiPrime reads an RSAPrivateKey of version 1 (RFC 8017 section A.1.2), behind the version. Everything must be there.
func parseMultiPrime(name string, content cryptobyte.String, algorithm func(*cryptobyte.Builder)) (*PrivateKey, error) {
	n, e, d := new(big.Int), new(big.Int), new(big.Int)
	first, second := rsaPrime{new(big.Int), new(big.Int), new(big.Int)}, rsaPrime{new(big.Int), new(big.Int), new(big.Int)}
	primes := []rsaPrime{first, second}
	defer func() {
		wipeInts(d)
		for _, p := range primes {
			p.wipe()
		}
	}()
	for _, target := range []*big.Int{n, e, d, first.r, second.r, first.d, second.d, second.t} {
		if !readUnsigned(&content, target) {
			return nil, malformed("RSA private key", "not an RSAPrivateKey")
		}
	}
	var list cryptobyte.String
	if !content.ReadASN1(&list, cbasn1.SEQUENCE) || !content.Empty() || list.Empty() {
		return nil, malformed("RSA private key", "no further primes")
	}
	for !list.Empty() {
		var info cryptobyte.String
		p := rsaPrime{new(big.Int), new(big.Int), new(big.Int)}
		if !list.ReadASN1(&info, cbasn1.SEQUENCE) || !readUnsigned(&info, p.r) || !readUnsigned(&info, p.d) || !readUnsigned(&info, p.t) || !info.Empty() {
			return nil, malformed("RSA private key", "no OtherPrimeInfo")
		}
		if primes = append(primes, p); len(primes) > maxPrimes {
			return nil, &UnsupportedError{Algorithm: "RSA of more than five primes"}
		}
	}
	if err := rsaWithinBounds(n, e); err != nil {
		return nil, err
	}
	if err := checkMultiPrime(n, e, d, primes); err != nil {
		return nil, contradicts("RSA private key", err)
	}
	public, err := rsaPublicKey(name, n, e)
	if err != nil {
		return nil, err
	}
	return encodeMultiPrime(public, algorithm, []*big.Int{n, e, d, first.r, second.r, first.d, second.d, second.t}, primes[2:])
}

// checkMultiPrime holds the numbers against each other, as rsaParts does for two primes.
func checkMultiPrime(n, e, d *big.Int, primes []rsaPrime) error {
	if err := checkRSAPublic(n, e); err != nil {
		return err
	}
	if d.Cmp(n) >= 0 {
		return errors.New("a part is not smaller than the modulus")
	}
	product := new(big.Int).Set(one)
	value := new(big.Int)
	defer wipeInts(product, value)
	for i, p := range primes {
		if p.r.Cmp(one) <= 0 || p.r.Cmp(n) >= 0 {
			return errors.New("the primes do not make the modulus")
		}
		less := new(big.Int).Sub(p.r, one)
		exponent, inverse := value.Mod(d, less).Cmp(p.d) == 0, value.Mod(value.Mul(e, d), less).Cmp(one) == 0
		prime := value.Exp(two, less, p.r).Cmp(one) == 0
		wipeInts(less)
		switch {
		case !prime:
			return errors.New("a prime is not prime")
		case !inverse:
			return errors.New("the exponents are not each other's inverse")
		case !exponent:
			return errors.New("a CRT part does not belong to the exponent and the primes")
		}
		of, modulus := product, p.r // the inverse of all before it, modulo it
		if i == 1 {
			of, modulus = p.r, product // the inverse of it, modulo the first
		}
		if i > 0 && (value.ModInverse(of, modulus) == nil || value.Cmp(p.t) != 0) {
			return errors.New("a CRT part does not belong to the exponent and the primes")
		}
		product.Mul(product, p.r)
	}
	if product.Cmp(n) != 0 {
		return errors.New("the primes do not make the modulus")
	}
	return nil
}

func encodeMultiPrime(public PublicKey, algorithm func(*cryptobyte.Builder), numbers []*big.Int, further []rsaPrime) (*PrivateKey, error) {
	size := 128
	for _, n := range numbers {
		size += n.BitLen()/8 + 8
	}
	for _, p := range further {
		size += 3*(p.r.BitLen()/8+8) + 8
	}
	return encodePrivateKey(public, algorithm, size, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			for _, n := range numbers {
				addUnsigned(b, n)
			}
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, p := range further {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						addUnsigned(b, p.r)
						addUnsigned(b, p.d)
						addUnsigned(b, p.t)
					})
				}
			})
		})
	})
}
