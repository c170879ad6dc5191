package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"
)

func private(t testing.TB, name string) *PrivateKey {
	t.Helper()
	key, err := ParsePrivateKey(file(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return key
}

var readableKeys = []string{"rsa", "rsapss", "p256", "explicit", "brainpoolP256r1", "secp256k1", "ed25519"}

func TestParsePrivateKey(t *testing.T) {
	for _, name := range readableKeys {
		t.Run(name, func(t *testing.T) {
			der := file(t, name+".key")
			key := private(t, name+".key")
			if c := certificate(t, name+".crt"); !key.Public.Equal(c.PublicKey) || key.Public.Algorithm != c.PublicKey.Algorithm {
				t.Error("not the key of its certificate")
			}
			if same := bytes.Equal(key.DER, der); same != (name != "explicit") {
				t.Errorf("OpenSSL's own bytes: %t", same)
			}
			openssl(t, key.DER, "pkey", "-inform", "DER", "-check", "-noout")
			if std, err := x509.ParsePKCS8PrivateKey(key.DER); err == nil {
				if again, err := x509.MarshalPKCS8PrivateKey(std); err != nil || !bytes.Equal(again, key.DER) {
					t.Errorf("not as crypto/x509 writes it: %v", err)
				}
			} else if name == "rsa" || name == "p256" || name == "explicit" || name == "ed25519" {
				t.Errorf("crypto/x509: %v", err)
			}
			clear(der)
			if again, err := ParsePrivateKey(key.DER); err != nil || !bytes.Equal(again.DER, key.DER) {
				t.Errorf("the canonical form does not parse to itself: %v", err)
			}
		})
	}
	for _, name := range []string{"ed448.key", "dsa.key", "sect283r1.key"} {
		if _, err := ParsePrivateKey(file(t, name)); !isUnsupported(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	x := private(t, "x25519.key")
	spki := openssl(t, file(t, "x25519.key"), "pkey", "-inform", "DER", "-pubout", "-outform", "DER")
	if !bytes.Equal(x.Public.SPKI, spki) || x.Public.Algorithm != "X25519" || !bytes.Equal(x.DER, file(t, "x25519.key")) {
		t.Errorf("X25519: %+v", x.Public)
	}
}

// pkcs8 builds a PrivateKeyInfo or a OneAsymmetricKey.
func pkcs8(t testing.TB, version int64, algorithm, value, trailer []byte) []byte {
	return build(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(version)
			b.AddBytes(algorithm)
			b.AddASN1OctetString(value)
			b.AddBytes(trailer)
		})
	})
}

func sequence(t testing.TB, elements ...[]byte) []byte {
	return tagged(t, cbasn1.SEQUENCE, bytes.Join(elements, nil))
}

var (
	context0 = cbasn1.Tag(0).ContextSpecific().Constructed()
	context1 = cbasn1.Tag(1).ContextSpecific().Constructed()
)

// TestECPrivateForms: the same key as several writers give it, which all become OpenSSL's bytes.
func TestECPrivateForms(t *testing.T) {
	want := private(t, "brainpoolP256r1.key")
	point, err := want.Public.keyBits()
	if err != nil {
		t.Fatal(err)
	}
	c := curveByName("brainpoolP256r1")
	one := []byte{2, 1, 1}
	scalar := scalarOf(t, want)
	curveOID := oidDER(t, c.oid)
	named := sequence(t, oidDER(t, oidEC), curveOID)
	bare := sequence(t, oidDER(t, oidEC))
	explicit := sequence(t, oidDER(t, oidEC), explicitParams(t, c, c.encode(c.gx, c.gy), c.n, 1))
	bitString := build(t, func(b *cryptobyte.Builder) { b.AddASN1BitString(point) })
	inner := func(trailers ...[]byte) []byte {
		return sequence(t, one, octetString(t, scalar), bytes.Join(trailers, nil))
	}
	outerPublic := tagged(t, cbasn1.Tag(1).ContextSpecific(), append([]byte{0}, point...))
	attributes := tagged(t, context0, sequence(t, oidDER(t, "2.5.29.15"), tagged(t, cbasn1.SET, []byte{3, 2, 0, 1})))
	for what, der := range map[string][]byte{
		"SoftHSM, without publicKey":     pkcs8(t, 0, named, inner(), nil),
		"parameters twice":               pkcs8(t, 0, named, inner(tagged(t, context0, curveOID)), nil),
		"parameters inside only":         pkcs8(t, 0, bare, inner(tagged(t, context0, curveOID)), nil),
		"NULL outside":                   pkcs8(t, 0, sequence(t, oidDER(t, oidEC), derNull), inner(tagged(t, context0, curveOID)), nil),
		"explicit parameters":            pkcs8(t, 0, explicit, inner(), nil),
		"explicit outside, named inside": pkcs8(t, 0, explicit, inner(tagged(t, context0, curveOID)), nil),
		"with publicKey":                 pkcs8(t, 0, named, inner(tagged(t, context1, bitString)), nil),
		"publicKey nobody understands":   pkcs8(t, 0, named, inner(tagged(t, context1, []byte{3, 2, 0, 9})), nil),
		"attributes":                     pkcs8(t, 0, named, inner(), attributes),
		"OneAsymmetricKey":               pkcs8(t, 1, named, inner(), append(bytes.Clone(attributes), outerPublic...)),
		"short scalar":                   pkcs8(t, 0, named, sequence(t, one, octetString(t, bytes.TrimLeft(scalar, "\x00"))), nil),
		"long scalar":                    pkcs8(t, 0, named, sequence(t, one, octetString(t, append(make([]byte, 9), scalar...))), nil),
	} {
		if key, err := ParsePrivateKey(der); err != nil || !bytes.Equal(key.DER, want.DER) || !key.Public.Equal(want.Public) {
			t.Errorf("%s: %v", what, err)
		}
	}
	other := bytes.Clone(point)
	copy(other[1:], c.encode(c.gx, c.gy)[1:])
	otherBits := build(t, func(b *cryptobyte.Builder) { b.AddASN1BitString(other) })
	for what, der := range map[string][]byte{
		"another publicKey":             pkcs8(t, 0, named, inner(tagged(t, context1, otherBits)), nil),
		"another outer publicKey":       pkcs8(t, 1, named, inner(), tagged(t, cbasn1.Tag(1).ContextSpecific(), append([]byte{0}, other...))),
		"two curves":                    pkcs8(t, 0, named, inner(tagged(t, context0, oidDER(t, "1.3.132.0.10"))), nil),
		"no curve":                      pkcs8(t, 0, bare, inner(), nil),
		"empty outer publicKey":         pkcs8(t, 1, named, inner(), []byte{0x81, 0}),
		"version 2":                     pkcs8(t, 2, named, inner(), nil),
		"bytes behind the ECPrivateKey": pkcs8(t, 0, named, append(inner(), 0), nil),
		"scalar of zero":                pkcs8(t, 0, named, sequence(t, one, octetString(t, make([]byte, 32))), nil),
		"scalar of the order":           pkcs8(t, 0, named, sequence(t, one, octetString(t, c.n.Bytes())), nil),
		"ECPrivateKey of version 0":     pkcs8(t, 0, named, sequence(t, []byte{2, 1, 0}, octetString(t, scalar)), nil),
	} {
		if _, err := ParsePrivateKey(der); !isMalformed(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// scalarOf reads the private value out of a canonical EC key.
func scalarOf(t testing.TB, key *PrivateKey) []byte {
	t.Helper()
	s := cryptobyte.String(key.DER)
	var content, value, inner, scalar cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !content.SkipASN1(cbasn1.INTEGER) || !content.SkipASN1(cbasn1.SEQUENCE) ||
		!content.ReadASN1(&value, cbasn1.OCTET_STRING) || !value.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.SkipASN1(cbasn1.INTEGER) ||
		!inner.ReadASN1(&scalar, cbasn1.OCTET_STRING) {
		t.Fatal("no EC key")
	}
	return scalar
}

func TestRSAPrivateForms(t *testing.T) {
	parts := rsaFixture(t)
	algorithm := sequence(t, oidDER(t, oidRSA), derNull)
	numbers := func(version byte, n int, sign bool) []byte {
		value := []byte{2, 1, version}
		for i, part := range parts.all() {
			octets := (*part).Bytes()
			if sign {
				octets = append([]byte{0}, octets...)
			}
			if i >= n {
				octets = []byte{0}
			}
			value = append(value, tagged(t, cbasn1.INTEGER, octets)...)
		}
		return tagged(t, cbasn1.SEQUENCE, value)
	}
	short := sequence(t, []byte{2, 1, 0}, tagged(t, cbasn1.INTEGER, parts.n.Bytes()), tagged(t, cbasn1.INTEGER, parts.e.Bytes()), tagged(t, cbasn1.INTEGER, parts.d.Bytes()))
	for what, der := range map[string][]byte{
		"everything":           pkcs8(t, 0, algorithm, numbers(0, 8, true), nil),
		"no sign octets":       pkcs8(t, 0, algorithm, numbers(0, 8, false), nil),
		"no CRT parts":         pkcs8(t, 0, algorithm, numbers(0, 5, true), nil),
		"no primes":            pkcs8(t, 0, algorithm, numbers(0, 3, true), nil),
		"ends after d":         pkcs8(t, 0, algorithm, short, nil),
		"no NULL":              pkcs8(t, 0, sequence(t, oidDER(t, oidRSA)), numbers(0, 8, true), nil),
		"with attributes":      pkcs8(t, 0, algorithm, numbers(0, 8, true), tagged(t, context0, nil)),
		"OneAsymmetricKey's 1": pkcs8(t, 1, algorithm, numbers(0, 8, true), []byte{0x81, 2, 0, 1}),
	} {
		if key, err := ParsePrivateKey(der); err != nil || !bytes.Equal(key.DER, file(t, "rsa.key")) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := ParsePrivateKey(pkcs8(t, 0, algorithm, numbers(2, 8, true), nil)); !isUnsupported(err) {
		t.Errorf("a later version: %v", err)
	}
	nine := bytes.Clone(numbers(0, 8, true))
	nine = sequence(t, nine[4:], []byte{2, 1, 0})
	if _, err := ParsePrivateKey(pkcs8(t, 0, algorithm, nine, nil)); !isMalformed(err) || !strings.Contains(err.Error(), "more than its eight numbers") {
		t.Errorf("a ninth number: %v", err)
	}
	if _, err := ParsePrivateKey(pkcs8(t, 0, algorithm, append(short, 0), nil)); !isMalformed(err) {
		t.Errorf("bytes behind the RSAPrivateKey: %v", err)
	}
	parts.d.Xor(parts.d, two)
	if _, err := ParsePrivateKey(pkcs8(t, 0, algorithm, numbers(0, 8, true), nil)); !isMalformed(err) {
		t.Errorf("another d: %v", err)
	}
}

func TestPrivateKeyFromEC(t *testing.T) {
	for _, name := range []string{"p256", "brainpoolP256r1", "secp256k1"} {
		want := private(t, name+".key")
		params := oidDER(t, curveByName(want.Public.Curve).oid)
		scalar := scalarOf(t, want)
		for _, value := range [][]byte{scalar, append([]byte{0}, scalar...), append(make([]byte, 40), scalar...), bytes.TrimLeft(scalar, "\x00")} {
			if key, err := PrivateKeyFromEC(params, value); err != nil || !bytes.Equal(key.DER, want.DER) {
				t.Errorf("%s, %d bytes: %v", name, len(value), err)
			}
		}
	}
	if _, err := PrivateKeyFromEC(oidDER(t, "1.3.101.112"), make([]byte, 32)); !isUnsupported(err) {
		t.Errorf("Ed25519 as EC: %v", err)
	}
}

// TestShortScalars: a value with leading zeros must come out at full length on every curve, or strict readers refuse it.
func TestShortScalars(t *testing.T) {
	for _, c := range curves() {
		key, err := PrivateKeyFromEC(oidDER(t, c.oid), []byte{7})
		if err != nil {
			t.Fatal(err)
		}
		if scalar := scalarOf(t, key); len(scalar) != c.scalarSize() || scalar[len(scalar)-1] != 7 {
			t.Errorf("%s: %x", c.name, scalar)
		}
		if opensslName(c) != "" {
			spki := openssl(t, key.DER, "pkey", "-inform", "DER", "-pubout", "-outform", "DER")
			if !bytes.Equal(spki, key.Public.SPKI) {
				t.Errorf("%s: OpenSSL computes another public key", c.name)
			}
		}
	}
}

func TestPrivateKeyFromEdwards(t *testing.T) {
	want := private(t, "ed25519.key")
	seed := want.DER[len(want.DER)-32:]
	for what, params := range map[string][]byte{"OID": oidDER(t, "1.3.101.112"), "name": tagged(t, cbasn1.PrintableString, []byte("edwards25519"))} {
		for _, value := range [][]byte{seed, octetString(t, seed)} {
			if key, err := PrivateKeyFromEdwards(params, value); err != nil || !bytes.Equal(key.DER, want.DER) || !key.Public.Equal(want.Public) {
				t.Errorf("%s, %d bytes: %v", what, len(value), err)
			}
		}
		for _, value := range [][]byte{nil, seed[1:], append([]byte{0}, seed...), octetString(t, seed[1:])} {
			if _, err := PrivateKeyFromEdwards(params, value); !isMalformed(err) {
				t.Errorf("%s, %d bytes: %v", what, len(value), err)
			}
		}
	}
	if _, err := PrivateKeyFromEdwards(oidDER(t, "1.3.101.113"), make([]byte, 57)); !isUnsupported(err) {
		t.Errorf("Ed448: %v", err)
	}
	stated := append([]byte{0}, want.Public.SPKI[len(want.Public.SPKI)-32:]...)
	algorithm := sequence(t, oidDER(t, "1.3.101.112"))
	form := func() []byte {
		return pkcs8(t, 1, algorithm, octetString(t, seed), tagged(t, cbasn1.Tag(1).ContextSpecific(), stated))
	}
	if key, err := ParsePrivateKey(form()); err != nil || !bytes.Equal(key.DER, want.DER) {
		t.Errorf("OneAsymmetricKey: %v", err)
	}
	stated[5] ^= 1
	if _, err := ParsePrivateKey(form()); !isMalformed(err) {
		t.Errorf("another public key: %v", err)
	}
}

func TestPrivateKeyIsRedacted(t *testing.T) {
	key := private(t, "ed25519.key")
	secret := fmt.Sprintf("%x", key.DER[len(key.DER)-32:])
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for _, value := range []any{key, *key, struct{ Key *PrivateKey }{key}, []PrivateKey{*key}} {
			if got := strings.ToLower(fmt.Sprintf(verb, value)); strings.Contains(got, secret[:16]) || strings.Contains(got, fmt.Sprint(key.DER[20:24])) {
				t.Errorf("%s of %T shows the key", verb, value)
			}
		}
		if got := fmt.Sprintf(verb, key); got != "[redacted]" {
			t.Errorf("%s: %s", verb, got)
		}
	}
	if out, err := json.Marshal(map[string]any{"key": key, "value": *key}); err != nil || string(out) != `{"key":"[redacted]","value":"[redacted]"}` {
		t.Errorf("JSON: %s %v", out, err)
	}
}

func TestWipe(t *testing.T) {
	key := private(t, "rsa.key")
	der := key.DER
	key.Wipe()
	if len(der) == 0 || !bytes.Equal(der, make([]byte, len(der))) || key.DER != nil || key.Public.Algorithm != "RSA" {
		t.Error("not wiped, or the public key is gone")
	}
	key.Wipe()
	(*PrivateKey)(nil).Wipe()
}

// TestTrailingBytes: SoftHSM pads with zeros to a multiple of eight; whatever else is there was not unwrapped right.
func TestTrailingBytes(t *testing.T) {
	der := map[string][]byte{}
	for _, name := range readableKeys {
		der[name] = file(t, name+".key")
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(readableKeys[2:]).Draw(t, "key") // RSA is slow
		trailer := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0x80}), 0, 20).Draw(t, "trailer")
		checkTrim(t, der[name], trailer)
	})
	for _, name := range readableKeys {
		checkTrim(t, der[name], make([]byte, 7))
		checkTrim(t, der[name], []byte{0, 0, 8})
		checkTrim(t, der[name], bytes.Repeat([]byte{8}, 8)) // PKCS#7 padding, left there
	}
}

// checkTrim holds the property on any input that parses by itself.
func checkTrim(t interface {
	Fatalf(string, ...any)
	Helper()
}, der, trailer []byte) {
	t.Helper()
	key, err := ParsePrivateKey(der)
	padded, paddedErr := ParsePrivateKey(append(bytes.Clone(der), trailer...))
	if err != nil {
		if !isMalformed(err) && !isUnsupported(err) {
			t.Fatalf("an error of another type: %v", err)
		}
		return
	}
	zero := len(bytes.Trim(trailer, "\x00")) == 0
	switch {
	case zero && paddedErr != nil:
		t.Fatalf("%d zero bytes: %v", len(trailer), paddedErr)
	case zero && (!bytes.Equal(key.DER, padded.DER) || !key.Public.Equal(padded.Public)):
		t.Fatalf("%d zero bytes change the key", len(trailer))
	case !zero && paddedErr == nil:
		t.Fatalf("%x behind the key was taken", trailer)
	}
}

func FuzzParsePrivateKeyTrim(f *testing.F) {
	for _, name := range fixtures(f, "key", 8) {
		f.Add(file(f, name), uint8(5), []byte{0})
		f.Add(file(f, name), uint8(0), []byte{1})
	}
	f.Add(multiPrimeKey(f, 3, func([]*big.Int, [][3]*big.Int) {}), uint8(0), []byte{})
	f.Fuzz(func(t *testing.T, der []byte, zeros uint8, trailer []byte) {
		checkTrim(t, der, append(make([]byte, zeros), trailer...))
		key, err := ParsePrivateKey(der)
		if err != nil {
			return
		}
		again, err := ParsePrivateKey(key.DER)
		if err != nil || !bytes.Equal(again.DER, key.DER) || !again.Public.Equal(key.Public) {
			t.Fatalf("the canonical form does not parse to itself: %v", err)
		}
		if _, err := ParsePublicKey(key.Public.SPKI); err != nil {
			t.Fatalf("the public key does not parse: %v", err)
		}
	})
}
