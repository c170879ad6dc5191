package pfx

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
)

// blockCipher is a cipher in CBC mode with the padding of RFC 8018, section 6.1.1.
type blockCipher struct {
	name    string
	oid     string
	keySize int
	block   int
	new     func(key []byte) (cipher.Block, error)
}

// pbes2Ciphers are the encryption schemes of PBES2 (RFC 8018, appendix B.2).
var pbes2Ciphers = []blockCipher{
	{"AES-128-CBC", "2.16.840.1.101.3.4.1.2", 16, 16, aes.NewCipher},
	{"AES-192-CBC", "2.16.840.1.101.3.4.1.22", 24, 16, aes.NewCipher},
	{"AES-256-CBC", "2.16.840.1.101.3.4.1.42", 32, 16, aes.NewCipher},
	{"DES-EDE3-CBC", "1.2.840.113549.3.7", 24, 8, des.NewTripleDESCipher},
}

// pkcs12Ciphers are the schemes of RFC 7292, appendix C, without the stream cipher RC4.
var pkcs12Ciphers = []blockCipher{
	{"pbeWithSHAAnd3-KeyTripleDES-CBC", "1.2.840.113549.1.12.1.3", 24, 8, des.NewTripleDESCipher},
	{"pbeWithSHAAnd2-KeyTripleDES-CBC", "1.2.840.113549.1.12.1.4", 16, 8, newTwoKeyTripleDES},
	{"pbeWithSHAAnd128BitRC2-CBC", "1.2.840.113549.1.12.1.5", 16, 8, newRC2},
	{"pbeWithSHAAnd40BitRC2-CBC", "1.2.840.113549.1.12.1.6", 5, 8, newRC2},
}

func findCipher(ciphers []blockCipher, oid string) *blockCipher {
	for i := range ciphers {
		if ciphers[i].oid == oid {
			return &ciphers[i]
		}
	}
	return nil
}

func newTwoKeyTripleDES(key []byte) (cipher.Block, error) {
	three := append(append(make([]byte, 0, 24), key...), key[:8]...)
	defer clear(three)
	return des.NewTripleDESCipher(three)
}

// seal returns the padded ciphertext. The plaintext's only copy is encrypted in place.
func (c *blockCipher) seal(key, iv, plaintext []byte) ([]byte, error) {
	block, err := c.new(key)
	if err != nil {
		return nil, err
	}
	padding := c.block - len(plaintext)%c.block
	sealed := make([]byte, 0, len(plaintext)+padding)
	sealed = append(sealed, plaintext...)
	sealed = append(sealed, bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, sealed)
	return sealed, nil
}

// open returns the plaintext, which the caller wipes, or nothing where the padding does not fit.
func (c *blockCipher) open(key, iv, ciphertext []byte) ([]byte, bool) {
	block, err := c.new(key)
	if err != nil || len(ciphertext) == 0 || len(ciphertext)%c.block != 0 {
		return nil, false
	}
	plaintext := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plaintext, ciphertext)
	padding := int(plaintext[len(plaintext)-1])
	if padding < 1 || padding > c.block {
		clear(plaintext)
		return nil, false
	}
	content := len(plaintext) - padding
	for _, b := range plaintext[content:] {
		if int(b) != padding {
			clear(plaintext)
			return nil, false
		}
	}
	return plaintext[:content], true
}
