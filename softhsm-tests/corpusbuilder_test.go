package softhsmtests

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rc4"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"hash"
	"slices"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/scrypt"
)

// A builder of PFX files (RFC 7292) of its own, for the shapes that no program makes. It shares nothing with bridge/pfx.

// tlv is one DER element.
func tlv(tag byte, parts ...[]byte) []byte {
	content := slices.Concat(parts...)
	out := []byte{tag}
	switch n := len(content); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	case n < 0x10000:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, content...)
}

// ber is one element of indefinite length, as NSS writes it.
func ber(tag byte, parts ...[]byte) []byte {
	return slices.Concat([]byte{tag, 0x80}, slices.Concat(parts...), []byte{0, 0})
}

func sequenceOf(parts ...[]byte) []byte { return tlv(0x30, parts...) }

func octets(content []byte) []byte { return tlv(0x04, content) }

func number(n int) []byte {
	content := []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	for len(content) > 1 && content[0] == 0 && content[1] < 0x80 {
		content = content[1:]
	}
	return tlv(0x02, content)
}

func objectID(dotted string) []byte {
	oid, err := x509.ParseOID(dotted)
	if err != nil {
		panic(err)
	}
	content, err := oid.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return tlv(0x06, content)
}

// utf16Of is a text in UTF-16, the higher byte first.
func utf16Of(text string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, byte(unit>>8), byte(unit))
	}
	return out
}

// standardBMP is the password of RFC 7292, appendix B.1.
func standardBMP(text string) []byte { return append(utf16Of(text), 0, 0) }

// widenedBytes is every byte with a zero byte before it, as OpenSSL 1.0 made a password.
func widenedBytes(text string) []byte {
	var out []byte
	for _, b := range []byte(text) {
		out = append(out, 0, b)
	}
	return append(out, 0, 0)
}

// pkcs12Derive is RFC 7292, appendix B.2.
func pkcs12Derive(h func() hash.Hash, block int, purpose byte, secret, salt []byte, iterations, size int) []byte {
	fill := func(data []byte) []byte {
		if len(data) == 0 {
			return nil
		}
		return bytes.Repeat(data, block*((len(data)+block-1)/block)/len(data)+1)[:block*((len(data)+block-1)/block)]
	}
	input := append(fill(salt), fill(secret)...)
	var out []byte
	for len(out) < size {
		sum := slices.Concat(bytes.Repeat([]byte{purpose}, block), input)
		for range iterations {
			state := h()
			state.Write(sum)
			sum = state.Sum(nil)
		}
		out = append(out, sum...)
		b := bytes.Repeat(sum, block/len(sum)+1)[:block]
		for at := 0; at < len(input); at += block {
			carry := 1
			for i := block - 1; i >= 0; i-- {
				carry += int(input[at+i]) + int(b[i])
				input[at+i], carry = byte(carry), carry>>8
			}
		}
	}
	return out[:size]
}

// scheme encrypts a safe or a key bag, and says how in an AlgorithmIdentifier.
type scheme struct {
	algorithm []byte
	encrypt   func([]byte) []byte
}

func padded(block cipher.Block, iv, plaintext []byte) []byte {
	n := block.BlockSize() - len(plaintext)%block.BlockSize()
	out := append(bytes.Clone(plaintext), bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
	return out
}

func mustBlock(block cipher.Block, err error) cipher.Block {
	if err != nil {
		panic(err)
	}
	return block
}

const lowCount = 3

// underTripleDES is pbeWithSHAAnd3-KeyTripleDES-CBC with a password in the given bytes.
func underTripleDES(secret []byte) scheme { return underTripleDESWithSalt(secret, []byte("saltsalt")) }

func underTripleDESWithSalt(secret, salt []byte) scheme {
	return scheme{
		sequenceOf(objectID("1.2.840.113549.1.12.1.3"), sequenceOf(octets(salt), number(lowCount))),
		func(plaintext []byte) []byte {
			key, iv := pkcs12Derive(sha1.New, 64, 1, secret, salt, lowCount, 24), pkcs12Derive(sha1.New, 64, 2, secret, salt, lowCount, 8)
			return padded(mustBlock(des.NewTripleDESCipher(key)), iv, plaintext)
		},
	}
}

// underRC4 is pbeWithSHAAnd128BitRC4.
func underRC4(secret []byte) scheme {
	salt := []byte("saltsalt")
	return scheme{
		sequenceOf(objectID("1.2.840.113549.1.12.1.1"), sequenceOf(octets(salt), number(lowCount))),
		func(plaintext []byte) []byte {
			state, err := rc4.NewCipher(pkcs12Derive(sha1.New, 64, 1, secret, salt, lowCount, 16))
			if err != nil {
				panic(err)
			}
			out := make([]byte, len(plaintext))
			state.XORKeyStream(out, plaintext)
			return out
		},
	}
}

// pbes2 is PBES2 (RFC 8018, section 6.2) with AES-256-CBC under a key from any function.
func pbes2(kdf, key []byte) scheme {
	iv := []byte("0123456789abcdef")
	return scheme{
		sequenceOf(objectID("1.2.840.113549.1.5.13"), sequenceOf(kdf, sequenceOf(objectID("2.16.840.1.101.3.4.1.42"), octets(iv)))),
		func(plaintext []byte) []byte { return padded(mustBlock(aes.NewCipher(key)), iv, plaintext) },
	}
}

func underAES(secret []byte) scheme { return underAESWithSalt(secret, []byte("saltsalt")) }

func underAESWithSalt(secret, salt []byte) scheme {
	key, err := pbkdf2.Key(sha256.New, string(secret), salt, lowCount, 32)
	if err != nil {
		panic(err)
	}
	prf := sequenceOf(objectID("1.2.840.113549.2.9"), []byte{5, 0})
	return pbes2(sequenceOf(objectID("1.2.840.113549.1.5.12"), sequenceOf(octets(salt), number(lowCount), prf)), key)
}

func underScrypt(secret []byte, n, r, p int) scheme {
	salt := []byte("saltsalt")
	key := make([]byte, 32)
	if n*r <= 1<<20 { // what is only to be refused needs no key
		var err error
		if key, err = scrypt.Key(secret, salt, n, r, p, 32); err != nil {
			panic(err)
		}
	}
	return pbes2(sequenceOf(objectID("1.3.6.1.4.1.11591.4.11"), sequenceOf(octets(salt), number(n), number(r), number(p))), key)
}

// underUnknown is a scheme that nobody has.
func underUnknown() scheme {
	return scheme{sequenceOf(objectID("2.999.1"), []byte{5, 0}), func(plaintext []byte) []byte { return plaintext }}
}

// tag is the MacData of a file: nil for none.
type integrity func(content []byte) []byte

func macOf(digestOID string, h func() hash.Hash, block int, secret, salt []byte) integrity {
	return func(content []byte) []byte {
		mac := hmac.New(h, pkcs12Derive(h, block, 3, secret, salt, lowCount, h().Size()))
		mac.Write(content)
		return sequenceOf(sequenceOf(sequenceOf(objectID(digestOID), []byte{5, 0}), octets(mac.Sum(nil))), octets(salt), number(lowCount))
	}
}

func macSHA1(secret []byte) integrity {
	return macOf("1.3.14.3.2.26", sha1.New, 64, secret, []byte("saltsalt"))
}

func macSHA256(secret []byte) integrity {
	return macOf("2.16.840.1.101.3.4.2.1", sha256.New, 64, secret, []byte("saltsalt"))
}

// pbmac1 is RFC 9579.
func pbmac1(secret []byte, keyLength int) integrity {
	return pbmac1With(secret, keyLength, octets([]byte("NOT USED")))
}

// pbmac1With has the salt and the count that have no meaning.
func pbmac1With(secret []byte, keyLength int, unused ...[]byte) integrity {
	return func(content []byte) []byte {
		salt := []byte("saltsalt")
		key, err := pbkdf2.Key(sha256.New, string(secret), salt, lowCount, max(keyLength, 1))
		if err != nil {
			panic(err)
		}
		length := number(keyLength)
		if keyLength == 0 {
			length = nil
		}
		sha := sequenceOf(objectID("1.2.840.113549.2.9"), []byte{5, 0})
		mac := hmac.New(sha256.New, key)
		mac.Write(content)
		kdf := sequenceOf(objectID("1.2.840.113549.1.5.12"), sequenceOf(octets(salt), number(lowCount), length, sha))
		return sequenceOf(sequenceOf(sequenceOf(objectID("1.2.840.113549.1.5.14"), sequenceOf(kdf, sha)), octets(mac.Sum(nil))), bytes.Join(unused, nil))
	}
}

const (
	dataType      = "1.2.840.113549.1.7.1"
	encryptedType = "1.2.840.113549.1.7.6"
	bagTypes      = "1.2.840.113549.1.12.10.1."
)

// clearData is a ContentInfo of type data.
func clearData(content []byte) []byte {
	return sequenceOf(objectID(dataType), tlv(0xa0, octets(content)))
}

// inClear is a safe of bags that are not encrypted, sealed one that is.
func inClear(bags ...[]byte) []byte { return clearData(sequenceOf(bags...)) }

func sealed(s scheme, bags ...[]byte) []byte { return sealedContent(s, sequenceOf(bags...)) }

func sealedContent(s scheme, content []byte) []byte {
	return sequenceOf(objectID(encryptedType), tlv(0xa0, sequenceOf(number(0),
		sequenceOf(objectID(dataType), s.algorithm, tlv(0x80, s.encrypt(content))))))
}

// pfxOf is a whole file.
func pfxOf(mac integrity, safes ...[]byte) []byte {
	content := sequenceOf(safes...)
	if mac == nil {
		return sequenceOf(number(3), clearData(content))
	}
	return sequenceOf(number(3), clearData(content), mac(content))
}

// bagOf is a SafeBag: keyBag is type 1, pkcs8ShroudedKeyBag 2, certBag 3, crlBag 4, secretBag 5, safeContentsBag 6.
func bagOf(kind int, value []byte, attributes ...[]byte) []byte {
	var set []byte
	if len(attributes) > 0 {
		set = tlv(0x31, attributes...)
	}
	return sequenceOf(objectID(fmt.Sprint(bagTypes, kind)), tlv(0xa0, value), set)
}

func certBagOf(der []byte, attributes ...[]byte) []byte {
	return bagOf(3, sequenceOf(objectID("1.2.840.113549.1.9.22.1"), tlv(0xa0, octets(der))), attributes...)
}

func shroudedBag(s scheme, pkcs8 []byte, attributes ...[]byte) []byte {
	return bagOf(2, sequenceOf(s.algorithm, octets(s.encrypt(pkcs8))), attributes...)
}

func attributeOf(oid string, values ...[]byte) []byte {
	return sequenceOf(objectID(oid), tlv(0x31, values...))
}

func friendlyNameOf(text string) []byte {
	return attributeOf("1.2.840.113549.1.9.20", tlv(0x1e, utf16Of(text)))
}

func localKeyIDOf(id string) []byte { return attributeOf("1.2.840.113549.1.9.21", octets([]byte(id))) }

// latin1 is one byte a character.
func latin1(text string) []byte {
	var out []byte
	for _, r := range text {
		out = append(out, byte(r))
	}
	return out
}

// windows1252 knows the euro sign, which is enough for a test.
func windows1252(text string) []byte { return latin1(strings.ReplaceAll(text, "€", "\u0080")) }
