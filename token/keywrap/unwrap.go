// Package keywrap is AES key wrapping in software: RFC 3394, RFC 5649, and CKM_AES_CBC_PAD, with the dialects that tokens
// speak. Unwrap opens what a token wrapped; the others make what a token unwraps. Keys and results are plain bytes, which
// the caller wipes.
package keywrap

import (
	"bytes"
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"p11bridge/token/secret"
)

// The initial values that tell RFC 3394 from RFC 5649.
var (
	ivRFC3394 = []byte{0xA6, 0xA6, 0xA6, 0xA6, 0xA6, 0xA6, 0xA6, 0xA6}
	ivRFC5649 = []byte{0xA6, 0x59, 0x59, 0xA6} // then the length, 4 bytes big-endian
)

// errKeyWrapIntegrity means that the wrapped key was damaged, or wrapped under another key.
var errKeyWrapIntegrity = errors.New("aes key wrap: the integrity check failed")

// maxWrapped bounds what a module may return as a wrapped key; RSA 16384 stays below it.
const maxWrapped = 64 << 10

// Unwrap undoes an AES key wrap in any of the dialects that tokens speak under CKM_AES_KEY_WRAP,
// CKM_AES_KEY_WRAP_PAD and CKM_AES_KEY_WRAP_KWP: RFC 3394, or RFC 5649 with its own padding. What the token padded before
// it wrapped (zeros, or PKCS#7) is still there. The caller wipes the result.
func Unwrap(kek, wrapped []byte) ([]byte, error) {
	if len(wrapped) < 16 || len(wrapped)%8 != 0 || len(wrapped) > maxWrapped {
		return nil, fmt.Errorf("aes key wrap: %d bytes are no wrapped key", len(wrapped))
	}
	iv, data, err := unwrapBlocks(kek, wrapped)
	if err != nil {
		return nil, err
	}
	if len(data) >= 16 && subtle.ConstantTimeCompare(iv, ivRFC3394) == 1 {
		return data, nil
	}
	length := uint64(binary.BigEndian.Uint32(iv[4:]))
	fits := length > uint64(len(data)-8) && length <= uint64(len(data))
	if subtle.ConstantTimeCompare(iv[:4], ivRFC5649) != 1 || !fits || !allZero(data[length:]) {
		secret.Wipe(data)
		return nil, errKeyWrapIntegrity
	}
	return data[:length], nil
}

// unwrapBlocks is the inverse of the wrapping process (RFC 3394 §2.2.2; RFC 5649 §4.2 for a single block).
func unwrapBlocks(kek, wrapped []byte) (iv, data []byte, err error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, nil, fmt.Errorf("aes key wrap: %w", err)
	}
	if len(wrapped) == 16 {
		clear := make([]byte, 16)
		block.Decrypt(clear, wrapped)
		return clear[:8], clear[8:], nil
	}
	n := len(wrapped)/8 - 1
	a := bytes.Clone(wrapped[:8])
	data = bytes.Clone(wrapped[8:])
	var buffer [16]byte
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			binary.BigEndian.PutUint64(buffer[:8], binary.BigEndian.Uint64(a)^uint64(n*j+i))
			copy(buffer[8:], data[(i-1)*8:i*8])
			block.Decrypt(buffer[:], buffer[:])
			copy(a, buffer[:8])
			copy(data[(i-1)*8:], buffer[8:])
		}
	}
	secret.Wipe(buffer[:])
	return a, data, nil
}

// TrimPKCS7 cuts the PKCS#7 padding that NSS puts around a key before it wraps it, told from the key's own last bytes by
// the length of the DER value. Other trailing bytes stay, for the parser to accept or refuse.
func TrimPKCS7(der []byte) []byte {
	length, ok := derLength(der)
	if !ok || length >= len(der) {
		return der
	}
	padding := der[length:]
	if n := int(padding[0]); n != len(padding) || n > aes.BlockSize || bytes.Count(padding, padding[:1]) != n {
		return der
	}
	return der[:length]
}

// derLength is the length in bytes, header included, of the DER value that data begins with.
func derLength(data []byte) (int, bool) {
	if len(data) < 2 || data[0] != 0x30 {
		return 0, false
	}
	if data[1] < 0x80 {
		return 2 + int(data[1]), true
	}
	n := int(data[1] & 0x7F)
	if n == 0 || n > 3 || len(data) < 2+n {
		return 0, false
	}
	length := 0
	for _, b := range data[2 : 2+n] {
		length = length<<8 | int(b)
	}
	return 2 + n + length, true
}

func allZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
