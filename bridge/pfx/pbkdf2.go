package pfx

import (
	"bytes"
	"math"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// pbkdf2Params are the PBKDF2-params of RFC 8018, appendix A.2.
type pbkdf2Params struct {
	salt       []byte
	iterations int
	// keyLength is 0 where the file does not say.
	keyLength int
	// prf is nil for one that we have not got; prfName is its name then too.
	prf     *digest
	prfName string
}

// newPBKDF2 is what is written with.
func newPBKDF2(salt []byte, iterations int) *pbkdf2Params {
	return &pbkdf2Params{salt: salt, iterations: iterations, prf: digestNamed("SHA-256")}
}

func readPBKDF2(parameters cryptobyte.String) (*pbkdf2Params, error) {
	const where = "PBKDF2 parameters"
	p := &pbkdf2Params{}
	var sequence, salt cryptobyte.String
	if !parameters.ReadASN1(&sequence, asn1.SEQUENCE) || !parameters.Empty() {
		return nil, damaged(where)
	}
	if !sequence.PeekASN1Tag(asn1.OCTET_STRING) {
		if sequence.PeekASN1Tag(asn1.SEQUENCE) {
			return nil, &UnsupportedError{Algorithm: "PBKDF2 salt source"}
		}
		return nil, damaged(where)
	}
	if !sequence.ReadASN1(&salt, asn1.OCTET_STRING) {
		return nil, damaged(where)
	}
	if err := checkSalt(len(salt)); err != nil {
		return nil, err
	}
	p.salt = salt
	var err error
	if p.iterations, err = readIterations(&sequence, where); err != nil {
		return nil, err
	}
	if p.iterations == 0 {
		return nil, damaged(where + ": iteration count")
	}
	if sequence.PeekASN1Tag(asn1.INTEGER) {
		var length int64
		if !sequence.ReadASN1Integer(&length) || length < 1 || length > math.MaxInt32 {
			return nil, damaged(where)
		}
		p.keyLength = int(length)
	}
	if sequence.Empty() {
		p.prf = digestNamed("SHA-1")
		p.prfName = "HMAC-SHA-1"
		return p, nil
	}
	prf, ok := readAlgorithm(&sequence)
	if !ok || !sequence.Empty() {
		return nil, damaged(where)
	}
	if p.prf = digestByHMAC(prf.oid); p.prf == nil {
		p.prfName = algorithmName(prf.oid)
		return p, nil
	}
	if !prf.plain() {
		return nil, damaged(where)
	}
	p.prfName = "HMAC-" + p.prf.name
	return p, nil
}

// readIterations reads an iteration count, which RFC 8018 lets begin at 1. A count of 0 is met; what it stands for depends on the derivation. Counts that no int32 holds are far beyond
// any limit, so that they are refused here already.
func readIterations(s *cryptobyte.String, where string) (int, error) {
	var element cryptobyte.String
	if !s.ReadASN1Element(&element, asn1.INTEGER) {
		return 0, damaged(where)
	}
	var count int64
	if reader := element; !reader.ReadASN1Integer(&count) {
		if len(element) > 10 && element[2]&0x80 == 0 {
			return 0, &LimitError{What: LimitIterations, Value: math.MaxInt64, Bound: math.MaxInt32}
		}
		return 0, damaged(where)
	}
	if count < 0 {
		return 0, damaged(where + ": iteration count")
	}
	if count > math.MaxInt32 {
		return 0, &LimitError{What: LimitIterations, Value: count, Bound: math.MaxInt32}
	}
	return int(count), nil
}

// add writes the AlgorithmIdentifier, with the PRF spelt out and the key length only where there is one.
func (p *pbkdf2Params) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oidPBKDF2)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString(p.salt)
			b.AddASN1Int64(int64(p.iterations))
			if p.keyLength != 0 {
				b.AddASN1Int64(int64(p.keyLength))
			}
			addPlainAlgorithm(b, p.prf.hmacOID)
		})
	})
}

// same reports whether both make the same of a password.
func (p *pbkdf2Params) same(other *pbkdf2Params) bool {
	return p.prf == other.prf && p.iterations == other.iterations && bytes.Equal(p.salt, other.salt)
}

// clone has a salt of its own, since it may outlive the file's.
func (p *pbkdf2Params) clone() *pbkdf2Params {
	own := *p
	own.salt = bytes.Clone(p.salt)
	return &own
}

func (p *pbkdf2Params) family() family { return familyOctets }

func (p *pbkdf2Params) cost() int64 { return int64(p.iterations) }

func (p *pbkdf2Params) derive(size int) kdf {
	return pbkdf2KDF(p.prf, bytes.Clone(p.salt), p.iterations, size)
}
