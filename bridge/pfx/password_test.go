package pfx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// The readings of a password stand in their order, each once, and are wiped.
func TestPasswordReadings(t *testing.T) {
	for _, test := range []struct {
		text        string
		bmp, octets string
	}{
		{"", "BMPString 0000 nothing ", "UTF-8 "},
		{"ab", "BMPString 006100620000 UTF-16 without its end 00610062", "UTF-8 6162 UTF-16 006100620000 UTF-16, little-endian 61006200"},
		{"é", "BMPString 00e90000 UTF-8, widened 00c300a90000 UTF-16 without its end 00e9 decomposed (NFD) 006503010000",
			"UTF-8 c3a9 Latin-1 e9 UTF-16 00e90000 UTF-16, little-endian e900 decomposed (NFD) 65cc81"},
		{"e\u0301", "BMPString 006503010000 UTF-8, widened 006500cc00810000 UTF-16 without its end 00650301 UTF-16, cut off to the length of NFC 00650000 composed (NFC) 00e90000",
			"UTF-8 65cc81 lower bytes of UTF-16 6601 UTF-16 006503010000 UTF-16, little-endian 65000103 composed (NFC) c3a9"},
		{"a\u0958", "BMPString 006109580000 UTF-8, widened 006100e000a500980000 UTF-16 without its end 00610958 UTF-16, filled up to the length of NFC 0061095800000000 composed (NFC) 00610915093c0000",
			"UTF-8 61e0a598 lower bytes of UTF-16 6858 UTF-16 006109580000 UTF-16, little-endian 61005809 composed (NFC) 61e0a495e0a4bc"},
		{"\u3000", "BMPString 30000000 UTF-8, widened 00e3008000800000 UTF-16 without its end 3000 composed (NFC), with ASCII spaces 00200000",
			"UTF-8 e38080 lower bytes of UTF-16 00 UTF-16 30000000 UTF-16, little-endian 0030 composed (NFC), with ASCII spaces 20"},
		{"€", "BMPString 20ac0000 UTF-8, widened 00e2008200ac0000 Windows-1252, widened 00800000 UTF-16 without its end 20ac",
			"UTF-8 e282ac Windows-1252 80 lower bytes of UTF-16 ac UTF-16 20ac0000 UTF-16, little-endian ac20"},
		{"\uffff", "BMPString ffff0000 UTF-8, widened 00ef00bf00bf0000 UTF-16 without its end ffff",
			"UTF-8 efbfbf lower bytes of UTF-16 ff UTF-16 ffff0000 UTF-16, little-endian ffff"},
		{"😀", "UTF-16 d83dde000000 UTF-8, widened 00f0009f009800800000 UTF-16 without its end d83dde00",
			"UTF-8 f09f9880 lower bytes of UTF-16 e300 UTF-16 d83dde000000 UTF-16, little-endian 3dd800de"},
	} {
		p, err := newPassword([]byte(test.text))
		must(t, err)
		for f, want := range []string{test.bmp, test.octets} {
			var got []byte
			for i, one := range p.families[f] {
				if i > 0 {
					got = append(got, ' ')
				}
				got = fmt.Appendf(got, "%s %x", one.encoding, one.secret)
			}
			if string(got) != want {
				t.Errorf("%q: %s\nnot %s", test.text, got, want)
			}
		}
		ascii := test.text == "" || test.text == "ab"
		if one := p.readings(familyOctets, false); len(one) != 1 && ascii || len(one) == 1 && !ascii {
			t.Errorf("%q: %d readings before the MAC", test.text, len(one))
		}
		p.wipe()
		for _, one := range slices.Concat(p.families[0], p.families[1]) {
			if len(bytes.Trim(one.secret, "\x00")) > 0 {
				t.Errorf("%q as %s was not wiped", test.text, one.encoding)
			}
		}
	}
	if _, err := newPassword([]byte("\xff")); !errors.Is(err, ErrPasswordNotUTF8) {
		t.Errorf("not UTF-8: %v", err)
	}
}

// A file opens whatever its maker made of the password, for the MAC and for the bags by themselves, and says what that was.
func TestEveryEncodingOpens(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	for _, text := range []string{"", "plain", "Contraseña", "Contraseña€", "pw😀pass", "Contrasen\u0303a\u00a0\u212b", "a\u0958bcd"} {
		p, err := newPassword([]byte(text))
		must(t, err)
		for _, mac := range p.families[familyBMP] {
			for i, bags := range slices.Concat(p.families[familyOctets], p.families[familyBMP]) {
				m, scheme := newMAC("SHA-1", []byte("12345678"), 2), newPBES2([]byte("salt"), make([]byte, 16), 2)
				if i >= len(p.families[familyOctets]) {
					scheme = newTripleDES([]byte("salt"), 2)
				}
				shrouded, err := buildShrouded(scheme, sealFrom(t, scheme, bags.secret, contents.Keys[0].PKCS8))
				must(t, err)
				file := assemble(t, m, keyFrom(t, m, mac.secret), info(t, func(b *cryptobyte.Builder) { addShroudedKeyBag(b, Key{}, shrouded) }))
				got, err := Decode(context.Background(), file, []byte(text), DecodeOptions{})
				if err != nil || !bytes.Equal(got.Keys[0].PKCS8, contents.Keys[0].PKCS8) {
					t.Errorf("%q, MAC as %s, bags as %s: %v", text, mac.encoding, bags.encoding, err)
					continue
				}
				for _, used := range []Encoding{mac.encoding, bags.encoding} {
					usual := used == EncodingBMP || used == EncodingUTF8 || used == EncodingNothing
					if usual == slices.Contains(got.Facts.Encodings, used) {
						t.Errorf("%q, MAC as %s, bags as %s: told are %v", text, mac.encoding, bags.encoding, got.Facts.Encodings)
					}
				}
			}
		}
	}
}

// PBMAC1 and a file without a MAC try other encodings only where the password has a character that they differ in.
func TestOctetsUnderTheMAC(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	for _, test := range []struct {
		text, secret string
		opens        bool
	}{
		{"é", "\xe9", true},
		{"€", "\x80", true},
		{"é", "\x00\xe9\x00\x00", true},
		{"ab", "\x00a\x00b\x00\x00", false},
	} {
		m, scheme := newPBMAC1([]byte("12345678"), 2), newPBES2([]byte("salt"), make([]byte, 16), 2)
		shrouded, err := buildShrouded(scheme, sealFrom(t, scheme, []byte(test.secret), contents.Keys[0].PKCS8))
		must(t, err)
		safe := info(t, func(b *cryptobyte.Builder) { addShroudedKeyBag(b, Key{}, shrouded) })
		for name, file := range map[string][]byte{"PBMAC1": assemble(t, m, keyFrom(t, m, []byte(test.secret)), safe), "no MAC": assemble(t, nil, nil, safe)} {
			_, err := Decode(context.Background(), file, []byte(test.text), DecodeOptions{})
			if test.opens && err != nil || !test.opens && !errors.Is(err, ErrPassword) {
				t.Errorf("%s, %q as %x: %v", name, test.text, test.secret, err)
			}
		}
	}
}

// Every attempt is paid for: a file that asks for nearly all that is allowed gets fewer of them.
func TestAttemptsAreWithinTheBudget(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	const each = 1000
	p, err := newPassword([]byte("é"))
	must(t, err)
	widened := p.families[familyBMP][1]
	m := newMAC("SHA-1", []byte("12345678"), each)
	var safes [][]byte
	for range totalFactor - 1 { // with the MAC they are all that one file may cost
		safes = append(safes, sealedSafe(t, newTripleDES([]byte("salt"), each), "é", info(t, func(*cryptobyte.Builder) {})))
	}
	safes = append(safes, clearSafe(t, contents))
	file := assemble(t, m, keyFrom(t, m, widened.secret), safes...)
	if _, err := Decode(context.Background(), file, []byte("é"), DecodeOptions{MaxIterations: each}); !errors.Is(err, ErrPassword) {
		t.Errorf("one attempt too many: %v", err)
	}
	if _, err := Decode(context.Background(), file, []byte("é"), DecodeOptions{MaxIterations: 2 * each}); err != nil {
		t.Errorf("within the budget: %v", err)
	}
}

// A key with a password of its own locks itself alone; the file fails where no key opens.
func TestLockedKeys(t *testing.T) {
	id := newIdentity(t, "P-256")
	bag := func(password string) func(*cryptobyte.Builder) {
		scheme := newPBES2([]byte("salt"), make([]byte, 16), 2)
		shrouded, err := buildShrouded(scheme, sealWith(t, scheme, password, id.pkcs8))
		must(t, err)
		return func(b *cryptobyte.Builder) { addShroudedKeyBag(b, Key{FriendlyName: password}, shrouded) }
	}
	m, key := testMAC(t, "test")
	both := assemble(t, m, key, info(t, func(b *cryptobyte.Builder) { bag("other")(b); bag("test")(b) }))
	got, err := Decode(context.Background(), both, []byte("test"), DecodeOptions{})
	must(t, err)
	if len(got.Keys) != 2 || !got.Keys[0].Locked || got.Keys[0].Shrouded == nil || got.Keys[0].PKCS8 != nil || got.Keys[1].Locked || !bytes.Equal(got.Keys[1].PKCS8, id.pkcs8) {
		t.Errorf("keys: %+v", got.Keys)
	}
	var privacy *PrivacyPasswordError
	_, err = Decode(context.Background(), assemble(t, m, key, info(t, bag("other"))), []byte("test"), DecodeOptions{})
	if !errors.As(err, &privacy) || privacy.Part != PartKey || !errors.Is(err, ErrPrivacyPassword) {
		t.Errorf("one key: %v", err)
	}
	_, err = Decode(context.Background(), assemble(t, m, key, sealedSafe(t, testPBE(), "other", info(t, bag("test")))), []byte("test"), DecodeOptions{})
	if !errors.As(err, &privacy) || privacy.Part != PartSafe {
		t.Errorf("a safe: %v", err)
	}
}
