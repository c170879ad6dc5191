package pki

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// multiPrimeKey is an RSA key of so many primes, as a PrivateKeyInfo whose numbers a test may change.
func multiPrimeKey(t testing.TB, count int, change func(numbers []*big.Int, further [][3]*big.Int)) []byte {
	t.Helper()
	//lint:ignore SA1019 files of others have such keys
	key, err := rsa.GenerateMultiPrimeKey(rand.Reader, count, 1024)
	if err != nil {
		t.Fatal(err)
	}
	key.Precompute()
	numbers := []*big.Int{key.N, big.NewInt(int64(key.E)), key.D, key.Primes[0], key.Primes[1]}
	exponent := func(r *big.Int) *big.Int { return new(big.Int).Mod(key.D, new(big.Int).Sub(r, one)) }
	numbers = append(numbers, exponent(key.Primes[0]), exponent(key.Primes[1]), new(big.Int).ModInverse(key.Primes[1], key.Primes[0]))
	product := new(big.Int).Mul(key.Primes[0], key.Primes[1])
	var further [][3]*big.Int
	for _, r := range key.Primes[2:] {
		further = append(further, [3]*big.Int{r, exponent(r), new(big.Int).ModInverse(product, r)})
		product = new(big.Int).Mul(product, r)
	}
	for i, n := range numbers {
		numbers[i] = new(big.Int).Set(n)
	}
	change(numbers, further)
	value := build(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			for _, n := range numbers {
				b.AddASN1BigInt(n)
			}
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, p := range further {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						for _, n := range p {
							b.AddASN1BigInt(n)
						}
					})
				}
			})
		})
	})
	return sequence(t, build(t, func(b *cryptobyte.Builder) { b.AddASN1Int64(0) }), sequence(t, oidDER(t, oidRSA), derNull), octetString(t, value))
}

func TestMultiPrimeRSA(t *testing.T) {
	same := func([]*big.Int, [][3]*big.Int) {}
	for _, count := range []int{3, 4, maxPrimes} {
		key, err := ParsePrivateKey(multiPrimeKey(t, count, same))
		if err != nil {
			t.Fatalf("%d primes: %v", count, err)
		}
		if key.Public.Algorithm != "RSA" || key.Public.Bits < 1000 {
			t.Errorf("%d primes: %+v", count, key.Public)
		}
		again, err := ParsePrivateKey(key.DER)
		if err != nil || !bytes.Equal(again.DER, key.DER) {
			t.Errorf("%d primes: it does not parse to itself: %v", count, err)
		}
		if _, err := x509.ParsePKCS8PrivateKey(key.DER); err != nil {
			t.Errorf("%d primes: crypto/x509: %v", count, err)
		}
		if _, err := key.Parts(); !isUnsupported(err) {
			t.Errorf("%d primes: a token would take it as a key of two: %v", count, err)
		}
	}
	if _, err := ParsePrivateKey(multiPrimeKey(t, maxPrimes+1, same)); !isUnsupported(err) {
		t.Errorf("%d primes: %v", maxPrimes+1, err)
	}
	if _, err := ParsePrivateKey(multiPrimeKey(t, 2, same)); !isMalformed(err) {
		t.Errorf("version 1 of two primes: %v", err)
	}
	for i := range 8 + 3 {
		_, err := ParsePrivateKey(multiPrimeKey(t, 3, func(numbers []*big.Int, further [][3]*big.Int) {
			if i < 8 {
				numbers[i].Xor(numbers[i], two)
			} else {
				further[0][i-8] = new(big.Int).Xor(further[0][i-8], two)
			}
		}))
		if !isMalformed(err) {
			t.Errorf("number %d altered: %v", i, err)
		}
	}
}
