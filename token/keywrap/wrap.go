package keywrap

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"p11bridge/token/secret"
)

// WrapRFC5649 is AES key wrap with padding (RFC 5649 §4.1), the inverse of Unwrap.
func WrapRFC5649(kek, key []byte) ([]byte, error) {
	if len(key) == 0 || len(key) > maxWrapped {
		return nil, fmt.Errorf("aes key wrap: %d bytes are no key", len(key))
	}
	iv := binary.BigEndian.AppendUint32(bytes.Clone(ivRFC5649), uint32(len(key)))
	padded := PadZero(key)
	defer secret.Wipe(padded)
	return wrapBlocks(kek, iv, padded)
}

// WrapPadded is AES key wrap (RFC 3394 §2.2.1) of a key that was padded for it. The padded copy is wiped.
func WrapPadded(kek, key, padded []byte) ([]byte, error) {
	defer secret.Wipe(padded)
	if len(padded) < 16 || len(padded) > maxWrapped {
		return nil, fmt.Errorf("aes key wrap: %d bytes are no key", len(key))
	}
	return wrapBlocks(kek, ivRFC3394, padded)
}

// wrapBlocks is the wrapping process (RFC 3394 §2.2.1; RFC 5649 §4.1 for a single block). data is a multiple of 8 bytes.
func wrapBlocks(kek, iv, data []byte) ([]byte, error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fmt.Errorf("aes key wrap: %w", err)
	}
	out := append(bytes.Clone(iv), data...)
	if len(data) == 8 {
		block.Encrypt(out, out)
		return out, nil
	}
	n := len(data) / 8
	var buffer [16]byte
	defer secret.Wipe(buffer[:])
	for j := range 6 {
		for i := 1; i <= n; i++ {
			copy(buffer[:8], out[:8])
			copy(buffer[8:], out[i*8:])
			block.Encrypt(buffer[:], buffer[:])
			binary.BigEndian.PutUint64(out[:8], binary.BigEndian.Uint64(buffer[:8])^uint64(n*j+i))
			copy(out[i*8:], buffer[8:])
		}
	}
	return out, nil
}

// PadZero gives a copy with zeros up to a multiple of 8 bytes.
func PadZero(key []byte) []byte {
	padded := make([]byte, (len(key)+7)&^7)
	copy(padded, key)
	return padded
}

// PadPKCS7 gives a copy with PKCS#7 padding (RFC 5652 §6.3).
func PadPKCS7(key []byte, size int) []byte {
	padding := size - len(key)%size
	padded := make([]byte, len(key)+padding)
	n := copy(padded, key)
	for i := range padding {
		padded[n+i] = byte(padding)
	}
	return padded
}

// EncryptCBC is AES-CBC with PKCS#7 padding, what CKM_AES_CBC_PAD undoes (PKCS#11 v3.1 §6.13.5).
func EncryptCBC(kek, iv, key []byte) ([]byte, error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fmt.Errorf("aes cbc: %w", err)
	}
	padded := PadPKCS7(key, aes.BlockSize)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	return padded, nil
}
