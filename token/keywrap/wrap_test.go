package keywrap

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The vectors are those of RFC 5649 section 6 and RFC 3394 section 4.
func TestWrapVectors(t *testing.T) {
	for _, row := range []struct {
		name, kek, key, wrapped string
		wrap                    func(kek, key []byte) ([]byte, error)
	}{
		{"RFC 5649, 20 bytes", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "c37b7e6492584340bed12207808941155068f738",
			"138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a", WrapRFC5649},
		{"RFC 5649, 7 bytes", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f", WrapRFC5649},
		{"RFC 3394, 16 bytes under 16", "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
			"1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5", wrapExact},
		{"RFC 3394, 32 bytes under 32", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
			"00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
			"28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21", wrapExact},
	} {
		t.Run(row.name, func(t *testing.T) {
			key := fromHex(t, row.key)
			wrapped, err := row.wrap(fromHex(t, row.kek), key)
			if err != nil || hex.EncodeToString(wrapped) != row.wrapped {
				t.Errorf("%x, %v", wrapped, err)
			}
			if hex.EncodeToString(key) != row.key {
				t.Error("the key was changed")
			}
		})
	}
	for _, key := range [][]byte{nil, make([]byte, maxWrapped+1)} {
		if _, err := WrapRFC5649(make([]byte, 32), key); err == nil {
			t.Errorf("%d bytes were wrapped", len(key))
		}
	}
	if _, err := wrapExact(make([]byte, 32), make([]byte, 8)); err == nil {
		t.Error("RFC 3394 wrapped a single block")
	}
}

func wrapExact(kek, key []byte) ([]byte, error) { return WrapPadded(kek, key, PadZero(key)) }

// FuzzWrap holds each dialect against the reader that undoes them all: the key comes back, with the padding that belongs to
// the dialect and no other.
func FuzzWrap(f *testing.F) {
	for _, size := range []int{1, 7, 8, 9, 16, 31, 32, 138, 1218} {
		f.Add(bytes.Repeat([]byte{0x30}, size), byte(size))
	}
	f.Fuzz(func(t *testing.T, key []byte, seed byte) {
		if len(key) == 0 || len(key) > 4096 {
			return
		}
		kek := bytes.Repeat([]byte{seed}, 32)
		original := bytes.Clone(key)
		wrapped, err := WrapRFC5649(kek, key)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Unwrap(kek, wrapped); err != nil || !bytes.Equal(back, key) {
			t.Fatalf("RFC 5649: %x, %v", back, err)
		}
		if len(key) > 8 {
			for name, padded := range map[string][]byte{"zeros": PadZero(key), "PKCS#7": PadPKCS7(key, 8)} {
				want := bytes.Clone(padded)
				wrapped, err := WrapPadded(kek, key, padded)
				if err != nil {
					t.Fatal(err)
				}
				if back, err := Unwrap(kek, wrapped); err != nil || !bytes.Equal(back, want) {
					t.Fatalf("RFC 3394 over %s: %x, %v", name, back, err)
				}
				if !allZero(padded) {
					t.Fatal("the padded copy was not wiped")
				}
			}
		}
		if !bytes.Equal(key, original) {
			t.Fatal("the key was changed")
		}
	})
}
