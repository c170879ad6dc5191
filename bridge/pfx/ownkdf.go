package pfx

import (
	"context"
	"errors"

	"p11bridge/bridge/pfx/sha2"
)

// What this package writes is derived by bridge/pfx/sha2 where the processor has the instructions for it: it is much faster, and what
// proves the file, with the derivations of the standard library, shares nothing with it. What is read is never derived so.

// pairable is a derivation that can be made beside another one.
type pairable struct {
	salt             []byte
	iterations, size int
}

// writing is the derivation of a key by which something is written.
func writing(source keySource, size int) (kdf, *pairable) {
	switch s := source.(type) {
	case *pbkdf2Params:
		if s.prf.name == "SHA-256" && sha2.Fits(sha2.Input{Salt: s.salt}, s.iterations, size) {
			return nil, &pairable{s.salt, s.iterations, size}
		}
	case *bmpSource:
		if s.digest == "SHA-256" && sha2.Available() {
			return bmpKDF(repeatOwn, digestNamed(s.digest), s.salt, s.iterations, s.parts[:]...), nil
		}
	}
	return source.derive(size), nil
}

// deriveOwn makes a derivation, and one more in the same time where there are two.
func deriveOwn(ones []*derivation) {
	var inputs []sha2.Input
	for _, one := range ones {
		inputs = append(inputs, sha2.Input{Password: one.secret, Salt: one.pair.salt})
	}
	for i, key := range sha2.Derive(ones[0].pair.iterations, inputs...) {
		clear(key[ones[i].pair.size:])
		ones[i].result = key[:ones[i].pair.size]
	}
}

// errDigestSize cannot be: it is asked of SHA-256 alone.
var errDigestSize = errors.New("pfx: not a digest of SHA-256")

// repeatOwn is repeatHash for SHA-256.
func repeatOwn(ctx context.Context, _ *digest, sum []byte, times int) error {
	if len(sum) != sha2.Size {
		return errDigestSize
	}
	value := [sha2.Size]byte(sum)
	defer clear(value[:])
	for times > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		some := min(times, 64*pauseEvery)
		sha2.Repeat(&value, some)
		times -= some
	}
	copy(sum, value[:])
	return nil
}
