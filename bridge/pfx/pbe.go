package pfx

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// pbe is a password-based encryption scheme with its parameters: PBES2 (RFC 8018, section 6.2) or one of RFC 7292,
// appendix C.
type pbe struct {
	name       string
	iterations int
	// cipher is nil where the scheme is not supported.
	cipher *blockCipher
	// pbkdf2 and iv are for PBES2; the others derive their IV from salt too.
	pbkdf2 *pbkdf2Params
	iv     []byte
	salt   []byte
}

func newPBES2(salt, iv []byte, iterations int) *pbe {
	return &pbe{
		iterations: iterations,
		cipher:     findCipher(pbes2Ciphers, "2.16.840.1.101.3.4.1.42"),
		pbkdf2:     &pbkdf2Params{salt: salt, iterations: iterations, prf: digestNamed("SHA-256")},
		iv:         iv,
	}
}

func newTripleDES(salt []byte, iterations int) *pbe {
	return &pbe{iterations: iterations, cipher: findCipher(pkcs12Ciphers, "1.2.840.113549.1.12.1.3"), salt: salt}
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
	p := &pbe{name: unsupportedName(a.oid)}
	p.cipher = findCipher(pkcs12Ciphers, a.oid)
	if p.cipher == nil {
		return p, nil
	}
	p.name = p.cipher.name
	var sequence, salt cryptobyte.String
	if !a.parameters.ReadASN1(&sequence, asn1.SEQUENCE) || !sequence.ReadASN1(&salt, asn1.OCTET_STRING) {
		return nil, damaged(p.name + " parameters")
	}
	if err := checkSalt(len(salt)); err != nil {
		return nil, err
	}
	p.salt = salt
	var err error
	if p.iterations, err = readIterations(&sequence, p.name+" parameters"); err != nil {
		return nil, err
	}
	if !sequence.Empty() {
		return nil, damaged(p.name + " parameters")
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
	if kdf.oid != oidPBKDF2 {
		return &pbe{name: "PBES2 " + unsupportedName(kdf.oid)}, nil
	}
	p := &pbe{}
	var err error
	if p.pbkdf2, err = readPBKDF2(kdf.parameters); err != nil {
		return nil, err
	}
	p.iterations = p.pbkdf2.iterations
	p.name = "PBES2 PBKDF2-" + p.pbkdf2.prfName + " " + unsupportedName(scheme.oid)
	c := findCipher(pbes2Ciphers, scheme.oid)
	if c == nil {
		return p, nil
	}
	p.name = "PBES2 PBKDF2-" + p.pbkdf2.prfName + " " + c.name
	if p.pbkdf2.keyLength != 0 && p.pbkdf2.keyLength != c.keySize {
		return nil, damaged(where + ": key length")
	}
	var iv cryptobyte.String
	if !scheme.parameters.ReadASN1(&iv, asn1.OCTET_STRING) || !scheme.parameters.Empty() || len(iv) != c.block {
		return nil, damaged(where + ": initialization vector")
	}
	p.iv = iv
	if p.pbkdf2.prf != nil {
		p.cipher = c
	}
	return p, nil
}

// require checks, before a derivation, that it may and can be made.
func (p *pbe) require(b *budget, secret *password, ciphertext []byte) error {
	if p.cipher == nil {
		return &UnsupportedError{Algorithm: p.name}
	}
	if p.pbkdf2 == nil && secret.notBMP {
		return ErrPasswordNotBMP
	}
	if len(ciphertext) == 0 || len(ciphertext)%p.cipher.block != 0 {
		return damaged("ciphertext: length")
	}
	return b.spend(p.iterations)
}

// derive is the derivation of the key, followed by the IV where the password gives that too. It has a salt of its own,
// since it may outlive the file's.
func (p *pbe) derive() kdf {
	if p.pbkdf2 != nil {
		return pbkdf2KDF(p.pbkdf2.prf, bytes.Clone(p.pbkdf2.salt), p.iterations, p.cipher.keySize)
	}
	return bmpKDF(digestNamed("SHA-1"), bytes.Clone(p.salt), p.iterations,
		bmpPart{purposeKey, p.cipher.keySize}, bmpPart{purposeIV, p.cipher.block})
}

func (p *pbe) keyAndIV(derived []byte) (key, iv []byte) {
	if p.pbkdf2 != nil {
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

// add writes the AlgorithmIdentifier.
func (p *pbe) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if p.pbkdf2 == nil {
			addOID(b, p.cipher.oid)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(p.salt)
				b.AddASN1Int64(int64(p.iterations))
			})
			return
		}
		addOID(b, oidPBES2)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			p.pbkdf2.add(b)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addOID(b, p.cipher.oid)
				b.AddASN1OctetString(p.iv)
			})
		})
	})
}
