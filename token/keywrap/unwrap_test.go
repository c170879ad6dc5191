package keywrap

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"testing"
)

// TestUnwrapVectors takes all vectors of RFC 3394 section 4 and of RFC 5649 section 6 the way back, and damages them.
func TestUnwrapVectors(t *testing.T) {
	const kek16, kek24, kek32 = "000102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0f1011121314151617",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	const data = "00112233445566778899aabbccddeeff"
	for _, row := range []struct{ name, kek, key, wrapped string }{
		{"RFC 3394 4.1", kek16, data, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
		{"RFC 3394 4.2", kek24, data, "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"},
		{"RFC 3394 4.3", kek32, data, "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"},
		{"RFC 3394 4.4", kek24, data + "0001020304050607", "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"},
		{"RFC 3394 4.5", kek32, data + "0001020304050607", "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1"},
		{"RFC 3394 4.6", kek32, data + kek16, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
		{"RFC 5649, 20 bytes", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "c37b7e6492584340bed12207808941155068f738",
			"138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
		{"RFC 5649, 7 bytes", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
	} {
		t.Run(row.name, func(t *testing.T) {
			kek, wrapped := fromHex(t, row.kek), fromHex(t, row.wrapped)
			got, err := Unwrap(kek, wrapped)
			if err != nil || hex.EncodeToString(got) != row.key {
				t.Fatalf("%x, %v", got, err)
			}
			if hex.EncodeToString(wrapped) != row.wrapped {
				t.Error("the wrapped key was changed")
			}
			for i := range len(wrapped) * 8 {
				damaged := bytes.Clone(wrapped)
				damaged[i/8] ^= 1 << (i % 8)
				if _, err := Unwrap(kek, damaged); !errors.Is(err, errKeyWrapIntegrity) {
					t.Errorf("bit %d flipped: %v", i, err)
				}
			}
			kek[0] ^= 1
			if _, err := Unwrap(kek, wrapped); !errors.Is(err, errKeyWrapIntegrity) {
				t.Errorf("under another key: %v", err)
			}
		})
	}
	for _, size := range []int{0, 1, 8, 15, 17, 23, maxWrapped + 8} {
		if _, err := Unwrap(make([]byte, 32), make([]byte, size)); err == nil || errors.Is(err, errKeyWrapIntegrity) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for _, size := range []int{0, 1, 15, 17, 33} {
		if _, err := Unwrap(make([]byte, size), make([]byte, 24)); err == nil || errors.Is(err, errKeyWrapIntegrity) {
			t.Errorf("a wrapping key of %d bytes: %v", size, err)
		}
	}
}

// TestUnwrapChecksRFC5649 wraps, by RFC 3394's own blocks, what RFC 5649 forbids: a length that does not fit, and padding
// that is not zero.
func TestUnwrapChecksRFC5649(t *testing.T) {
	kek := make([]byte, 16)
	for _, row := range []struct {
		name string
		iv   string
		data string
		ok   bool
	}{
		{"whole", "a65959a600000010", "30313233343536373031323334353637", true},
		{"padded by seven", "a65959a600000009", "30313233343536373000000000000000", true},
		{"padded by eight", "a65959a600000008", "30313233343536370000000000000000", false},
		{"longer than the data", "a65959a600000011", "30313233343536373031323334353637", false},
		{"absurdly long", "a65959a6ffffffff", "30313233343536373031323334353637", false},
		{"of no length", "a65959a600000000", "00000000000000000000000000000000", false},
		{"padding that is not zero", "a65959a60000000f", "30313233343536373031323334353601", false},
		{"a single block", "a65959a600000008", "3031323334353637", true},
		{"a single block by RFC 3394", "a6a6a6a6a6a6a6a6", "3031323334353637", false},
		{"another initial value", "a65959a700000010", "30313233343536373031323334353637", false},
	} {
		wrapped := wrapBlocksWith(t, kek, fromHex(t, row.iv), fromHex(t, row.data))
		if _, err := Unwrap(kek, wrapped); (err == nil) != row.ok {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// wrapBlocksWith is the wrapping process of RFC 3394 section 2.2.1, written a second time, with any initial value.
func wrapBlocksWith(t *testing.T, kek, iv, data []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(kek)
	if err != nil {
		t.Fatal(err)
	}
	out := append(bytes.Clone(iv), data...)
	if len(data) == 8 {
		block.Encrypt(out, out)
		return out
	}
	n := len(data) / 8
	for j := range 6 {
		for i := 1; i <= n; i++ {
			b := append(bytes.Clone(out[:8]), out[i*8:i*8+8]...)
			block.Encrypt(b, b)
			for k, counter := 7, n*j+i; counter > 0; k, counter = k-1, counter>>8 {
				b[k] ^= byte(counter)
			}
			copy(out, b[:8])
			copy(out[i*8:], b[8:])
		}
	}
	return out
}

// TestTrimPKCS7 has what tokens leave behind a key: NSS's padding goes, everything else stays for the parser to judge.
func TestTrimPKCS7(t *testing.T) {
	for _, row := range []struct{ name, in, out string }{
		{"nothing behind it", "30020500", "30020500"},
		{"one byte", "300305000001", "3003050000"},
		{"a whole block of 8", "300405000500" + "0808080808080808", "300405000500"},
		{"a whole block of 16", "3000" + "10101010101010101010101010101010", "3000"},
		{"more than a block", "3000" + "1111111111111111111111111111111111", "3000" + "1111111111111111111111111111111111"},
		{"zeros", "30000000", "30000000"},
		{"too few", "300003", "300003"},
		{"not all the same", "300002" + "03", "30000203"},
		{"a long length", "308180" + string(bytes.Repeat([]byte("00"), 128)) + "0202", "308180" + string(bytes.Repeat([]byte("00"), 128))},
		{"no DER", "0401", "0401"},
		{"longer than what is there", "30050202", "30050202"},
		{"an indefinite length", "308002020202", "308002020202"},
		{"a length of four bytes", "308400000001000101", "308400000001000101"},
		{"a length that is cut off", "3082", "3082"},
		{"a single byte", "30", "30"},
		{"nothing", "", ""},
	} {
		if got := hex.EncodeToString(TrimPKCS7(fromHex(t, row.in))); got != row.out {
			t.Errorf("%s: %s, not %s", row.name, got, row.out)
		}
	}
}

// TestDialects wraps one key as SoftHSM does, as the specification reads today, and as NSS does; each comes out as the key.
func TestDialects(t *testing.T) {
	kek := bytes.Repeat([]byte{7}, 32)
	key := append([]byte{0x30, 0x15}, bytes.Repeat([]byte{0xAB}, 0x15)...)
	for name, wrap := range map[string]func() ([]byte, error){
		"RFC 5649":                   func() ([]byte, error) { return WrapRFC5649(kek, key) },
		"RFC 3394 over PKCS#7":       func() ([]byte, error) { return WrapPadded(kek, key, PadPKCS7(key, 8)) },
		"RFC 3394 over PKCS#7 of 16": func() ([]byte, error) { return WrapPadded(kek, key, PadPKCS7(key, aes.BlockSize)) },
	} {
		wrapped, err := wrap()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Unwrap(kek, wrapped)
		if err != nil || !bytes.Equal(TrimPKCS7(got), key) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	wrapped, err := WrapPadded(kek, key, PadZero(key))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Unwrap(kek, wrapped); err != nil || !bytes.Equal(got, PadZero(key)) {
		t.Errorf("RFC 3394 over zeros: %x, %v", got, err)
	}
}

// TestEncryptCBC holds the shroud's own dialect against the standard library.
func TestEncryptCBC(t *testing.T) {
	kek, iv, key := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 16), []byte("a key of 21 bytes ...")
	encrypted, err := EncryptCBC(kek, iv, key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(kek)
	if err != nil {
		t.Fatal(err)
	}
	clear := make([]byte, len(encrypted))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(clear, encrypted)
	if want := append(bytes.Clone(key), bytes.Repeat([]byte{11}, 11)...); !bytes.Equal(clear, want) {
		t.Errorf("%x", clear)
	}
}

// FuzzUnwrapKeyData takes whatever a module may call a wrapped key: nothing panics, what is not wrapped under the key is
// refused, and the input stays as it was.
func FuzzUnwrapKeyData(f *testing.F) {
	f.Add([]byte{1}, []byte{}, true)
	f.Add([]byte{2}, bytes.Repeat([]byte{0x30}, 24), false)
	f.Add([]byte{3}, append([]byte{0x30, 0x06}, bytes.Repeat([]byte{9}, 14)...), true)
	f.Add([]byte{4}, bytes.Repeat([]byte{0xA6}, 16), false)
	f.Fuzz(func(t *testing.T, seed, data []byte, wrapFirst bool) {
		kek := make([]byte, 32)
		copy(kek, seed)
		wrapped := data
		if wrapFirst && len(data) > 0 && len(data) < maxWrapped/2 {
			var err error
			if wrapped, err = WrapRFC5649(kek, bytes.Clone(data)); err != nil {
				t.Fatal(err)
			}
		}
		original := bytes.Clone(wrapped)
		got, err := Unwrap(kek, wrapped)
		if !bytes.Equal(wrapped, original) {
			t.Fatal("the input was changed")
		}
		if wrapFirst && len(data) > 0 && len(data) < maxWrapped/2 && (err != nil || !bytes.Equal(got, data)) {
			t.Fatalf("%x, %v", got, err)
		}
		if (err == nil) != (got != nil) {
			t.Fatalf("%d bytes and the error %v", len(got), err)
		}
		trimmed := TrimPKCS7(got)
		if !bytes.HasPrefix(got, trimmed) || len(got)-len(trimmed) > aes.BlockSize {
			t.Fatal("more than padding was cut")
		}
	})
}
