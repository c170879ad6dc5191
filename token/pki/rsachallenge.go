package pki

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"io"
	"math/big"
)

// PKCS1Block is the block of EMSA-PKCS1-v1_5 (RFC 8017 section 9.2) for a SHA-256 digest, as long as the modulus: what
// CKM_RSA_X_509 makes an RSASSA-PKCS1-v1_5 signature of. The error is *MalformedError, or *UnsupportedError for a modulus that
// is too short.
func (k PublicKey) PKCS1Block(sha256Digest []byte) ([]byte, error) {
	n, _, err := k.rsaNumbers()
	if err != nil {
		return nil, err
	}
	return encodePKCS1(crypto.SHA256, sha256Digest, (n.BitLen()+7)/8)
}

// Encrypt is RSAES-PKCS1-v1_5 (RFC 8017 section 7.2.1), which every RSA token knows. It is for a challenge, which need not
// stay secret: the private key that decrypts it shows that it is this key's. The error is *MalformedError, *UnsupportedError
// for a message that is too long for the key, or comes from random.
func (k PublicKey) Encrypt(random io.Reader, message []byte) ([]byte, error) {
	n, e, err := k.rsaNumbers()
	if err != nil {
		return nil, err
	}
	size := (n.BitLen() + 7) / 8
	padding := size - len(message) - 3
	if padding < 8 {
		return nil, &UnsupportedError{Algorithm: fmt.Sprintf("RSA of %d bits for %d bytes", n.BitLen(), len(message))}
	}
	block := make([]byte, size)
	block[1] = 2
	if _, err := io.ReadFull(random, block[2:2+padding]); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	for i := range block[2 : 2+padding] {
		if block[2+i] == 0 { // the padding ends at the first zero
			block[2+i] = 0x5a
		}
	}
	copy(block[size-len(message):], message)
	c := new(big.Int).SetBytes(block)
	return c.Exp(c, e, n).FillBytes(make([]byte, size)), nil
}

// EncryptOAEP is RSAES-OAEP (RFC 8017 section 7.1.1) with an empty label and the hash for its mask as well, for keys and tokens that
// decrypt in no other way. The errors are those of Encrypt; *UnsupportedError too for a key that crypto/rsa takes for too short.
func (k PublicKey) EncryptOAEP(random io.Reader, hash crypto.Hash, message []byte) ([]byte, error) {
	n, e, err := k.rsaNumbers()
	if err != nil {
		return nil, err
	}
	if !e.IsInt64() || int64(int(e.Int64())) != e.Int64() {
		return nil, &UnsupportedError{Algorithm: "RSA with a public exponent of " + fmt.Sprint(e.BitLen()) + " bits"}
	}
	ciphertext, err := rsa.EncryptOAEP(hash.New(), random, &rsa.PublicKey{N: n, E: int(e.Int64())}, message, nil)
	if err != nil {
		return nil, &UnsupportedError{Algorithm: fmt.Sprintf("RSA of %d bits with RSAES-OAEP and %s", n.BitLen(), hash)}
	}
	return ciphertext, nil
}
