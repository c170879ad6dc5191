package pfx

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// keyOf makes the key of a MAC as Encode would.
func keyOf(t testing.TB, m *mac, text string) []byte {
	t.Helper()
	p, err := newPassword([]byte(text))
	must(t, err)
	return keyFrom(t, m, p.standard(m.source().family()).secret)
}

// keyFrom makes the key of a MAC from a password in any encoding.
func keyFrom(t testing.TB, m *mac, secret []byte) []byte {
	t.Helper()
	key, err := m.derive()(context.Background(), secret)
	must(t, err)
	return key
}

func TestMACsOfAllKinds(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	salt := []byte("12345678")
	macs := map[string]*mac{}
	for _, d := range digests {
		macs["HMAC-"+d.name] = newMAC(d.name, salt, 7)
		for _, prf := range digests {
			m := newPBMAC1(salt, 7)
			m.digest, m.pbkdf2.prf, m.pbkdf2.keyLength = digestNamed(d.name), digestNamed(prf.name), max(d.size, minMACKey)
			macs["PBMAC1-HMAC-"+d.name+" "+prf.name] = m
		}
	}
	for name, m := range macs {
		file := assemble(t, m, keyOf(t, m, "tést"), clearSafe(t, contents))
		got := decode(t, file, "tést")
		if len(got.Keys) != 1 || len(got.Certificates) != 2 {
			t.Errorf("%s: %+v", name, got.Facts)
		}
		if want := got.Facts.MAC; want != name[:len(want)] || got.Facts.MACIterations != 7 {
			t.Errorf("%s: facts say %s", name, want)
		}
		if _, err := Decode(context.Background(), file, []byte("test"), DecodeOptions{}); !errors.Is(err, ErrPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// RFC 9579 demands a key length and bounds it: a short key makes a MAC that can be forged.
func TestPBMAC1KeyLengths(t *testing.T) {
	for length, allowed := range map[int]bool{0: false, 1: false, 19: false, 20: true, 32: true, 64: true, 65: false, 1 << 30: false} {
		m := newPBMAC1([]byte("12345678"), 1)
		m.pbkdf2.keyLength = length
		key := []byte{0}
		if allowed {
			key = keyOf(t, m, "test")
		}
		_, err := Decode(context.Background(), assemble(t, m, key, clearSafe(t, Contents{})), []byte("test"), DecodeOptions{})
		var limit *LimitError
		var unsupported *UnsupportedError
		switch {
		case allowed && err != nil, length == 0 && !errors.As(err, &unsupported),
			length != 0 && !allowed && (!errors.As(err, &limit) || limit.What != LimitMACKey):
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

func TestMACRefuses(t *testing.T) {
	good := newMAC("SHA-256", []byte("12345678"), 1)
	tests := []struct {
		name        string
		change      func(m *mac)
		unsupported bool
	}{
		{"unknown digest", func(m *mac) { m.digest = &digest{name: "MD4", oid: "1.2.840.113549.2.4", new: m.digest.new, size: 32} }, true},
		{"unknown HMAC", func(m *mac) {
			*m = *newPBMAC1(nil, 1)
			m.digest = &digest{hmacOID: "1.2.3", new: m.digest.new}
		}, true},
		{"unknown PRF", func(m *mac) { *m = *newPBMAC1(nil, 1); m.pbkdf2.prf = &digest{hmacOID: "1.2.3"} }, true},
		{"value of another size", func(m *mac) {
			m.digest = &digest{oid: digestNamed("SHA-1").oid, new: m.digest.new, size: 32, block: 64}
		}, false},
		{"PBMAC1 value of another size", func(m *mac) {
			*m = *newPBMAC1(nil, 1)
			m.digest = &digest{hmacOID: digestNamed("SHA-512").hmacOID, new: m.digest.new}
		}, false},
		{"negative iterations", func(m *mac) { m.iterations = -1 }, false},
	}
	for _, test := range tests {
		m := *good
		test.change(&m)
		file := assemble(t, &m, []byte("key"), clearSafe(t, Contents{}))
		_, err := Decode(context.Background(), file, []byte("test"), DecodeOptions{})
		var broken *DamagedError
		var unsupported *UnsupportedError
		if test.unsupported && !errors.As(err, &unsupported) || !test.unsupported && !errors.As(err, &broken) {
			t.Errorf("%s: %v", test.name, err)
		}
		if facts, err := Inspect(file); test.unsupported && (err != nil || facts.MAC == NoMAC || facts.MAC == "") {
			t.Errorf("%s: inspect: %+v, %v", test.name, facts, err)
		}
	}
}

func TestSaltsAreBounded(t *testing.T) {
	for length, allowed := range map[int]bool{0: true, maxSalt: true, maxSalt + 1: false} {
		for _, m := range []*mac{newMAC("SHA-1", make([]byte, length), 1), newPBMAC1(make([]byte, length), 1)} {
			_, err := Decode(context.Background(), assemble(t, m, keyOf(t, m, "test"), clearSafe(t, Contents{})), []byte("test"), DecodeOptions{})
			var limit *LimitError
			if allowed && err != nil || !allowed && (!errors.As(err, &limit) || limit.What != LimitSalt) {
				t.Errorf("%s, %d bytes: %v", m.name, length, err)
			}
		}
		for _, p := range []*pbe{newTripleDES(make([]byte, length), 1), newPBES2(make([]byte, length), make([]byte, 16), 1)} {
			safe := sealedSafe(t, p, "test", clearSafe(t, Contents{}))
			_, err := Decode(context.Background(), assemble(t, nil, nil, safe), []byte("test"), DecodeOptions{})
			var limit *LimitError
			if allowed && err != nil || !allowed && (!errors.As(err, &limit) || limit.What != LimitSalt) {
				t.Errorf("%s, %d bytes: %v", p.cipher.name, length, err)
			}
		}
	}
}

func TestIterationCountsOfAnySize(t *testing.T) {
	tests := []struct {
		integer string
		want    any
	}{
		{"020101", nil},
		{"0203010000", nil},
		{"020100", nil}, // what it stands for depends on the derivation
		{"0201ff", new(*DamagedError)},
		{"02020001", new(*DamagedError)},
		{"0400", new(*DamagedError)},
		{"02047fffffff", nil},
		{"02050080000000", new(*LimitError)},
		{"02087fffffffffffffff", new(*LimitError)},
		{"0209008000000000000000", new(*LimitError)},
		{"02107fffffffffffffffffffffffffffffff", new(*LimitError)},
		{"0210ffffffffffffffffffffffffffffff7f", new(*DamagedError)},
	}
	for _, test := range tests {
		s := cryptobyte.String(unhex(t, test.integer))
		_, err := readIterations(&s, "it")
		if test.want == nil && err != nil || test.want != nil && !errors.As(err, test.want) {
			t.Errorf("%s: %v", test.integer, err)
		}
	}
}

func TestFileWithPublicKeyIntegrity(t *testing.T) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addOID(b, oidSignedData)
			b.AddASN1(tagExplicit0, func(b *cryptobyte.Builder) { b.AddASN1NULL() })
		})
	})
	file, err := b.Bytes()
	must(t, err)
	var unsupported *UnsupportedError
	if _, err := Inspect(file); !errors.As(err, &unsupported) {
		t.Errorf("inspect: %v", err)
	}
	if _, err := Decode(context.Background(), file, nil, DecodeOptions{}); !errors.As(err, &unsupported) {
		t.Errorf("decode: %v", err)
	}
}
