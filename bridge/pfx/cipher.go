package pfx

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rc4"
)

// blockCipher is a cipher in CBC mode with the padding of RFC 8018, section 6.1.1, or the stream cipher RC4.
type blockCipher struct {
	name    string
	oid     string
	keySize int
	block   int // 1 for a stream cipher, which has no IV and no padding
	// new is nil for a stream cipher.
	new func(key []byte) (cipher.Block, error)
}

// pbes2Ciphers are the encryption schemes of PBES2 (RFC 8018, appendix B.2), whose parameters are an IV.
var pbes2Ciphers = []blockCipher{
	{"AES-128-CBC", "2.16.840.1.101.3.4.1.2", 16, 16, aes.NewCipher},
	{"AES-192-CBC", "2.16.840.1.101.3.4.1.22", 24, 16, aes.NewCipher},
	{"AES-256-CBC", "2.16.840.1.101.3.4.1.42", 32, 16, aes.NewCipher},
	{"DES-EDE3-CBC", "1.2.840.113549.3.7", 24, 8, des.NewTripleDESCipher},
	*desCBC,
}

// desCBC is for PBES1 and PBES2 of old files.
var desCBC = &blockCipher{"DES-CBC", "1.3.14.3.2.7", 8, 8, des.NewCipher}

// rc2CBC is RC2 with a key of so many bytes and an effective length of so many bits, for PBES1 and PBES2 of old files.
func rc2CBC(keySize, effectiveBits int) *blockCipher {
	return &blockCipher{"RC2-CBC", oidRC2CBC, keySize, 8, func(key []byte) (cipher.Block, error) { return newRC2Bits(key, effectiveBits) }}
}

// pkcs12Ciphers are the schemes of RFC 7292, appendix C.
var pkcs12Ciphers = []blockCipher{
	{"pbeWithSHAAnd128BitRC4", "1.2.840.113549.1.12.1.1", 16, 1, nil},
	{"pbeWithSHAAnd40BitRC4", "1.2.840.113549.1.12.1.2", 5, 1, nil},
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

// ivSize is 0 for a stream cipher.
func (c *blockCipher) ivSize() int {
	if c.new == nil {
		return 0
	}
	return c.block
}

// fits reports whether a ciphertext has a length that the cipher makes.
func (c *blockCipher) fits(ciphertext []byte) bool {
	return len(ciphertext) > 0 && len(ciphertext)%c.block == 0
}

// seal returns the padded ciphertext. The plaintext's only copy is encrypted in place.
func (c *blockCipher) seal(key, iv, plaintext []byte) ([]byte, error) {
	if c.new == nil {
		return c.stream(key, plaintext)
	}
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

// stream is RC4, both ways.
func (c *blockCipher) stream(key, text []byte) ([]byte, error) {
	state, err := rc4.NewCipher(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(text))
	state.XORKeyStream(out, text)
	return out, nil
}

// open returns the plaintext, which the caller wipes, or nothing where the padding does not fit. A stream cipher has no
// padding: anything opens.
func (c *blockCipher) open(key, iv, ciphertext []byte) ([]byte, bool) {
	if !c.fits(ciphertext) {
		return nil, false
	}
	if c.new == nil {
		plaintext, err := c.stream(key, ciphertext)
		return plaintext, err == nil
	}
	block, err := c.new(key)
	if err != nil {
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
