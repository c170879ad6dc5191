package pfx

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"sync"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/scrypt"
)

const (
	// maxScryptMemory bounds the memory of one derivation in bytes. OpenSSL writes files that need 16 MiB.
	maxScryptMemory = 256 << 20
	// maxScryptBlock keeps r*p below what RFC 7914, section 2, allows, and every product below in an int64.
	maxScryptBlock = 1 << 16
)

// scryptParams are the scrypt-params of RFC 7914, section 7.1.
type scryptParams struct {
	salt      []byte
	n, r, p   int
	keyLength int // 0 where the file does not say
}

// readScrypt reads what a limit allows.
func readScrypt(parameters cryptobyte.String) (*scryptParams, error) {
	const where = "scrypt parameters"
	var sequence, salt cryptobyte.String
	var n, r, p, length int64
	if !parameters.ReadASN1(&sequence, asn1.SEQUENCE) || !parameters.Empty() || !sequence.ReadASN1(&salt, asn1.OCTET_STRING) ||
		!sequence.ReadASN1Integer(&n) || !sequence.ReadASN1Integer(&r) || !sequence.ReadASN1Integer(&p) {
		return nil, damaged(where)
	}
	if !sequence.Empty() && (!sequence.ReadASN1Integer(&length) || length < 1 || length > math.MaxInt32 || !sequence.Empty()) {
		return nil, damaged(where)
	}
	if err := checkSalt(len(salt)); err != nil {
		return nil, err
	}
	if n < 2 || n&(n-1) != 0 || r < 1 || p < 1 {
		return nil, damaged(where)
	}
	if r > maxScryptBlock || p > maxScryptBlock || n > maxScryptMemory/(128*r) {
		return nil, &LimitError{What: LimitScryptMemory, Value: memory(n, r, p), Bound: maxScryptMemory}
	}
	return &scryptParams{salt: salt, n: int(n), r: int(r), p: int(p), keyLength: int(length)}, nil
}

// memory is 128*r*(n+p) bytes, or as much as a number can say.
func memory(n, r, p int64) int64 {
	if r > maxScryptBlock || p > maxScryptBlock || n > math.MaxInt64/(128*maxScryptBlock)-p {
		return math.MaxInt64
	}
	return 128 * r * (n + p)
}

func (s *scryptParams) family() family { return familyOctets }

// cost is counted in iterations of PBKDF2: one step of scrypt mixes 128*r bytes twice, which takes about as long for r = 1.
func (s *scryptParams) cost() int64 { return int64(s.n) * int64(s.r) * int64(s.p) }

// muchMemory is from where on the memory of a derivation is given back at once.
const muchMemory = 32 << 20

// oneScrypt lets one derivation have its memory at a time.
var oneScrypt sync.Mutex

// derive cannot be interrupted.
func (s *scryptParams) derive(size int) kdf {
	salt := append([]byte(nil), s.salt...)
	return func(_ context.Context, secret []byte) ([]byte, error) {
		oneScrypt.Lock()
		defer oneScrypt.Unlock()
		if 128*s.n*s.r >= muchMemory { // the next one begins before anybody would look for what this one has left
			defer debug.FreeOSMemory()
		}
		derived, err := scrypt.Key(secret, salt, s.n, s.r, s.p, size)
		if err != nil {
			return nil, fmt.Errorf("pfx: scrypt: %w", err)
		}
		return derived, nil
	}
}
