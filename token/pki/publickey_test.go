package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"
)

func TestRSAPublicKey(t *testing.T) {
	want := certificate(t, "rsa.crt").PublicKey
	n, e, err := want.rsaNumbers()
	if err != nil {
		t.Fatal(err)
	}
	for _, zeros := range []int{0, 1, 7} {
		pad := make([]byte, zeros)
		k, err := RSAPublicKey(append(pad, n.Bytes()...), append(pad, e.Bytes()...))
		if err != nil || !k.Equal(want) || k.Algorithm != "RSA" || k.Bits != 2048 {
			t.Errorf("%d leading zeros: %+v %v", zeros, k, err)
		}
	}
	if std, err := x509.ParsePKIXPublicKey(want.SPKI); err != nil {
		t.Errorf("crypto/x509: %v", err)
	} else if der, err := x509.MarshalPKIXPublicKey(std); err != nil || !bytes.Equal(der, want.SPKI) {
		t.Errorf("not written as crypto/x509 writes it: %v", err)
	}
}

func TestRSABounds(t *testing.T) {
	odd := func(bits uint) []byte {
		n := new(big.Int).Lsh(one, bits-1)
		return n.SetBit(n, 0, 1).Bytes()
	}
	for what, bad := range map[string][2][]byte{
		"511 bits":          {odd(511), {3}},
		"16385 bits":        {odd(16385), {3}},
		"a megabyte":        {bytes.Repeat([]byte{0xff}, 1<<20), {3}},
		"even modulus":      {append(odd(1024), 0), {3}},
		"exponent 1":        {odd(1024), {1}},
		"exponent 2":        {odd(1024), {2}},
		"no exponent":       {odd(1024), nil},
		"257-bit exponent":  {odd(1024), odd(257)},
		"no modulus":        {nil, {3}},
		"a modulus of zero": {make([]byte, 256), {3}},
	} {
		if k, err := RSAPublicKey(bad[0], bad[1]); !isMalformed(err) || k.SPKI != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, bits := range []uint{512, 16384} {
		if k, err := RSAPublicKey(odd(bits), odd(256)); err != nil || k.Bits != int(bits) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

// TestRSAForms: writers leave the NULL out, forget the sign octet, or restrict the key to PSS; the key is the same.
func TestRSAForms(t *testing.T) {
	want := certificate(t, "rsa.crt").PublicKey
	n, e, err := want.rsaNumbers()
	if err != nil {
		t.Fatal(err)
	}
	spki := func(oid string, parameters []byte, modulus []byte) []byte {
		return build(t, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(tagged(t, cbasn1.SEQUENCE, append(oidDER(t, oid), parameters...)))
				b.AddASN1BitString(tagged(t, cbasn1.SEQUENCE, append(tagged(t, cbasn1.INTEGER, modulus), tagged(t, cbasn1.INTEGER, e.Bytes())...)))
			})
		})
	}
	for what, form := range map[string][]byte{
		"no parameters":    spki(oidRSA, nil, append([]byte{0}, n.Bytes()...)),
		"no sign octet":    spki(oidRSA, derNull, n.Bytes()),
		"many sign octets": spki(oidRSA, derNull, append(make([]byte, 5), n.Bytes()...)),
		"PSS":              spki(oidRSAPSS, nil, append([]byte{0}, n.Bytes()...)),
	} {
		if k, err := ParsePublicKey(form); err != nil || !k.Equal(want) || (what == "PSS") != (k.Algorithm == "RSA-PSS") {
			t.Errorf("%s: %q %v", what, k.Algorithm, err)
		}
	}
}

func TestECPublicKeyForms(t *testing.T) {
	for _, c := range curves() {
		params := oidDER(t, c.oid)
		for _, scalar := range [][]byte{{1}, {2}, {3}, {5}} {
			key, err := PrivateKeyFromEC(params, scalar)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := key.Public.keyBits()
			if err != nil {
				t.Fatal(err)
			}
			parity := raw[len(raw)-1] & 1
			compressed := append([]byte{2 + parity}, raw[1:1+c.size()]...)
			hybrid := append([]byte{6 + parity}, raw[1:]...)
			bits := build(t, func(b *cryptobyte.Builder) { b.AddASN1BitString(raw) })
			for what, point := range map[string][]byte{
				"raw": raw, "wrapped": octetString(t, raw), "in a BIT STRING": bits,
				"compressed": compressed, "compressed and wrapped": octetString(t, compressed), "hybrid": hybrid,
			} {
				if k, err := ECPublicKey(params, point); err != nil || !k.Equal(key.Public) || k.Curve != c.name || k.Bits != c.bits || k.Algorithm != "EC" {
					t.Errorf("%s, %s: %v", c.name, what, err)
				}
			}
			off := bytes.Clone(raw)
			off[len(off)-1] ^= 1
			hybrid[0] ^= 1
			for what, point := range map[string][]byte{
				"empty": nil, "infinity": {0}, "off the curve": off, "off the curve, wrapped": octetString(t, off), "hybrid of the wrong parity": hybrid,
				"a byte short": raw[:len(raw)-1], "a byte long": append(bytes.Clone(raw), 0), "wrapped twice": octetString(t, octetString(t, raw)),
				"x too large": append([]byte{2}, bytes.Repeat([]byte{0xff}, c.size())...), "without its form": raw[1:],
			} {
				if k, err := ECPublicKey(params, point); !isMalformed(err) || k.SPKI != nil {
					t.Errorf("%s, %s: %+v %v", c.name, what, k, err)
				}
			}
		}
	}
}

// TestRawPointThatLooksLikeDER: a raw point whose x begins with the octet that a DER length would have.
func TestRawPointThatLooksLikeDER(t *testing.T) {
	c := curveByName("P-256")
	for i := int64(0); i < 10000; i++ {
		raw := make([]byte, 65)
		raw[0], raw[1] = 4, 63
		big.NewInt(i).FillBytes(raw[2:33])
		x := new(big.Int).SetBytes(raw[1:33])
		y, err := c.decompress(x, 0)
		if err != nil {
			continue
		}
		y.FillBytes(raw[33:])
		if _, ok := unwrapString(raw); !ok {
			t.Fatal("it does not look like DER")
		}
		if k, err := ECPublicKey(oidDER(t, c.oid), raw); err != nil || !bytes.HasSuffix(k.SPKI, raw) {
			t.Fatalf("taken for DER: %v", err)
		}
		return
	}
	t.Fatal("no such point was found")
}

func TestUnknownCurve(t *testing.T) {
	c := certificate(t, "sect283r1.crt")
	point, err := c.PublicKey.keyBits()
	if err != nil {
		t.Fatal(err)
	}
	params := oidDER(t, "1.3.132.0.17")
	for what, form := range map[string][]byte{"raw": point, "wrapped": octetString(t, point)} {
		if k, err := ECPublicKey(params, form); err != nil || !k.Equal(c.PublicKey) || k.Curve != "1.3.132.0.17" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := c.PublicKey.Verify(nil, make([]byte, 72), ECDSASHA256); !isUnsupported(err) {
		t.Errorf("verify: %v", err)
	}
	if _, err := PrivateKeyFromEC(params, []byte{1}); !isUnsupported(err) {
		t.Errorf("private key: %v", err)
	}
	if _, err := ParsePrivateKey(file(t, "sect283r1.key")); !isUnsupported(err) {
		t.Errorf("private key file: %v", err)
	}
}

func TestEdwardsPublicKey(t *testing.T) {
	tests := []struct {
		file, algorithm string
		params          [][]byte
	}{
		{"ed25519.crt", "Ed25519", [][]byte{oidDER(t, "1.3.101.112"), oidDER(t, "1.3.6.1.4.1.11591.15.1"), tagged(t, cbasn1.PrintableString, []byte("edwards25519"))}},
		{"ed448.crt", "Ed448", [][]byte{oidDER(t, "1.3.101.113"), tagged(t, cbasn1.PrintableString, []byte("edwards448"))}},
	}
	for _, tt := range tests {
		want := certificate(t, tt.file).PublicKey
		raw, err := want.keyBits()
		if err != nil {
			t.Fatal(err)
		}
		bits := build(t, func(b *cryptobyte.Builder) { b.AddASN1BitString(raw) })
		for i, params := range tt.params {
			for what, point := range map[string][]byte{"raw": raw, "wrapped": octetString(t, raw), "in a BIT STRING": bits} {
				if k, err := EdwardsPublicKey(params, point); err != nil || !k.Equal(want) || k.Algorithm != tt.algorithm || k.Curve != "" {
					t.Errorf("%s, parameters %d, %s: %+v %v", tt.algorithm, i, what, k, err)
				}
			}
			for _, bad := range [][]byte{nil, raw[1:], append(bytes.Clone(raw), 0), octetString(t, raw[1:])} {
				if _, err := EdwardsPublicKey(params, bad); !isMalformed(err) {
					t.Errorf("%s, %d bytes: %v", tt.algorithm, len(bad), err)
				}
			}
			if _, err := ECPublicKey(params, raw); !isUnsupported(err) {
				t.Errorf("%s as EC: %v", tt.algorithm, err)
			}
		}
	}
	looksLikeDER := append([]byte{4, 30}, make([]byte, 30)...)
	if k, err := EdwardsPublicKey(oidDER(t, "1.3.101.112"), looksLikeDER); err != nil || !bytes.HasSuffix(k.SPKI, looksLikeDER) {
		t.Errorf("a raw key that looks like DER: %v", err)
	}
	if _, err := EdwardsPublicKey(oidDER(t, "1.2.840.10045.3.1.7"), make([]byte, 32)); !isUnsupported(err) {
		t.Errorf("P-256 as an Edwards curve: %v", err)
	}
}

func TestEdwardsSPKIParameters(t *testing.T) {
	want := certificate(t, "ed25519.crt").PublicKey
	raw, err := want.keyBits()
	if err != nil {
		t.Fatal(err)
	}
	spki := func(key []byte, parameters ...[]byte) []byte {
		bits := build(t, func(b *cryptobyte.Builder) { b.AddASN1BitString(key) })
		return sequence(t, sequence(t, append([][]byte{oidDER(t, "1.3.101.112")}, parameters...)...), bits)
	}
	for what, form := range map[string][]byte{"none": spki(raw), "NULL": spki(raw, derNull)} {
		if k, err := ParsePublicKey(form); err != nil || !k.Equal(want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, form := range map[string][]byte{"an OID": spki(raw, oidDER(t, "1.2.3")), "31 bytes": spki(raw[1:])} {
		if _, err := ParsePublicKey(form); !isMalformed(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	good := certificate(t, "p256.crt").PublicKey.SPKI
	for what, bad := range map[string][]byte{
		"empty, as CKA_PUBLIC_KEY_INFO can be": nil, "bytes behind": append(bytes.Clone(good), 0), "cut off": good[:len(good)-1], "no SEQUENCE": {4, 0},
	} {
		if k, err := ParsePublicKey(bad); !isMalformed(err) || k.SPKI != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	unknown := tagged(t, cbasn1.SEQUENCE, append(tagged(t, cbasn1.SEQUENCE, oidDER(t, "1.2.3")), tagged(t, cbasn1.BIT_STRING, []byte{0, 1})...))
	if k, err := ParsePublicKey(unknown); !isUnsupported(err) || !bytes.Equal(k.SPKI, unknown) || k.Algorithm != "" {
		t.Errorf("unknown algorithm: %+v %v", k, err)
	}
}

// TestPublicKeysAgainstX509 reads arbitrary good keys both ways.
func TestPublicKeysAgainstX509(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 128, 300).Draw(t, "n"))
		n.SetBit(n, 1023, 1).SetBit(n, 0, 1)
		e := rapid.IntRange(1, 1<<30-1).Draw(t, "e")*2 + 1
		bits, err := asn1.Marshal(struct {
			N *big.Int
			E int
		}{n, e})
		if err != nil {
			t.Fatal(err)
		}
		k, err := RSAPublicKey(n.Bytes(), big.NewInt(int64(e)).Bytes())
		if err != nil {
			t.Fatal(err)
		}
		std, err := x509.ParsePKIXPublicKey(k.SPKI)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := x509.MarshalPKIXPublicKey(std); err != nil || !bytes.Equal(again, k.SPKI) || !bytes.HasSuffix(k.SPKI, bits) {
			t.Fatalf("crypto/x509 writes %x, we write %x: %v", again, k.SPKI, err)
		}
	})
}

func FuzzECPoint(f *testing.F) {
	for i, c := range curves() {
		f.Add(uint8(i), c.encode(c.gx, c.gy))
		f.Add(uint8(i), append([]byte{2}, c.gx.FillBytes(make([]byte, c.size()))...))
		f.Add(uint8(i), octetString(f, c.encode(c.gx, c.gy)))
	}
	f.Fuzz(func(t *testing.T, index uint8, point []byte) {
		c := curves()[int(index)%len(curves())]
		params := oidDER(t, c.oid)
		raw, rawErr := ECPublicKey(params, point)
		if rawErr != nil && !isMalformed(rawErr) {
			t.Fatalf("an error of another type: %v", rawErr)
		}
		wrapped, wrappedErr := ECPublicKey(params, octetString(t, point))
		if c.fits(point) && ((rawErr == nil) != (wrappedErr == nil) || rawErr == nil && !raw.Equal(wrapped)) {
			t.Fatalf("raw: %x %v\nwrapped: %x %v", raw.SPKI, rawErr, wrapped.SPKI, wrappedErr)
		}
		if !c.fits(point) && wrappedErr == nil {
			t.Fatalf("%d bytes in an OCTET STRING are a point", len(point))
		}
		if rawErr == nil {
			again, err := ParsePublicKey(raw.SPKI)
			if err != nil || !again.Equal(raw) || again.Curve != c.name {
				t.Fatalf("the key does not parse to itself: %v", err)
			}
		}
	})
}
