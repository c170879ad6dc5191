package pfx

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Trailing zero bytes are not among them: HMAC pads its key with zeros, so that PBKDF2 cannot see them.
func TestDecodeReportsAWrongPassword(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	for _, profile := range knownProfiles {
		file := encode(t, contents, "test", profile)
		for _, password := range []string{"", "tes", "test ", "Test", "test\x01"} {
			if _, err := Decode(context.Background(), file, []byte(password), DecodeOptions{}); !errors.Is(err, ErrPassword) {
				t.Errorf("%s, password %q: %v", profile, password, err)
			}
		}
		if _, err := Decode(context.Background(), file, []byte("\xff"), DecodeOptions{}); !errors.Is(err, ErrPasswordNotUTF8) {
			t.Errorf("%s: %v", profile, err)
		}
	}
}

// Nothing is written under a password that a BMPString cannot hold; one that is wrong is wrong.
func TestDecodeTriesWhatIsNeverWritten(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	for _, profile := range knownProfiles {
		_, err := Decode(context.Background(), encode(t, contents, "test", profile), []byte("🔑"), DecodeOptions{})
		if !errors.Is(err, ErrPassword) {
			t.Errorf("%s: %v", profile, err)
		}
		if _, err := Encode(context.Background(), seeded(1), contents, []byte("🔑"), Options{Profile: profile, Iterations: 1}); !errors.Is(err, ErrPasswordNotBMP) {
			t.Errorf("%s was written: %v", profile, err)
		}
	}
}

func TestDecodeOfATruncatedFile(t *testing.T) {
	for _, profile := range knownProfiles {
		file := encode(t, newIdentity(t, "P-256").contents("name"), "test", profile)
		for length := range file {
			var broken *DamagedError
			if _, err := Decode(context.Background(), file[:length], []byte("test"), DecodeOptions{}); !errors.As(err, &broken) {
				t.Fatalf("%s, first %d bytes: %v", profile, length, err)
			}
			if _, err := Inspect(file[:length]); !errors.As(err, &broken) {
				t.Fatalf("%s, first %d bytes: inspect: %v", profile, length, err)
			}
		}
		for _, behind := range []string{"\n", "\x00", "\r\n\r\n", strings.Repeat("x", 5000)} {
			contents, err := Decode(context.Background(), append(slices.Clone(file), behind...), []byte("test"), DecodeOptions{})
			if err != nil || contents.Facts.Trailing != len(behind) || len(contents.Keys) != 1 {
				t.Errorf("%s, %d bytes more: %v", profile, len(behind), err)
			}
		}
	}
}

// One bit of every byte is flipped: nothing goes unnoticed but the field that PBMAC1 leaves unused.
func TestDecodeOfAnAlteredFile(t *testing.T) {
	for _, profile := range knownProfiles {
		contents := newIdentity(t, "P-256").contents("name")
		file, err := Encode(context.Background(), seeded(3), contents, []byte("test"), Options{Profile: profile, Iterations: 3})
		must(t, err)
		accepted := 0
		for i := range file {
			altered := slices.Clone(file)
			altered[i] ^= 1 << (i % 8)
			got, err := Decode(context.Background(), altered, []byte("test"), DecodeOptions{MaxIterations: 1000})
			var broken *DamagedError
			var limit *LimitError
			var unsupported *UnsupportedError
			switch {
			case err == nil:
				accepted++
				if diff := cmp.Diff(contents, *got, ignoreFacts); diff != "" {
					t.Errorf("%s, byte %d altered: different contents", profile, i)
				}
			case errors.Is(err, ErrPassword), errors.As(err, &broken), errors.As(err, &limit), errors.As(err, &unsupported):
			default:
				t.Errorf("%s, byte %d altered: %v", profile, i, err)
			}
		}
		if bound := map[Profile]int{PBMAC1: len(unusedSalt)}[profile]; accepted > bound {
			t.Errorf("%s: %d altered files were accepted", profile, accepted)
		}
	}
}

func TestDecodeKeepsIterationsInBounds(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	for _, profile := range knownProfiles {
		file := encode(t, contents, "test", profile)
		if _, err := Decode(context.Background(), file, []byte("test"), DecodeOptions{MaxIterations: testIterations}); err != nil {
			t.Errorf("%s at the limit: %v", profile, err)
		}
		var limit *LimitError
		_, err := Decode(context.Background(), file, []byte("test"), DecodeOptions{MaxIterations: testIterations - 1})
		if !errors.As(err, &limit) || limit.What != LimitIterations || limit.Value != testIterations {
			t.Errorf("%s above the limit: %v", profile, err)
		}
	}
	_, err := Decode(context.Background(), nil, nil, DecodeOptions{MaxIterations: -1})
	var limit *LimitError
	if !errors.As(err, &limit) {
		t.Errorf("negative limit: %v", err)
	}
}

func TestDecodeBoundsTheSumOfIterations(t *testing.T) {
	id := newIdentity(t, "P-256")
	var contents Contents
	for range totalFactor {
		contents.Keys = append(contents.Keys, Key{PKCS8: id.pkcs8})
	}
	file := encode(t, contents, "test", Modern)
	var limit *LimitError
	_, err := Decode(context.Background(), file, []byte("test"), DecodeOptions{MaxIterations: testIterations})
	if !errors.As(err, &limit) || limit.What != LimitTotalIterations {
		t.Errorf("error is %v", err)
	}
	if _, err := Decode(context.Background(), file, []byte("test"), DecodeOptions{MaxIterations: testIterations + 5}); err != nil {
		t.Error(err)
	}
}

// The limit must hold before the derivation: this file would take many minutes, and is cut off.
func TestDecodeRefusesWithoutDeriving(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	salt := make([]byte, 16)
	for _, m := range []*mac{newMAC("SHA-256", salt, 2_000_000_000), newPBMAC1(salt, 2_000_000_000)} {
		file := assemble(t, m, nil, clearSafe(t, contents))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		_, err := Decode(ctx, file, []byte("test"), DecodeOptions{})
		cancel()
		var limit *LimitError
		if !errors.As(err, &limit) || limit.What != LimitIterations {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

func TestDecodeEndsWithItsContext(t *testing.T) {
	contents := newIdentity(t, "P-256").contents("name")
	salt := make([]byte, 16)
	for _, m := range []*mac{newMAC("SHA-256", salt, 10_000_000), newPBMAC1(salt, 500_000)} {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		_, err := Decode(ctx, assemble(t, m, nil, clearSafe(t, contents)), []byte("test"), DecodeOptions{})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Decode(ctx, nil, nil, DecodeOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("context that is over: %v", err)
	}
}

func TestDecodeSharesNoMemory(t *testing.T) {
	contents := newIdentity(t, "RSA").contents("name")
	for _, options := range []DecodeOptions{{}, {KeepShrouded: true}} {
		file := encode(t, contents, "test", Modern)
		got, err := Decode(context.Background(), file, []byte("test"), options)
		must(t, err)
		previous := slices.Concat(got.Keys[0].PKCS8, got.Keys[0].Shrouded, got.Certificates[0].DER, got.Keys[0].LocalKeyID)
		clear(file)
		after := slices.Concat(got.Keys[0].PKCS8, got.Keys[0].Shrouded, got.Certificates[0].DER, got.Keys[0].LocalKeyID)
		if !bytes.Equal(previous, after) {
			t.Errorf("%+v: contents changed with the file", options)
		}
		got.Wipe()
		if len(bytes.Trim(got.Keys[0].PKCS8, "\x00")) > 0 {
			t.Errorf("%+v: the key was not wiped", options)
		}
	}
}

// assemble makes a file out of ready ContentInfos, with the MAC m under key, or with none if m is nil.
func assemble(t testing.TB, m *mac, key []byte, infos ...[]byte) []byte {
	t.Helper()
	var authSafe, b cryptobyte.Builder
	authSafe.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, info := range infos {
			b.AddBytes(info)
		}
	})
	content, err := authSafe.Bytes()
	must(t, err)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		addData(b, content)
		if m != nil {
			m.add(b, key, content)
		}
	})
	file, err := b.Bytes()
	must(t, err)
	return file
}

// info makes a ContentInfo of type data with the given bags.
func info(t testing.TB, bags func(*cryptobyte.Builder)) []byte {
	t.Helper()
	var contents, b cryptobyte.Builder
	contents.AddASN1(asn1.SEQUENCE, bags)
	der, err := contents.Bytes()
	must(t, err)
	addData(&b, der)
	file, err := b.Bytes()
	must(t, err)
	return file
}

// clearSafe holds keys and certificates in clear.
func clearSafe(t testing.TB, contents Contents) []byte {
	t.Helper()
	return info(t, func(b *cryptobyte.Builder) {
		for _, k := range contents.Keys {
			addBag(b, oidKeyBag, attributes{k.FriendlyName, k.LocalKeyID, k.Attributes}, func(b *cryptobyte.Builder) { b.AddBytes(k.PKCS8) })
		}
		for _, c := range contents.Certificates {
			addCertBag(b, c)
		}
	})
}
