package pfx

import (
	"bytes"
	"crypto/cipher"
	"slices"
	"testing"
)

func TestCiphersOpenOnlyGoodPadding(t *testing.T) {
	for _, c := range append(slices.Concat(pbes2Ciphers, pkcs12Ciphers), *rc2CBC(16, 128)) {
		if c.new == nil {
			continue // RC4 has no padding
		}
		key, iv := bytes.Repeat([]byte{7}, c.keySize), make([]byte, c.block)
		for i := range key {
			key[i] += byte(i)
		}
		for length := range 2*c.block + 1 {
			plaintext := bytes.Repeat([]byte{9}, length)
			sealed, err := c.seal(key, iv, plaintext)
			must(t, err)
			opened, ok := c.open(key, iv, sealed)
			if !ok || !bytes.Equal(opened, plaintext) || len(sealed) != length/c.block*c.block+c.block {
				t.Errorf("%s, %d bytes: %x, %v", c.name, length, opened, ok)
			}
		}
		raw := func(plaintext ...byte) []byte {
			block, err := c.new(key)
			must(t, err)
			sealed := make([]byte, len(plaintext))
			cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, plaintext)
			return sealed
		}
		last := func(bytes ...byte) []byte {
			return raw(append(make([]byte, 2*c.block-len(bytes)), bytes...)...)
		}
		for name, sealed := range map[string][]byte{
			"nothing":            nil,
			"part of a block":    last(1)[1:],
			"no padding":         last(0),
			"too much padding":   raw(bytes.Repeat([]byte{byte(c.block + 1)}, 2*c.block)...),
			"more than there is": last(255),
			"unequal padding":    last(2, 3, 3),
		} {
			if opened, ok := c.open(key, iv, sealed); ok {
				t.Errorf("%s, %s: %x", c.name, name, opened)
			}
		}
	}
}
