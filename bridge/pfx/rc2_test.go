package pfx

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// The vectors of RFC 2268, section 5.
func TestRC2Vectors(t *testing.T) {
	tests := []struct {
		bits                       int
		key, plaintext, ciphertext string
	}{
		{63, "0000000000000000", "0000000000000000", "ebb773f993278eff"},
		{64, "ffffffffffffffff", "ffffffffffffffff", "278b27e42e2f0d49"},
		{64, "3000000000000000", "1000000000000001", "30649edf9be7d2c2"},
		{64, "88", "0000000000000000", "61a8a244adacccf0"},
		{64, "88bca90e90875a", "0000000000000000", "6ccf4308974c267f"},
		{64, "88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "1a807d272bbe5db1"},
		{128, "88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "2269552ab0f85ca6"},
		{129, "88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e", "0000000000000000", "5b78d3a43dfff1f1"},
	}
	for _, test := range tests {
		c, err := newRC2Bits(unhex(t, test.key), test.bits)
		must(t, err)
		got := make([]byte, 8)
		c.Encrypt(got, unhex(t, test.plaintext))
		if !bytes.Equal(got, unhex(t, test.ciphertext)) {
			t.Errorf("key %s, %d bits: ciphertext %x", test.key, test.bits, got)
		}
		c.Decrypt(got, got)
		if !bytes.Equal(got, unhex(t, test.plaintext)) {
			t.Errorf("key %s, %d bits: plaintext %x", test.key, test.bits, got)
		}
	}
}

func TestRC2TableIsAPermutation(t *testing.T) {
	var seen [256]bool
	for _, b := range rc2Pi {
		if seen[b] {
			t.Errorf("%#x stands there twice", b)
		}
		seen[b] = true
	}
}

func TestRC2RefusesKeySizes(t *testing.T) {
	for _, size := range []int{0, 129} {
		if _, err := newRC2(make([]byte, size)); !errors.Is(err, errRC2KeySize) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	must(t, err)
	return data
}
