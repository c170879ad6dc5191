package pki

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

func TestPublicKeyEqual(t *testing.T) {
	a, b := certificate(t, "p256.crt").PublicKey, certificate(t, "rsa.crt").PublicKey
	if !a.Equal(a) || a.Equal(b) || a.Equal(PublicKey{}) || (PublicKey{}).Equal(a) || (PublicKey{}).Equal(PublicKey{}) {
		t.Error("Equal is wrong, or two missing keys are equal")
	}
	if (PublicKey{SPKI: []byte{}}).Equal(PublicKey{SPKI: []byte{}}) {
		t.Error("two empty keys are equal")
	}
}

// spkiDER writes a SubjectPublicKeyInfo of any kind.
func spkiDER(t testing.TB, key []byte, oid string, parameters ...[]byte) []byte {
	t.Helper()
	bits := build(t, func(b *cryptobyte.Builder) { b.AddASN1BitString(key) })
	return sequence(t, sequence(t, append([][]byte{oidDER(t, oid)}, parameters...)...), bits)
}

// A pair of keys is the same, different, or not to be told.
func TestSameKey(t *testing.T) {
	read := func(spki []byte) PublicKey {
		k, _ := ParsePublicKey(spki) // an error leaves what a certificate would have
		if k.SPKI == nil {
			k.SPKI = spki
		}
		return k
	}
	keyOf := func(name string) PublicKey { return certificate(t, name).PublicKey }
	bits := func(k PublicKey) []byte {
		raw, err := k.keyBits()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	rsa, p256, dsa, ed25519 := keyOf("rsa.crt"), keyOf("p256.crt"), keyOf("dsa.crt"), keyOf("ed25519.crt")
	point := bits(p256)
	compressed := append([]byte{2 + point[64]&1}, point[1:33]...)
	const mlkem, unknownCurve = "2.16.840.1.101.3.4.4.2", "1.3.132.0.17"
	dsaAlgorithm, dsaKey, _ := splitPublicKey(dsa.SPKI)
	longer := append([]byte{2, 0x82, 0, 0}, append([]byte{0, 0}, dsaKey[4:]...)...)
	longer[2], longer[3] = byte((len(longer)-4)>>8), byte(len(longer)-4)
	for _, test := range []struct {
		name           string
		one, other     PublicKey
		equal, differs bool
	}{
		{"RSA and RSASSA-PSS", rsa, read(spkiDER(t, bits(rsa), oidRSAPSS)), true, false},
		{"two RSA keys", rsa, keyOf("rsapss.crt"), false, true},
		{"a compressed point", p256, read(spkiDER(t, compressed, oidEC, oidDER(t, "1.2.840.10045.3.1.7"))), true, false},
		{"two points", p256, keyOf("explicit.crt"), false, true},
		{"RSA and EC", rsa, p256, false, true},
		{"EC and Ed25519", p256, ed25519, false, true},
		{"Ed25519 under GnuPG's identifier", ed25519, read(spkiDER(t, bits(ed25519), "1.3.6.1.4.1.11591.15.1")), true, false},
		{"Ed25519 under the identifier of EC", ed25519, read(spkiDER(t, bits(ed25519), oidEC, oidDER(t, "1.3.101.112"))), false, false},
		{"DSA with more sign octets", dsa, read(spkiDER(t, longer, oidDSA, dsaAlgorithm.parameters)), true, false},
		{"DSA with its issuer's parameters", dsa, read(spkiDER(t, dsaKey, oidDSA)), false, false},
		{"an unknown algorithm with NULL and without", read(spkiDER(t, []byte{1}, mlkem)), read(spkiDER(t, []byte{1}, mlkem, derNull)), true, false},
		{"two keys of an unknown algorithm", read(spkiDER(t, []byte{1}, mlkem)), read(spkiDER(t, []byte{2}, mlkem)), false, false},
		{"an unknown algorithm and RSA", read(spkiDER(t, []byte{1}, mlkem)), rsa, false, true},
		{"two points of an unknown curve", read(spkiDER(t, []byte{4, 1, 2}, oidEC, oidDER(t, unknownCurve))), read(spkiDER(t, []byte{2, 1}, oidEC, oidDER(t, unknownCurve))), false, false},
		{"a restricted key that is not understood, and RSA", read(spkiDER(t, []byte{1}, oidRSAPSS)), rsa, false, false},
		{"rubbish", PublicKey{SPKI: []byte{1}}, rsa, false, false},
		{"no key", PublicKey{}, rsa, false, false},
	} {
		for _, pair := range [][2]PublicKey{{test.one, test.other}, {test.other, test.one}} {
			if equal, differs := pair[0].Equal(pair[1]), pair[0].Differs(pair[1]); equal != test.equal || differs != test.differs {
				t.Errorf("%s: equal %v, differs %v", test.name, equal, differs)
			}
		}
	}
}

// The restriction of a key is kept, and is no part of its identity.
func TestRestriction(t *testing.T) {
	found := certificate(t, "rsapss.crt")
	key := found.PublicKey
	restricted, err := key.Restricted()
	if err != nil || len(key.Restriction) == 0 || !bytes.Contains(found.Raw, restricted) || bytes.Equal(restricted, key.SPKI) {
		t.Errorf("%x: %v", restricted, err)
	}
	request, err := RequestInfo(found.RawSubject, key, nil)
	if err != nil || !bytes.Contains(request, restricted) {
		t.Errorf("the request has another key: %v", err)
	}
	plain := certificate(t, "rsa.crt").PublicKey
	if restricted, err = plain.Restricted(); err != nil || !bytes.Equal(restricted, plain.SPKI) || plain.Restriction != nil {
		t.Errorf("a key without a restriction: %x, %v", restricted, err)
	}
}

// The key alone is the key that the whole certificate has, and is there where a time is not.
func TestKeyOfCertificate(t *testing.T) {
	for _, name := range fixtures(t, "crt", 10) {
		whole := certificate(t, name)
		key, err := KeyOfCertificate(whole.Raw)
		if err != nil || !key.Equal(whole.PublicKey) {
			t.Errorf("%s: %v", name, err)
		}
		broken := bytes.Clone(whole.Raw)
		if at := bytes.Index(broken, []byte{0x17, 0x0d}); at >= 0 {
			copy(broken[at+2:], "yesterday")
			if _, err := ParseCertificate(broken); err == nil {
				t.Errorf("%s: the time is still there", name)
			}
			if key, err := KeyOfCertificate(broken); err != nil || !key.Equal(whole.PublicKey) {
				t.Errorf("%s without a time: %v", name, err)
			}
		}
	}
	if _, err := KeyOfCertificate([]byte{0x30, 0}); !isMalformed(err) {
		t.Errorf("no certificate: %v", err)
	}
}

func FuzzSameKey(f *testing.F) {
	var seeds [][]byte
	for _, name := range fixtures(f, "crt", 5) {
		seeds = append(seeds, certificate(f, name).PublicKey.SPKI)
	}
	for i, seed := range seeds {
		f.Add(seed, seeds[(i+1)%len(seeds)])
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, one, other []byte) {
		read := func(spki []byte) PublicKey {
			k, err := ParsePublicKey(spki)
			if err != nil {
				return PublicKey{SPKI: spki}
			}
			return k
		}
		a, b := read(one), read(other)
		if a.Equal(b) != b.Equal(a) || a.Differs(b) != b.Differs(a) || a.Equal(b) && a.Differs(b) {
			t.Fatalf("%x and %x: equal %v, differs %v", one, other, a.Equal(b), a.Differs(b))
		}
		if len(one) > 0 && (!a.Equal(a) || a.Differs(a)) {
			t.Fatalf("%x is not itself", one)
		}
	})
}
