package pfx

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// keySource makes a key of a password.
type keySource interface {
	// family is the kind of reading that it wants.
	family() family
	// cost is its work in iterations.
	cost() int64
	// derive has a salt of its own, since it may outlive the file's.
	derive(size int) kdf
}

// pbe is a password-based encryption scheme with its parameters: PBES2 (RFC 8018, section 6.2), PBES1 (section 6.1) or one
// of RFC 7292, appendix C.
type pbe struct {
	name       string
	iterations int
	// cipher is nil where the scheme is not supported.
	cipher *blockCipher
	source keySource
	// iv is for PBES2; the others derive it along with the key.
	iv []byte
}

func newPBES2(salt, iv []byte, iterations int) *pbe {
	return &pbe{
		iterations: iterations,
		cipher:     findCipher(pbes2Ciphers, "2.16.840.1.101.3.4.1.42"),
		source:     newPBKDF2(salt, iterations),
		iv:         iv,
	}
}

func newTripleDES(salt []byte, iterations int) *pbe {
	c := findCipher(pkcs12Ciphers, "1.2.840.113549.1.12.1.3")
	return &pbe{iterations: iterations, cipher: c, source: &bmpSource{"SHA-1", salt, iterations, [2]bmpPart{{purposeKey, c.keySize}, {purposeIV, c.block}}}}
}

// readPBE reads an AlgorithmIdentifier. A scheme that is not supported is no error yet: require tells.
func readPBE(s *cryptobyte.String) (*pbe, error) {
	a, ok := readAlgorithm(s)
	if !ok {
		return nil, damaged("encryption algorithm")
	}
	if a.oid == oidPBES2 {
		return readPBES2(a.parameters)
	}
	p := &pbe{name: algorithmName(a.oid)}
	var salt []byte
	var err error
	if c := findCipher(pkcs12Ciphers, a.oid); c != nil {
		p.name, p.cipher = c.name, c
		if salt, p.iterations, err = readSaltAndCount(a.parameters, p.name+" parameters"); err != nil {
			return nil, err
		}
		p.source = &bmpSource{"SHA-1", salt, p.iterations, [2]bmpPart{{purposeKey, c.keySize}, {purposeIV, c.ivSize()}}}
		return p, nil
	}
	for _, scheme := range pbes1Schemes {
		if scheme.oid == a.oid {
			p.name, p.cipher = scheme.name, scheme.cipher
			if salt, p.iterations, err = readSaltAndCount(a.parameters, p.name+" parameters"); err != nil {
				return nil, err
			}
			p.source = &pbkdf1Params{digestNamed(scheme.digest), salt, p.iterations}
		}
	}
	return p, nil
}

func readPBES2(parameters cryptobyte.String) (*pbe, error) {
	const where = "PBES2 parameters"
	var sequence cryptobyte.String
	if !parameters.ReadASN1(&sequence, asn1.SEQUENCE) || !parameters.Empty() {
		return nil, damaged(where)
	}
	kdf, ok := readAlgorithm(&sequence)
	if !ok {
		return nil, damaged(where)
	}
	scheme, ok := readAlgorithm(&sequence)
	if !ok || !sequence.Empty() {
		return nil, damaged(where)
	}
	p := &pbe{}
	keyLength, err := p.readSource(kdf)
	if err != nil {
		return nil, err
	}
	name := algorithmName(scheme.oid)
	c, iv, err := readPBES2Cipher(scheme, keyLength)
	if err != nil {
		return nil, err
	}
	if c != nil {
		name, p.iv = c.name, iv
		if p.source != nil {
			p.cipher = c
		}
	}
	p.name = "PBES2 " + p.name + " " + name
	if c != nil && keyLength != 0 && keyLength != c.keySize {
		return nil, damaged(where + ": key length")
	}
	return p, nil
}

// readSource reads the key derivation function and leaves its name in p. The source is nil for one that is not supported.
func (p *pbe) readSource(kdf algorithm) (keyLength int, err error) {
	switch kdf.oid {
	case oidPBKDF2:
		params, err := readPBKDF2(kdf.parameters)
		if err != nil {
			return 0, err
		}
		p.name, p.iterations = "PBKDF2-"+params.prfName, params.iterations
		if params.prf != nil {
			p.source = params
		}
		return params.keyLength, nil
	case oidScrypt:
		params, err := readScrypt(kdf.parameters)
		if err != nil {
			return 0, err
		}
		p.name, p.source = "scrypt", params
		return params.keyLength, nil
	}
	p.name = algorithmName(kdf.oid)
	return 0, nil
}

// readPBES2Cipher reads the encryption scheme (RFC 8018, appendix B.2). The cipher is nil for one that is not supported.
func readPBES2Cipher(scheme algorithm, keyLength int) (*blockCipher, []byte, error) {
	if scheme.oid == oidRC2CBC {
		return readRC2(scheme.parameters, keyLength)
	}
	c := findCipher(pbes2Ciphers, scheme.oid)
	if c == nil {
		return nil, nil, nil //nolint:nilnil // what is not supported is told by require
	}
	var iv cryptobyte.String
	if !scheme.parameters.ReadASN1(&iv, asn1.OCTET_STRING) || !scheme.parameters.Empty() || len(iv) != c.block {
		return nil, nil, damaged("PBES2 parameters: initialization vector")
	}
	return c, iv, nil
}

// readRC2 reads RC2-CBC-Parameter (RFC 8018, appendix B.2.3): a number that stands for the effective bits, 32 without one,
// and an IV.
func readRC2(parameters cryptobyte.String, keyLength int) (*blockCipher, []byte, error) {
	const where = "RC2-CBC parameters"
	var sequence, iv cryptobyte.String
	bits := int64(32)
	if !parameters.ReadASN1(&sequence, asn1.SEQUENCE) || !parameters.Empty() {
		return nil, nil, damaged(where)
	}
	if sequence.PeekASN1Tag(asn1.INTEGER) {
		var version int64
		if !sequence.ReadASN1Integer(&version) {
			return nil, nil, damaged(where)
		}
		switch {
		case version == 160:
			bits = 40
		case version == 120:
			bits = 64
		case version == 58:
			bits = 128
		case version >= 256 && version <= 1024:
			bits = version
		default:
			return nil, nil, nil //nolint:nilnil // what is not supported is told by require
		}
	}
	if !sequence.ReadASN1(&iv, asn1.OCTET_STRING) || !sequence.Empty() || len(iv) != 8 {
		return nil, nil, damaged(where)
	}
	if keyLength == 0 {
		keyLength = int(bits+7) / 8
	}
	if keyLength > 128 {
		return nil, nil, damaged(where + ": key length")
	}
	return rc2CBC(keyLength, int(bits)), iv, nil
}

// require checks, before a derivation, that it may and can be made.
func (p *pbe) require(b *budget, ciphertext []byte) error {
	if p.cipher == nil {
		return &UnsupportedError{Algorithm: p.name}
	}
	if !p.cipher.fits(ciphertext) {
		return damaged("ciphertext: length")
	}
	return b.spend(p.source.cost())
}

// keySize is the size of the key, with the IV behind it where the file does not tell one.
func (p *pbe) keySize() int {
	size := p.cipher.keySize
	if p.iv == nil {
		size += p.cipher.ivSize()
	}
	return size
}

func (p *pbe) keyAndIV(derived []byte) (key, iv []byte) {
	if p.iv != nil {
		return derived, p.iv
	}
	return derived[:p.cipher.keySize], derived[p.cipher.keySize:]
}

func (p *pbe) seal(derived, plaintext []byte) ([]byte, error) {
	key, iv := p.keyAndIV(derived)
	return p.cipher.seal(key, iv, plaintext)
}

func (p *pbe) open(derived, ciphertext []byte) ([]byte, bool) {
	key, iv := p.keyAndIV(derived)
	return p.cipher.open(key, iv, ciphertext)
}

// add writes the AlgorithmIdentifier of a scheme that is written.
func (p *pbe) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		switch source := p.source.(type) {
		case *bmpSource:
			addOID(b, p.cipher.oid)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(source.salt)
				b.AddASN1Int64(int64(p.iterations))
			})
		case *pbkdf2Params:
			addOID(b, oidPBES2)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				source.add(b)
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addOID(b, p.cipher.oid)
					b.AddASN1OctetString(p.iv)
				})
			})
		default:
			b.SetError(&UnsupportedError{Algorithm: p.name})
		}
	})
}

// bmpSource is the key derivation of RFC 7292, appendix B, once for every part.
type bmpSource struct {
	digest     string
	salt       []byte
	iterations int
	parts      [2]bmpPart
}

type bmpPart struct {
	purpose byte
	size    int
}

func (s *bmpSource) family() family { return familyBMP }

// cost is counted once for all parts, as OpenSSL's users count it.
func (s *bmpSource) cost() int64 { return int64(s.iterations) }

// derive joins the parts, whose sizes are settled.
func (s *bmpSource) derive(int) kdf {
	return bmpKDF(repeatHash, digestNamed(s.digest), bytes.Clone(s.salt), s.iterations, s.parts[:]...)
}
