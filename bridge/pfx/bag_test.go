package pfx

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// sealedSafe makes a ContentInfo of type encryptedData out of one of type data.
func sealedSafe(t testing.TB, p *pbe, password string, data []byte) []byte {
	t.Helper()
	input := cryptobyte.String(data)
	var sequence cryptobyte.String
	if !input.ReadASN1(&sequence, asn1.SEQUENCE) {
		t.Fatal("no ContentInfo")
	}
	if _, ok := readOID(&sequence); !ok {
		t.Fatal("no type")
	}
	content, ok := readData(&sequence)
	if !ok {
		t.Fatal("no data")
	}
	var b cryptobyte.Builder
	addEncryptedData(&b, p, sealWith(t, p, password, content))
	der, err := b.Bytes()
	must(t, err)
	return der
}

func sealWith(t testing.TB, p *pbe, text string, plaintext []byte) []byte {
	t.Helper()
	secret, err := newPassword([]byte(text))
	must(t, err)
	return sealFrom(t, p, secret.standard(p.source.family()).secret, plaintext)
}

// sealFrom encrypts under a password in any encoding.
func sealFrom(t testing.TB, p *pbe, secret, plaintext []byte) []byte {
	t.Helper()
	derived, err := p.source.derive(p.keySize())(context.Background(), secret)
	must(t, err)
	ciphertext, err := p.seal(derived, plaintext)
	must(t, err)
	return ciphertext
}

func testMAC(t testing.TB, password string) (*mac, []byte) {
	t.Helper()
	m := newMAC("SHA-256", []byte("12345678"), 1)
	return m, keyOf(t, m, password)
}

func testPBE() *pbe { return newPBES2([]byte("87654321"), make([]byte, 16), 1) }

// nested puts a SafeContents within another, depth times.
func nested(t testing.TB, depth int, innermost func(*cryptobyte.Builder)) []byte {
	t.Helper()
	bags := innermost
	for range depth - 1 {
		inner := bags
		bags = func(b *cryptobyte.Builder) {
			addBag(b, oidSafeContentsBag, attributes{}, func(b *cryptobyte.Builder) { b.AddASN1(asn1.SEQUENCE, inner) })
		}
	}
	return info(t, bags)
}

func TestSafesOfAllShapes(t *testing.T) {
	id, other := newIdentity(t, "P-256"), newIdentity(t, "Ed25519")
	one, two := id.contents("one"), other.contents("two")
	m, key := testMAC(t, "test")
	both := Contents{Keys: append(slices.Clone(one.Keys), two.Keys...), Certificates: append(slices.Clone(one.Certificates), two.Certificates...)}
	someBags := func(b *cryptobyte.Builder) {
		addBag(b, "1.2.840.113549.1.12.10.1.4", attributes{}, func(b *cryptobyte.Builder) { b.AddASN1NULL() }) // crlBag
		addCertBag(b, one.Certificates[0])
		addBag(b, "1.2.840.113549.1.12.10.1.5", attributes{}, func(b *cryptobyte.Builder) { b.AddASN1NULL() }) // secretBag
		addBag(b, "2.25.340282366920938463463374607431768211455", attributes{}, func(b *cryptobyte.Builder) { b.AddASN1NULL() })
		addBag(b, oidCertBag, attributes{}, func(b *cryptobyte.Builder) { // sdsiCertificate
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addOID(b, "1.2.840.113549.1.9.22.2")
				b.AddASN1(tagExplicit0, func(b *cryptobyte.Builder) { b.AddASN1(asn1.IA5String, func(*cryptobyte.Builder) {}) })
			})
		})
	}
	tests := []struct {
		name  string
		safes [][]byte
		want  Contents
		other int
	}{
		{"none", nil, Contents{}, 0},
		{"an empty one", [][]byte{info(t, func(*cryptobyte.Builder) {})}, Contents{}, 0},
		{"two in clear", [][]byte{clearSafe(t, one), clearSafe(t, two)}, both, 0},
		{"two encrypted", [][]byte{sealedSafe(t, testPBE(), "test", clearSafe(t, one)), sealedSafe(t, newTripleDES([]byte("1"), 2), "test", clearSafe(t, two))}, both, 0},
		{"bags of other types", [][]byte{info(t, someBags)}, Contents{Certificates: one.Certificates[:1]}, 4},
		{"bags of other types, encrypted", [][]byte{sealedSafe(t, testPBE(), "test", info(t, someBags))}, Contents{Certificates: one.Certificates[:1]}, 4},
		{"deep", [][]byte{nested(t, maxSafeDepth, someBags)}, Contents{Certificates: one.Certificates[:1]}, 4},
	}
	for _, test := range tests {
		for _, withMAC := range []bool{true, false} {
			file := assemble(t, m, key, test.safes...)
			if !withMAC {
				file = assemble(t, nil, nil, test.safes...)
			}
			got := decode(t, file, "test")
			if diff := cmp.Diff(test.want, *got, ignoreFacts, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: %s", test.name, diff)
			}
			if f := got.Facts; f.OtherBags != test.other || !f.Counted || f.Keys != len(test.want.Keys) || f.Certificates != len(test.want.Certificates) {
				t.Errorf("%s: %+v", test.name, f)
			}
			// A key bag in clear within an encrypted safe is not a key in clear.
			if clearKey := len(test.want.Keys) > 0 && test.name == "two in clear"; got.Facts.ClearKey != clearKey {
				t.Errorf("%s: key in clear is %v", test.name, got.Facts.ClearKey)
			}
		}
	}
}

func TestShroudedBagInAnEncryptedSafe(t *testing.T) {
	id := newIdentity(t, "P-256")
	p := newTripleDES([]byte("salt"), 3)
	shrouded, err := buildShrouded(p, sealWith(t, p, "test", append(slices.Clone(id.pkcs8), 0, 0, 0)))
	must(t, err)
	safe := sealedSafe(t, testPBE(), "test", info(t, func(b *cryptobyte.Builder) { addShroudedKeyBag(b, Key{}, shrouded) }))
	m, key := testMAC(t, "test")
	file := assemble(t, m, key, safe)

	if got := decode(t, file, "test"); len(got.Keys) != 1 || !bytes.Equal(got.Keys[0].PKCS8, id.pkcs8) {
		t.Errorf("keys: %+v", got.Keys)
	}
	kept, err := Decode(context.Background(), file, []byte("test"), DecodeOptions{KeepShrouded: true})
	must(t, err)
	if len(kept.Keys) != 1 || kept.Keys[0].PKCS8 != nil || !bytes.Equal(kept.Keys[0].Shrouded, shrouded) {
		t.Errorf("kept keys: %+v", kept.Keys)
	}
	// The count of a bag that only the password brings to light is a limit too.
	var limit *LimitError
	if _, err := Decode(context.Background(), file, []byte("test"), DecodeOptions{MaxIterations: 2}); !errors.As(err, &limit) {
		t.Errorf("hidden iterations: %v", err)
	}
}

func TestBagLimits(t *testing.T) {
	certificate := func(b *cryptobyte.Builder) { addCertBag(b, Certificate{DER: []byte{0x30, 0}}) }
	many := func(count int) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) {
			for range count {
				certificate(b)
			}
		}
	}
	half := info(t, many(maxBags/2))
	attributed := func(count int) func(*cryptobyte.Builder) {
		others := slices.Repeat([]Attribute{{OID: "1.2.3"}}, count)
		return func(b *cryptobyte.Builder) { addCertBag(b, Certificate{DER: []byte{0x30, 0}, Attributes: others}) }
	}
	tests := []struct {
		name  string
		safes [][]byte
		want  Limit
	}{
		{"bags", [][]byte{half, half}, ""},
		{"one bag more", [][]byte{half, half, info(t, many(1))}, LimitBags},
		{"one bag more, encrypted", [][]byte{half, half, sealedSafe(t, testPBE(), "test", info(t, many(1)))}, LimitBags},
		{"attributes", [][]byte{info(t, attributed(maxAttributes-1)), info(t, attributed(1))}, ""},
		{"one attribute more", [][]byte{info(t, attributed(maxAttributes-1)), info(t, attributed(2))}, LimitAttributes},
		{"safes", slices.Repeat([][]byte{info(t, many(1))}, maxSafes), ""},
		{"one safe more", slices.Repeat([][]byte{info(t, many(1))}, maxSafes+1), LimitSafes},
		{"nested", [][]byte{nested(t, maxSafeDepth, certificate)}, ""},
		{"nested once more", [][]byte{nested(t, maxSafeDepth+1, certificate)}, LimitSafeDepth},
	}
	for _, test := range tests {
		_, err := Decode(context.Background(), assemble(t, nil, nil, test.safes...), []byte("test"), DecodeOptions{})
		var limit *LimitError
		if test.want == "" && err != nil || test.want != "" && (!errors.As(err, &limit) || limit.What != test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	var limit *LimitError
	if _, err := Inspect(make([]byte, maxFileSize+1)); !errors.As(err, &limit) || limit.What != LimitFileSize {
		t.Errorf("size: %v", err)
	}
}

// A big file costs a few copies of itself: one a level of nesting, and one for the caller.
func TestMemoryIsInProportion(t *testing.T) {
	const size = 8 << 20
	big := Contents{Certificates: []Certificate{{DER: sequence(size)}}}
	m, key := testMAC(t, "test")
	for _, file := range [][]byte{
		assemble(t, m, key, clearSafe(t, big)),
		encode(t, big, "test", Modern),
	} {
		allocated(t, 6*size, func() {
			_, err := Decode(context.Background(), file, []byte("test"), DecodeOptions{})
			must(t, err)
		})
		allocated(t, 5*size, func() {
			_, err := Inspect(file)
			must(t, err)
		})
	}
}

func TestTwoPasswords(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	m, key := testMAC(t, "test")
	p := newPBES2([]byte("salt"), make([]byte, 16), 1)
	shrouded, err := buildShrouded(p, sealWith(t, p, "other", contents.Keys[0].PKCS8))
	must(t, err)
	for name, safe := range map[string][]byte{
		"safe":    sealedSafe(t, testPBE(), "other", clearSafe(t, contents)),
		"key bag": info(t, func(b *cryptobyte.Builder) { addShroudedKeyBag(b, Key{}, shrouded) }),
	} {
		if _, err := Decode(context.Background(), assemble(t, m, key, safe), []byte("test"), DecodeOptions{}); !errors.Is(err, ErrPrivacyPassword) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Decode(context.Background(), assemble(t, nil, nil, safe), []byte("test"), DecodeOptions{}); !errors.Is(err, ErrPassword) {
			t.Errorf("%s without a MAC: %v", name, err)
		}
	}
}

// The empty password is two zero bytes to some writers and nothing at all to others.
func TestBothReadingsOfTheEmptyPassword(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	for reading, secret := range [][]byte{{0, 0}, {}} {
		for _, withMAC := range []bool{true, false} {
			m := newMAC("SHA-1", []byte("12345678"), 3)
			p := newTripleDES([]byte("12345678"), 3)
			shrouded, err := buildShrouded(p, sealFrom(t, p, secret, contents.Keys[0].PKCS8))
			must(t, err)
			safe := info(t, func(b *cryptobyte.Builder) { addShroudedKeyBag(b, Key{}, shrouded) })
			file := assemble(t, m, keyFrom(t, m, secret), safe)
			if !withMAC {
				file = assemble(t, nil, nil, safe)
			}
			if got := decode(t, file, ""); !bytes.Equal(got.Keys[0].PKCS8, contents.Keys[0].PKCS8) {
				t.Errorf("reading %d, MAC %v: another key", reading, withMAC)
			}
		}
	}
}

func TestDamagedInside(t *testing.T) {
	m, key := testMAC(t, "test")
	value := func(oid string, content ...byte) []byte {
		return info(t, func(b *cryptobyte.Builder) {
			addBag(b, oid, attributes{}, func(b *cryptobyte.Builder) { b.AddBytes(content) })
		})
	}
	sealedJunk := func(plaintext ...byte) []byte {
		var b cryptobyte.Builder
		addEncryptedData(&b, testPBE(), sealWith(t, testPBE(), "test", plaintext))
		der, err := b.Bytes()
		must(t, err)
		return der
	}
	shroudedJunk, err := buildShrouded(testPBE(), sealWith(t, testPBE(), "test", []byte{0x30, 0}))
	must(t, err)
	id := newIdentity(t, "P-256")
	followed, err := buildShrouded(testPBE(), sealWith(t, testPBE(), "test", append(bytes.Clone(id.pkcs8), 0, 1)))
	must(t, err)
	shortCiphertext, err := buildShrouded(testPBE(), []byte{1, 2, 3})
	must(t, err)
	for name, safe := range map[string][]byte{
		"key bag":              value(oidKeyBag, 0x30, 0),
		"shrouded key bag":     value(oidShroudedKeyBag, 0x30, 0),
		"shrouded key":         value(oidShroudedKeyBag, shroudedJunk...),
		"shrouded key, length": value(oidShroudedKeyBag, shortCiphertext...),
		"shrouded key, junk":   value(oidShroudedKeyBag, followed...),
		"cert bag":             value(oidCertBag, 0x30, 0),
		"nested safe":          value(oidSafeContentsBag, 0x02, 1, 0),
		"SafeContents":         sealedJunk(0x30, 2, 5, 0),
	} {
		// The MAC fits: the file is as its maker wrote it. Where it does not, or is not there, the file may be damaged.
		if _, err := Decode(context.Background(), assemble(t, m, key, safe), []byte("test"), DecodeOptions{}); !errors.As(err, new(*NonconformingError)) {
			t.Errorf("%s: %v", name, err)
		}
		for _, other := range [][]byte{assemble(t, m, []byte("another key"), safe), assemble(t, nil, nil, safe)} {
			_, err := Decode(context.Background(), other, []byte("test"), DecodeOptions{})
			if inside := strings.HasPrefix(name, "shrouded key,") || name == "shrouded key" || name == "SafeContents"; inside && !errors.As(err, new(*DamagedError)) && !errors.Is(err, ErrPassword) || !inside && !errors.As(err, new(*DamagedError)) {
				t.Errorf("%s without a MAC that fits: %v", name, err)
			}
		}
	}
	_, err = Decode(context.Background(), assemble(t, m, key, sealedJunk([]byte("no ASN.1 at all")...)), []byte("test"), DecodeOptions{})
	if !errors.Is(err, ErrPrivacyPassword) {
		t.Errorf("no ASN.1: %v", err)
	}
}

func TestUnsupportedSafe(t *testing.T) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oidEnvelopedData)
		b.AddASN1(tagExplicit0, func(b *cryptobyte.Builder) { b.AddASN1NULL() })
	})
	enveloped, err := b.Bytes()
	must(t, err)
	file := assemble(t, nil, nil, enveloped)
	facts, err := Inspect(file)
	must(t, err)
	if facts.Counted || !strings.Contains(algorithms(facts.Safes), "envelopedData") {
		t.Errorf("facts: %+v", facts)
	}
	var unsupported *UnsupportedError
	if _, err := Decode(context.Background(), file, nil, DecodeOptions{}); !errors.As(err, &unsupported) {
		t.Errorf("error is %v", err)
	}
}
