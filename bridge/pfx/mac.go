package pfx

import (
	"crypto/hmac"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// NoMAC is Facts.MAC of a file without password integrity.
const NoMAC = "none"

const (
	minMACKey = 20 // RFC 9579: a shorter key could be guessed
	maxMACKey = 64
)

// unusedSalt fills the field that has no meaning with PBMAC1, with the bytes of RFC 9579, appendix A.
const unusedSalt = "NOT USED"

// mac is the MacData of RFC 7292, section 4, or of RFC 9579.
type mac struct {
	name       string
	iterations int
	// digest is nil where the algorithm is not supported.
	digest *digest
	// pbkdf2 is for PBMAC1, salt for the key derivation of RFC 7292.
	pbkdf2 *pbkdf2Params
	salt   []byte
	value  []byte
}

func newMAC(digestName string, salt []byte, iterations int) *mac {
	d := digestNamed(digestName)
	return &mac{name: "HMAC-" + d.name, iterations: iterations, digest: d, salt: salt}
}

func newPBMAC1(salt []byte, iterations int) *mac {
	d := digestNamed("SHA-256")
	p := &pbkdf2Params{salt: salt, iterations: iterations, keyLength: d.size, prf: d}
	return &mac{name: "PBMAC1-HMAC-" + d.name, iterations: iterations, digest: d, pbkdf2: p}
}

// readMAC reads a MacData. An algorithm that is not supported is no error yet: require tells.
func readMAC(s *cryptobyte.String) (*mac, error) {
	const where = "MacData"
	var sequence, info, value, salt cryptobyte.String
	if !s.ReadASN1(&sequence, asn1.SEQUENCE) || !sequence.ReadASN1(&info, asn1.SEQUENCE) {
		return nil, damaged(where)
	}
	a, ok := readAlgorithm(&info)
	if !ok || !info.ReadASN1(&value, asn1.OCTET_STRING) || !info.Empty() ||
		!sequence.ReadASN1(&salt, asn1.OCTET_STRING) {
		return nil, damaged(where)
	}
	m := &mac{salt: salt, value: value, iterations: 1}
	if a.oid == oidPBMAC1 { // salt and count have no meaning then, whatever they say (RFC 9579, section 4)
		if !sequence.SkipOptionalASN1(asn1.INTEGER) || !sequence.Empty() {
			return nil, damaged(where)
		}
		return m, m.readPBMAC1(a.parameters)
	}
	if err := checkSalt(len(salt)); err != nil {
		return nil, err
	}
	if !sequence.Empty() {
		var err error
		if m.iterations, err = readIterations(&sequence, where); err != nil {
			return nil, err
		}
		m.iterations = max(1, m.iterations) // OpenSSL reads 0 so
	}
	if !sequence.Empty() {
		return nil, damaged(where)
	}
	m.digest = digestByOID(a.oid)
	if m.digest == nil {
		m.name = "HMAC " + algorithmName(a.oid)
		return m, nil
	}
	m.name = "HMAC-" + m.digest.name
	if !a.plain() || len(m.value) != m.digest.size {
		return nil, damaged(where)
	}
	return m, nil
}

// readPBMAC1 reads the PBMAC1-params (RFC 8018, appendix A.5) with the rules of RFC 9579, section 4.
func (m *mac) readPBMAC1(parameters cryptobyte.String) error {
	const where = "PBMAC1 parameters"
	var sequence cryptobyte.String
	if !parameters.ReadASN1(&sequence, asn1.SEQUENCE) || !parameters.Empty() {
		return damaged(where)
	}
	kdf, ok := readAlgorithm(&sequence)
	if !ok {
		return damaged(where)
	}
	scheme, ok := readAlgorithm(&sequence)
	if !ok || !sequence.Empty() {
		return damaged(where)
	}
	m.iterations = 0
	if kdf.oid != oidPBKDF2 {
		m.name = "PBMAC1 " + algorithmName(kdf.oid)
		return nil
	}
	var err error
	if m.pbkdf2, err = readPBKDF2(kdf.parameters); err != nil {
		return err
	}
	m.iterations = m.pbkdf2.iterations
	hash := digestByHMAC(scheme.oid)
	switch length := int64(m.pbkdf2.keyLength); {
	case hash == nil:
		m.name = "PBMAC1 " + algorithmName(scheme.oid)
		return nil
	case m.pbkdf2.prf == nil:
		m.name = "PBMAC1 " + m.pbkdf2.prfName
		return nil
	case length == 0: // RFC 9579, section 4, forbids to guess it
		m.name = "PBMAC1 without a key length"
		return nil
	case length < minMACKey:
		return &LimitError{What: LimitMACKey, Value: length, Bound: minMACKey}
	case length > maxMACKey:
		return &LimitError{What: LimitMACKey, Value: length, Bound: maxMACKey}
	case !scheme.plain() || len(m.value) != hash.size:
		return damaged(where)
	}
	m.digest = hash
	m.name = "PBMAC1-HMAC-" + hash.name
	return nil
}

// source is where the key comes from.
func (m *mac) source() keySource {
	if m.pbkdf2 != nil {
		return m.pbkdf2
	}
	return &bmpSource{m.digest.name, m.salt, m.iterations, [2]bmpPart{{purposeMAC, m.digest.size}}}
}

// require checks, before a derivation, that it may and can be made.
func (m *mac) require(b *budget) error {
	if m.digest == nil {
		return &UnsupportedError{Algorithm: m.name}
	}
	return b.spend(m.source().cost())
}

// derive is the derivation of the key.
func (m *mac) derive() kdf { return m.source().derive(m.keySize()) }

func (m *mac) keySize() int {
	if m.pbkdf2 != nil {
		return m.pbkdf2.keyLength
	}
	return m.digest.size
}

func (m *mac) sum(key, content []byte) []byte {
	h := hmac.New(m.digest.new, key)
	h.Write(content)
	return h.Sum(nil)
}

// verify reports whether the key makes the MAC that the file bears.
func (m *mac) verify(key, content []byte) bool { return hmac.Equal(m.sum(key, content), m.value) }

// add writes the MacData for the content.
func (m *mac) add(b *cryptobyte.Builder, key, content []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if m.pbkdf2 == nil {
				addPlainAlgorithm(b, m.digest.oid)
			} else {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addOID(b, oidPBMAC1)
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						m.pbkdf2.add(b)
						addPlainAlgorithm(b, m.digest.hmacOID)
					})
				})
			}
			b.AddASN1OctetString(m.sum(key, content))
		})
		if m.pbkdf2 != nil {
			b.AddASN1OctetString([]byte(unusedSalt)) // the iteration count stays at its default of 1
			return
		}
		b.AddASN1OctetString(m.salt)
		if m.iterations != 1 {
			b.AddASN1Int64(int64(m.iterations))
		}
	})
}
