package pfx

import (
	"context"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// pbkdf1Params are the PBEParameter of RFC 8018, appendix A.3: PBES1, whose key and IV are the halves of one digest.
type pbkdf1Params struct {
	digest     *digest
	salt       []byte
	iterations int
}

// pbes1Scheme is a row of RFC 8018, appendix A.3, without MD2.
type pbes1Scheme struct {
	oid, name, digest string
	cipher            *blockCipher
}

var pbes1Schemes = []pbes1Scheme{
	{"1.2.840.113549.1.5.3", "pbeWithMD5AndDES-CBC", "MD5", desCBC},
	{"1.2.840.113549.1.5.6", "pbeWithMD5AndRC2-CBC", "MD5", rc2CBC(8, 64)},
	{"1.2.840.113549.1.5.10", "pbeWithSHA1AndDES-CBC", "SHA-1", desCBC},
	{"1.2.840.113549.1.5.11", "pbeWithSHA1AndRC2-CBC", "SHA-1", rc2CBC(8, 64)},
}

// readSaltAndCount reads PBEParameter, and the pkcs-12PbeParams of RFC 7292, appendix C, which look the same.
func readSaltAndCount(parameters cryptobyte.String, where string) (salt []byte, iterations int, err error) {
	var sequence, content cryptobyte.String
	if !parameters.ReadASN1(&sequence, asn1.SEQUENCE) || !parameters.Empty() || !sequence.ReadASN1(&content, asn1.OCTET_STRING) {
		return nil, 0, damaged(where)
	}
	if err := checkSalt(len(content)); err != nil {
		return nil, 0, err
	}
	if iterations, err = readIterations(&sequence, where); err != nil {
		return nil, 0, err
	}
	if !sequence.Empty() {
		return nil, 0, damaged(where)
	}
	return content, max(1, iterations), nil // the hash is taken once before anything is counted
}

func (p *pbkdf1Params) family() family { return familyOctets }

func (p *pbkdf1Params) cost() int64 { return int64(p.iterations) }

// derive is PBKDF1 (RFC 8018, section 5.1), for at most 16 bytes.
func (p *pbkdf1Params) derive(size int) kdf {
	salt := append([]byte(nil), p.salt...)
	return func(ctx context.Context, secret []byte) ([]byte, error) {
		state := p.digest.new()
		state.Write(secret)
		state.Write(salt)
		sum := state.Sum(nil)
		defer clear(sum)
		for i := 1; i < p.iterations; i++ {
			if i%pauseEvery == 0 && ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			state.Reset()
			state.Write(sum)
			sum = state.Sum(sum[:0])
		}
		return append([]byte(nil), sum[:size]...), nil
	}
}
