package pfx

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var ignoreFacts = cmpopts.IgnoreFields(Contents{}, "Facts")

func TestEncodeIsReadBack(t *testing.T) {
	for _, profile := range knownProfiles {
		for _, kind := range []string{"RSA", "P-256", "P-384", "Ed25519"} {
			for _, password := range []string{"test", "", "pässwörd €", "a\x00b"} {
				contents := newIdentity(t, kind).contents("schlüssel 🔑")
				got := decode(t, encode(t, contents, password, profile), password)
				if diff := cmp.Diff(contents, *got, ignoreFacts, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s %s %q: %s", profile, kind, password, diff)
				}
			}
		}
	}
}

func TestEncodeStatesItsFacts(t *testing.T) {
	const pbes2 = "PBES2 PBKDF2-HMAC-SHA-256 AES-256-CBC"
	const tripleDES = "pbeWithSHAAnd3-KeyTripleDES-CBC"
	tests := []struct {
		profile Profile
		mac     string
		cipher  string
	}{
		{Modern, "HMAC-SHA-256", pbes2},
		{PBMAC1, "PBMAC1-HMAC-SHA-256", pbes2},
		{Legacy, "HMAC-SHA-1", tripleDES},
	}
	for _, test := range tests {
		file := encode(t, newIdentity(t, "P-256").contents("name"), "test", test.profile)
		want := Facts{
			Profile: test.profile, MAC: test.mac, MACIterations: testIterations,
			Safes:   []Protection{{test.cipher, testIterations}, {Clear, 0}},
			KeyBags: []Protection{{test.cipher, testIterations}},
			Counted: false, Keys: 1, Certificates: 0, Iterations: testIterations,
		}
		facts, err := Inspect(file)
		must(t, err)
		if diff := cmp.Diff(want, *facts); diff != "" {
			t.Errorf("%s without password: %s", test.profile, diff)
		}
		want.Counted, want.Certificates, want.Places = true, 2, []Place{{Safe: 1}}
		if diff := cmp.Diff(want, decode(t, file, "test").Facts); diff != "" {
			t.Errorf("%s with password: %s", test.profile, diff)
		}
	}
}

func TestEncodeUsesNoOtherRandomness(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	for _, profile := range knownProfiles {
		var files [][]byte
		for range 2 {
			file, err := Encode(context.Background(), seeded(1), contents, []byte("test"), Options{Profile: profile, Iterations: 1})
			must(t, err)
			files = append(files, file)
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("%s: two files from the same random numbers differ", profile)
		}
		other, err := Encode(context.Background(), seeded(2), contents, []byte("test"), Options{Profile: profile, Iterations: 1})
		must(t, err)
		if bytes.Equal(files[0], other) {
			t.Errorf("%s: two files from different random numbers are the same", profile)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	id := newIdentity(t, "P-256")
	good := id.contents("name")
	costly, err := AssembleShrouded(make([]byte, 16), MaxIterations, make([]byte, 16), make([]byte, 16))
	must(t, err)
	costly = bytes.Replace(costly, []byte{0x98, 0x96, 0x80}, []byte{0x98, 0x96, 0x81}, 1)
	var limit *LimitError
	var broken *DamagedError
	tests := []struct {
		name     string
		contents Contents
		password string
		options  Options
		want     any
	}{
		{"nothing", Contents{}, "test", Options{}, ErrNothingToEncode},
		{"no BMP", good, "🔑", Options{Iterations: 1}, ErrPasswordNotBMP},
		{"no BMP with PBMAC1", good, "🔑", Options{Profile: PBMAC1, Iterations: 1}, ErrPasswordNotBMP},
		{"no UTF-8", good, "\xff", Options{Iterations: 1}, ErrPasswordNotUTF8},
		{"profile", good, "test", Options{Profile: "best"}, ErrProfile},
		{"other", good, "test", Options{Profile: Other}, ErrProfile},
		{"too many iterations", good, "test", Options{Iterations: MaxIterations + 1}, &limit},
		{"negative iterations", good, "test", Options{Iterations: -1}, &limit},
		{"key in no form", Contents{Keys: []Key{{}}}, "test", Options{}, ErrKeyForm},
		{"key in both forms", Contents{Keys: []Key{{PKCS8: id.pkcs8, Shrouded: id.pkcs8}}}, "test", Options{}, ErrKeyForm},
		{"key damaged", Contents{Keys: []Key{{PKCS8: id.pkcs8[1:]}}}, "test", Options{}, &broken},
		{"key with more after it", Contents{Keys: []Key{{PKCS8: append(id.pkcs8[:len(id.pkcs8):len(id.pkcs8)], 0)}}}, "test", Options{}, &broken},
		{"shrouded key damaged", Contents{Keys: []Key{{Shrouded: id.pkcs8}}}, "test", Options{}, &broken},
		{"shrouded key that nobody could read back", Contents{Keys: []Key{{Shrouded: costly}}}, "test", Options{Iterations: 1}, &limit},
		{"certificate damaged", Contents{Certificates: []Certificate{{DER: id.leaf[:20]}}}, "test", Options{}, &broken},
		{"name is no UTF-8", Contents{Certificates: []Certificate{{DER: id.leaf, FriendlyName: "\xff"}}}, "test", Options{}, &broken},
		{"attribute without a type", Contents{Certificates: []Certificate{{DER: id.leaf, Attributes: []Attribute{{}}}}}, "test", Options{Iterations: 1}, &broken},
		{"attribute that is no DER", Contents{Certificates: []Certificate{{DER: id.leaf, Attributes: []Attribute{{"1.2.3", []byte{5}}}}}}, "test", Options{}, &broken},
		{"attribute that is BER", Contents{Keys: []Key{{PKCS8: id.pkcs8, Attributes: []Attribute{{"1.2.3", []byte{0x30, 0x80, 0, 0}}}}}}, "test", Options{}, &broken},
		{"too many bags", Contents{Certificates: make([]Certificate, maxBags+1)}, "test", Options{}, &limit},
		{"too many attributes", Contents{Certificates: []Certificate{{DER: id.leaf, Attributes: make([]Attribute, maxAttributes)}}}, "test", Options{}, &limit},
		{"too big", Contents{Certificates: []Certificate{{DER: sequence(maxFileSize)}}}, "test", Options{}, &limit},
	}
	for _, test := range tests {
		file, err := Encode(context.Background(), rand.Reader, test.contents, []byte(test.password), test.options)
		if file != nil {
			t.Errorf("%s: there is a file", test.name)
		}
		if !isError(err, test.want) {
			t.Errorf("%s: error is %v, not %T", test.name, err, test.want)
		}
	}
}

// isError takes a sentinel or a pointer to a variable of an error type.
func isError(err error, want any) bool {
	if sentinel, ok := want.(error); ok {
		return errors.Is(err, sentinel)
	}
	return errors.As(err, want)
}

// sequence is a SEQUENCE of length bytes that says nothing.
func sequence(length int) []byte {
	return append(appendLength([]byte{0x30}, length), make([]byte, length)...)
}

func TestEncodeFailsWithoutRandomness(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	for available := range 4 * 16 {
		_, err := Encode(context.Background(), bytes.NewReader(make([]byte, available)), contents, []byte("test"), Options{Profile: Modern, Iterations: 1})
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Errorf("%d random bytes: %v", available, err)
		}
	}
}

func TestEncodeEndsWithItsContext(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	for _, profile := range knownProfiles {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		_, err := Encode(ctx, rand.Reader, contents, []byte("test"), Options{Profile: profile, Iterations: 500_000})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", profile, err)
		}
	}
}
