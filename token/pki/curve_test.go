package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"
)

func (c *curve) base() jacobian { return jacobian{c.gx, c.gy, big.NewInt(1)} }

func TestCurveTable(t *testing.T) {
	if len(curves()) != 25 {
		t.Fatalf("%d curves", len(curves()))
	}
	for _, c := range curves() {
		t.Run(c.name, func(t *testing.T) {
			if !c.p.ProbablyPrime(20) || !c.n.ProbablyPrime(20) {
				t.Error("p or n is not prime")
			}
			if !c.contains(c.gx, c.gy) {
				t.Error("the base point is not on the curve")
			}
			if _, _, ok := c.affine(c.multiply(c.n, c.base())); ok {
				t.Error("n·G is not the point at infinity")
			}
			// Hasse: |n - (p+1)| ≤ 2√p holds for cofactor 1 and nothing else.
			off := new(big.Int).Sub(c.n, c.p)
			off.Sub(off, one)
			if off.Mul(off, off).Cmp(new(big.Int).Lsh(c.p, 2)) > 0 {
				t.Error("n is not the number of points")
			}
			if curveByOID(c.oid) != c || curveByName(c.name) != c {
				t.Error("not found by its own name")
			}
			for _, alias := range c.aliases {
				if curveByName(alias) != c {
					t.Errorf("not found as %s", alias)
				}
			}
			if std := c.std; std != nil {
				params := std.Params()
				if params.Name != c.name || params.P.Cmp(c.p) != 0 || params.N.Cmp(c.n) != 0 || params.B.Cmp(c.b) != 0 || params.Gx.Cmp(c.gx) != 0 || params.Gy.Cmp(c.gy) != 0 {
					t.Error("not the standard library's curve")
				}
			}
		})
	}
}

// opensslName is "" for the one curve that OpenSSL does not have.
func opensslName(c *curve) string {
	switch c.name {
	case "P-192", "P-256":
		return c.aliases[len(c.aliases)-1]
	case "P-224", "P-384", "P-521":
		return c.aliases[0]
	case "FRP256v1":
		return ""
	}
	return c.name
}

// TestCurvesAgainstOpenSSL has OpenSSL make a key on each curve and sign with it.
func TestCurvesAgainstOpenSSL(t *testing.T) {
	tested := 0
	for _, c := range curves() {
		name := opensslName(c)
		if name == "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			sec1 := openssl(t, nil, "ecparam", "-name", name, "-genkey", "-noout", "-outform", "DER")
			pkcs8 := openssl(t, sec1, "pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER")
			spki := openssl(t, pkcs8, "pkey", "-inform", "DER", "-pubout", "-outform", "DER")
			key, err := ParsePrivateKey(pkcs8)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(key.Public.SPKI, spki) || key.Public.Curve != c.name || key.Public.Bits != c.bits {
				t.Errorf("public key %s %d %x, want %x", key.Public.Curve, key.Public.Bits, key.Public.SPKI, spki)
			}
			if !bytes.Equal(key.DER, pkcs8) {
				t.Errorf("not written as OpenSSL writes it:\n%x\n%x", key.DER, pkcs8)
			}
			if again := openssl(t, key.DER, "pkey", "-inform", "DER", "-pubout", "-outform", "DER"); !bytes.Equal(again, spki) {
				t.Error("OpenSSL reads another key")
			}
			compressed := openssl(t, spki, "ec", "-pubin", "-inform", "DER", "-conv_form", "compressed", "-pubout", "-outform", "DER")
			explicit := openssl(t, spki, "ec", "-pubin", "-inform", "DER", "-param_enc", "explicit", "-pubout", "-outform", "DER")
			for what, form := range map[string][]byte{"compressed": compressed, "explicit": explicit} {
				if k, err := ParsePublicKey(form); err != nil || !k.Equal(key.Public) || bytes.Equal(form, spki) {
					t.Errorf("%s form: %v", what, err)
				}
			}
			message := []byte("a fresh challenge")
			digest := sha256.Sum256(message)
			keyFile := t.TempDir() + "/key"
			writeFile(t, keyFile, pkcs8)
			der := openssl(t, digest[:], "pkeyutl", "-sign", "-inkey", keyFile, "-keyform", "DER")
			checkSignatures(t, key.Public, message, rawSignature(t, c, der))
		})
		tested++
	}
	if tested != 24 {
		t.Errorf("%d curves tested", tested)
	}
}

// rawSignature turns ECDSA-Sig-Value into r || s, as CKM_ECDSA gives it.
func rawSignature(t testing.TB, c *curve, der []byte) []byte {
	t.Helper()
	r, s := new(big.Int), new(big.Int)
	if !readECDSASignature(der, r, s) {
		t.Fatalf("no signature: %x", der)
	}
	size := c.scalarSize()
	raw := make([]byte, 2*size)
	r.FillBytes(raw[:size])
	s.FillBytes(raw[size:])
	return raw
}

func checkSignatures(t *testing.T, k PublicKey, message, signature []byte) {
	t.Helper()
	if err := k.Verify(message, signature, ECDSASHA256); err != nil {
		t.Errorf("a good signature: %v", err)
	}
	if err := k.Verify(append(message, '.'), signature, ECDSASHA256); err != ErrSignature {
		t.Errorf("another message: %v", err)
	}
	half := len(signature) / 2
	order := curveByName(k.Curve).n.FillBytes(make([]byte, half))
	for what, bad := range map[string][]byte{
		"empty":      nil,
		"odd length": signature[1:],
		"too long":   append(make([]byte, 2), append(bytes.Clone(signature), 0, 0)...),
		"zero":       make([]byte, 2*half),
		"r = 0":      append(make([]byte, half), signature[half:]...),
		"s = 0":      append(bytes.Clone(signature[:half]), make([]byte, half)...),
		"s = n":      append(bytes.Clone(signature[:half]), order...),
		"swapped":    append(bytes.Clone(signature[half:]), signature[:half]...),
	} {
		if err := k.Verify(message, bad, ECDSASHA256); err != ErrSignature {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestArithmeticAgainstStandardLibrary runs our own arithmetic on the curves that the standard library has.
func TestArithmeticAgainstStandardLibrary(t *testing.T) { testArithmetic(t, 1) }

// TestArithmeticAgainstStandardLibraryLong has more keys on each.
func TestArithmeticAgainstStandardLibraryLong(t *testing.T) { testArithmetic(t, 4) }

func testArithmetic(t *testing.T, keys int) {
	t.Helper()
	for _, c := range curves() {
		if c.std == nil {
			continue
		}
		own := *c
		own.std = nil
		t.Run(c.name, func(t *testing.T) {
			for range keys {
				key, err := ecdsa.GenerateKey(c.std, rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				scalar, err := key.Bytes()
				if err != nil {
					t.Fatal(err)
				}
				want, err := c.publicPoint(scalar)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := own.publicPoint(scalar); err != nil || !bytes.Equal(got, want) {
					t.Errorf("public point %x, want %x: %v", got, want, err)
				}
				for _, digest := range [][]byte{{1}, digest32("short"), digest64("long")} {
					r, s, err := ecdsa.Sign(rand.Reader, key, digest)
					if err != nil {
						t.Fatal(err)
					}
					if err := own.verify(want, digest, r, s); err != nil {
						t.Errorf("a good signature over %d bytes: %v", len(digest), err)
					}
					digest[0] ^= 1
					if err := own.verify(want, digest, r, s); err != ErrSignature {
						t.Errorf("another digest of %d bytes: %v", len(digest), err)
					}
				}
			}
		})
	}
}

func digest32(s string) []byte { sum := sha256.Sum256([]byte(s)); return sum[:] }
func digest64(s string) []byte { sum := sha512.Sum512([]byte(s)); return sum[:] }

func TestGroupLaws(t *testing.T) {
	c := curveByName("brainpoolP160r1")
	scalar := func(t *rapid.T, name string) *big.Int {
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 21).Draw(t, name))
		return n.Mod(n, c.n)
	}
	encode := func(p jacobian) string {
		x, y, ok := c.affine(p)
		if !ok {
			return "infinity"
		}
		return string(c.encode(x, y))
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := scalar(t, "a"), scalar(t, "b")
		if rapid.Bool().Draw(t, "related") {
			b = new(big.Int).Set(a)
			if rapid.Bool().Draw(t, "negated") {
				b.Sub(c.n, a).Mod(b, c.n)
			}
		}
		sum := new(big.Int).Add(a, b)
		pa, pb := c.multiply(a, c.base()), c.multiply(b, c.base())
		if encode(c.add(pa, pb)) != encode(c.multiply(sum.Mod(sum, c.n), c.base())) {
			t.Fatal("aG + bG is not (a+b)G")
		}
		if encode(c.add(pa, pa)) != encode(c.double(pa)) {
			t.Fatal("P + P is not 2P")
		}
	})
}

func TestPrivateValueRange(t *testing.T) {
	for _, c := range curves() {
		params := oidDER(t, c.oid)
		last := new(big.Int).Sub(c.n, one)
		for _, bad := range [][]byte{nil, {0}, c.n.Bytes(), new(big.Int).Add(c.n, one).Bytes(), append([]byte{1}, c.n.Bytes()...)} {
			if _, err := PrivateKeyFromEC(params, bad); !isMalformed(err) {
				t.Errorf("%s: %x: %v", c.name, bad, err)
			}
		}
		first, err := PrivateKeyFromEC(params, []byte{1})
		if err != nil {
			t.Fatal(err)
		}
		mirrored, err := PrivateKeyFromEC(params, append([]byte{0, 0}, last.Bytes()...))
		if err != nil {
			t.Fatal(err)
		}
		negative := c.encode(c.gx, new(big.Int).Sub(c.p, c.gy))
		if !bytes.HasSuffix(first.Public.SPKI, c.encode(c.gx, c.gy)) || !bytes.HasSuffix(mirrored.Public.SPKI, negative) {
			t.Errorf("%s: 1·G is not G, or (n-1)·G is not -G", c.name)
		}
	}
}

func TestECParams(t *testing.T) {
	printable := func(s string) []byte { return tagged(t, cbasn1.PrintableString, []byte(s)) }
	tests := []struct {
		what             string
		params           []byte
		algorithm, curve string
		bits             int
	}{
		{"P-256", oidDER(t, "1.2.840.10045.3.1.7"), "EC", "P-256", 256},
		{"P-521", oidDER(t, "1.3.132.0.35"), "EC", "P-521", 521},
		{"secp256k1", oidDER(t, "1.3.132.0.10"), "EC", "secp256k1", 256},
		{"brainpool", oidDER(t, "1.3.36.3.3.2.8.1.1.13"), "EC", "brainpoolP512r1", 512},
		{"another curve", oidDER(t, "1.2.3.4"), "EC", "1.2.3.4", 0},
		{"curve by name", printable("secp256r1"), "EC", "P-256", 256},
		{"SoftHSM's Ed25519", printable("edwards25519"), "Ed25519", "", 256},
		{"Ed25519", oidDER(t, "1.3.101.112"), "Ed25519", "", 256},
		{"GnuPG's Ed25519", oidDER(t, "1.3.6.1.4.1.11591.15.1"), "Ed25519", "", 256},
		{"Ed448", oidDER(t, "1.3.101.113"), "Ed448", "", 456},
		{"Ed448 by name", printable("edwards448"), "Ed448", "", 456},
		{"X25519", printable("curve25519"), "X25519", "", 256},
		{"GnuPG's X25519", oidDER(t, "1.3.6.1.4.1.3029.1.5.1"), "X25519", "", 256},
		{"X448", printable("curve448"), "X448", "", 448},
	}
	for _, tt := range tests {
		algorithm, curve, bits, err := ECParams(tt.params)
		if err != nil || algorithm != tt.algorithm || curve != tt.curve || bits != tt.bits {
			t.Errorf("%s: %q %q %d %v", tt.what, algorithm, curve, bits, err)
		}
	}
	for what, bad := range map[string][]byte{"empty": nil, "two elements": append(derNullCopy(), derNull...), "long OID": tagged(t, cbasn1.OBJECT_IDENTIFIER, bytes.Repeat([]byte{0x81}, 200)), "cut off": {6, 5, 1}} {
		if _, _, _, err := ECParams(bad); !isMalformed(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, bad := range map[string][]byte{"implicit": derNull, "unknown name": printable("nonsense\x1b[1m")} {
		_, _, _, err := ECParams(bad)
		if !isUnsupported(err) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func derNullCopy() []byte { return bytes.Clone(derNull) }

// explicitParams are c's, with the numbers replaced that are given.
func explicitParams(t testing.TB, c *curve, base []byte, order *big.Int, cofactor int64) []byte {
	return build(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addOID(b, "1.2.840.10045.1.1")
				b.AddASN1BigInt(c.p)
			})
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(c.a.FillBytes(make([]byte, c.size())))
				b.AddASN1OctetString(c.b.FillBytes(make([]byte, c.size())))
			})
			b.AddASN1OctetString(base)
			b.AddASN1BigInt(order)
			if cofactor != 0 {
				b.AddASN1Int64(cofactor)
			}
		})
	})
}

// TestExplicitParameters holds that a curve with another generator is not taken for the one it resembles: whoever
// chooses the generator can have a private key to any public key.
func TestExplicitParameters(t *testing.T) {
	c := curveByName("brainpoolP256r1")
	x, y, ok := c.affine(c.double(c.base()))
	if !ok {
		t.Fatal("2G is infinity")
	}
	good := c.encode(c.gx, c.gy)
	for what, params := range map[string][]byte{"full": explicitParams(t, c, good, c.n, 1), "no cofactor": explicitParams(t, c, good, c.n, 0)} {
		if _, curve, _, err := ECParams(params); err != nil || curve != "brainpoolP256r1" {
			t.Errorf("%s: %q %v", what, curve, err)
		}
	}
	for what, params := range map[string][]byte{
		"another base point": explicitParams(t, c, c.encode(x, y), c.n, 1),
		"negated base point": explicitParams(t, c, c.encode(c.gx, new(big.Int).Sub(c.p, c.gy)), c.n, 1),
		"another order":      explicitParams(t, c, good, new(big.Int).Add(c.n, two), 1),
		"another cofactor":   explicitParams(t, c, good, c.n, 2),
	} {
		if _, curve, _, err := ECParams(params); !isUnsupported(err) {
			t.Errorf("%s: %q %v", what, curve, err)
		}
	}
}
