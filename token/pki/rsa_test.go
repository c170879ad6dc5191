package pki

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// makeRSA makes a key with any modulus length and exponent, which crypto/rsa does not.
func makeRSA(t testing.TB, bits int, e *big.Int) *rsaParts {
	t.Helper()
	for {
		p, err := rand.Prime(rand.Reader, bits-bits/2)
		if err != nil {
			t.Fatal(err)
		}
		q, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			t.Fatal(err)
		}
		k := &rsaParts{n: new(big.Int).Mul(p, q), e: e, d: new(big.Int), p: p, q: q, dp: new(big.Int), dq: new(big.Int), qi: new(big.Int)}
		p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
		if k.n.BitLen() == bits && k.d.ModInverse(e, new(big.Int).Mul(p1, q1)) != nil && p.Cmp(q) != 0 {
			return k
		}
	}
}

// bytesOf gives the parts in the order of PrivateKeyFromRSA.
func bytesOf(k *rsaParts) [8][]byte {
	var out [8][]byte
	for i, part := range k.all() {
		out[i] = (*part).Bytes()
	}
	return out
}

func fromRSA(parts [8][]byte) (*PrivateKey, error) {
	return PrivateKeyFromRSA(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], parts[6], parts[7])
}

// rsaFixture gives the parts of testdata/rsa.key as OpenSSL wrote them.
func rsaFixture(t testing.TB) *rsaParts {
	t.Helper()
	s := cryptobyte.String(file(t, "rsa.key"))
	var content, value, inner cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !content.SkipASN1(cbasn1.INTEGER) || !content.SkipASN1(cbasn1.SEQUENCE) ||
		!content.ReadASN1(&value, cbasn1.OCTET_STRING) || !value.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.SkipASN1(cbasn1.INTEGER) {
		t.Fatal("testdata/rsa.key is no RSA key")
	}
	k := &rsaParts{}
	for _, part := range k.all() {
		*part = new(big.Int)
		if !readUnsigned(&inner, *part) {
			t.Fatal("testdata/rsa.key lacks a number")
		}
	}
	return k
}

// TestRSARecovery leaves out every set of parts that can be computed, and wants OpenSSL's own file back: the larger prime
// first, and the smallest private exponent.
func TestRSARecovery(t *testing.T) {
	full := bytesOf(rsaFixture(t))
	want := file(t, "rsa.key")
	for missing := range 1 << 6 {
		parts := full
		for i := range 6 {
			if missing>>i&1 == 1 {
				parts[2+i] = [][]byte{nil, make([]byte, 128)}[i%2]
			} else {
				parts[2+i] = append(make([]byte, i), parts[2+i]...)
			}
		}
		key, err := fromRSA(parts)
		switch {
		case missing&0b111 == 0b111:
			if !isMalformed(err) {
				t.Errorf("missing %06b, neither d nor a prime: %v", missing, err)
			}
		case err != nil:
			t.Errorf("missing %06b: %v", missing, err)
		case !bytes.Equal(key.DER, want) || !key.Public.Equal(certificate(t, "rsa.crt").PublicKey):
			t.Errorf("missing %06b: not OpenSSL's own bytes", missing)
		}
	}
}

// TestRSARecoveryOfAnyKey factors moduli of several sizes, with d reduced by either of its two moduli.
func TestRSARecoveryOfAnyKey(t *testing.T) { recoverRSA(t, 512, 513, 1024) }

// TestRSARecoveryOfAnyKeyLong has the sizes whose keys take long to make.
func TestRSARecoveryOfAnyKeyLong(t *testing.T) { recoverRSA(t, 1031, 2048) }

func recoverRSA(t *testing.T, sizes ...int) {
	t.Helper()
	for _, bits := range sizes {
		for _, e := range []int64{3, 17, 65537} {
			k := makeRSA(t, bits, big.NewInt(e))
			p1, q1 := new(big.Int).Sub(k.p, one), new(big.Int).Sub(k.q, one)
			lcm := new(big.Int).Mul(p1, q1)
			lcm.Quo(lcm, new(big.Int).GCD(nil, nil, p1, q1))
			for _, d := range []*big.Int{k.d, new(big.Int).Mod(k.d, lcm)} {
				key, err := PrivateKeyFromRSA(k.n.Bytes(), k.e.Bytes(), d.Bytes(), nil, nil, nil, nil, nil)
				if err != nil {
					t.Errorf("%d bits, e = %d: %v", bits, e, err)
					continue
				}
				again, err := ParsePrivateKey(key.DER)
				if err != nil || !bytes.Equal(again.DER, key.DER) || key.Public.Bits != bits {
					t.Errorf("%d bits, e = %d: it does not parse to itself: %v", bits, e, err)
				}
				if bits >= 1024 {
					if _, err := x509.ParsePKCS8PrivateKey(key.DER); err != nil {
						t.Errorf("%d bits, e = %d: crypto/x509: %v", bits, e, err)
					}
				}
			}
		}
	}
}

// TestRSAContradictions changes one part at a time.
func TestRSAContradictions(t *testing.T) {
	full := bytesOf(rsaFixture(t))
	names := []string{"n", "e", "d", "p", "q", "dp", "dq", "qi"}
	for i, name := range names {
		for what, change := range map[string]func([]byte){
			"last bit but one": func(b []byte) { b[len(b)-1] ^= 2 },
			"middle":           func(b []byte) { b[len(b)/2] ^= 0x10 },
		} {
			parts := full
			parts[i] = bytes.Clone(parts[i])
			change(parts[i])
			if _, err := fromRSA(parts); !isMalformed(err) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
	for what, change := range map[string]func(*[8][]byte){
		"primes one and n": func(p *[8][]byte) { p[3], p[4], p[5], p[6], p[7] = []byte{1}, p[0], nil, nil, nil },
		"equal primes": func(p *[8][]byte) {
			*p = [8][]byte{new(big.Int).Mul(bigOf(p[3]), bigOf(p[3])).Bytes(), p[1], nil, p[3], p[3], nil, nil, nil}
		},
		"an inverse beyond n": func(p *[8][]byte) {
			order := new(big.Int).Mul(new(big.Int).Sub(bigOf(p[3]), one), new(big.Int).Sub(bigOf(p[4]), one))
			p[2] = order.Add(order.Lsh(order, 4096), bigOf(p[2])).Bytes()
		},
		"d larger than n":             func(p *[8][]byte) { p[2] = append([]byte{1}, p[0]...) },
		"d of another key, no primes": func(p *[8][]byte) { p[2] = new(big.Int).Add(bigOf(p[2]), two).Bytes(); p[3], p[4] = nil, nil },
		"even d, no primes":           func(p *[8][]byte) { p[2] = new(big.Int).Add(bigOf(p[2]), one).Bytes(); p[3], p[4] = nil, nil },
		"modulus missing":             func(p *[8][]byte) { p[0] = nil },
		"exponent missing":            func(p *[8][]byte) { p[1] = nil },
	} {
		parts := full
		change(&parts)
		if _, err := fromRSA(parts); !isMalformed(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func bigOf(b []byte) *big.Int { return new(big.Int).SetBytes(b) }

// TestRSACompositePrime: a "prime" of two factors gets past n = pq and past e·d = 1 modulo p-1 and q-1.
func TestRSACompositePrime(t *testing.T) {
	e := big.NewInt(65537)
	inner := makeRSA(t, 512, e)
	outer := makeRSA(t, 1024, e)
	p, q := inner.n, outer.p
	p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	d := new(big.Int).ModInverse(e, new(big.Int).Mul(p1, q1))
	if d == nil {
		t.Skip("e divides p-1 or q-1, once in 20000 times")
	}
	_, err := PrivateKeyFromRSA(new(big.Int).Mul(p, q).Bytes(), e.Bytes(), d.Bytes(), p.Bytes(), q.Bytes(), nil, nil, nil)
	if !isMalformed(err) {
		t.Errorf("taken for a key: %v", err)
	}
}

// TestRSATimeLong bounds what numbers at their limits cost: a prime modulus, which no witness can split, and random ones.
func TestRSATimeLong(t *testing.T) {
	runtime.LockOSThread() // whose processor time is measured: other work on the machine does not count
	defer runtime.UnlockOSThread()
	start := threadTime(t)
	prime := new(big.Int).Sub(new(big.Int).Lsh(one, 2203), one) // a Mersenne prime
	e := big.NewInt(5)
	d := new(big.Int).ModInverse(e, new(big.Int).Sub(prime, one))
	if _, err := PrivateKeyFromRSA(prime.Bytes(), e.Bytes(), d.Bytes(), nil, nil, nil, nil, nil); !isMalformed(err) {
		t.Errorf("a prime modulus: %v", err)
	}
	huge := bytes.Repeat([]byte{0xff}, 2048)
	if _, err := PrivateKeyFromRSA(huge, bytes.Repeat([]byte{0xff}, 32), append([]byte{0x7f}, huge[1:]...), nil, nil, nil, nil, nil); !isMalformed(err) {
		t.Errorf("16384 bits of ones: %v", err)
	}
	if took := threadTime(t) - start; took > 30*time.Second {
		t.Errorf("it took %v", took)
	} else {
		t.Log(took)
	}
}

// threadTime is the processor time that the calling thread has used.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	const thread = 1 // RUSAGE_THREAD
	var usage syscall.Rusage
	if err := syscall.Getrusage(thread, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
