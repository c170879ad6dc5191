package pfx

import (
	"bytes"
	"context"
	"errors"

	"p11bridge/bridge/pfx/sha2"
)

// What this package writes is derived by bridge/pfx/sha2 where the processor has the instructions for it: it is much faster, and what
// proves the file, with the derivations of the standard library, shares nothing with it. What is read is never derived so.

// pairable is a derivation that can be made beside another one: one of PBKDF2, or the chain of hashes of RFC 7292, appendix B.2.
type pairable struct {
	salt             []byte
	iterations, size int
	// purpose is the chain's; 0 for PBKDF2.
	purpose byte
}

// goesWith reports whether both are made in little more than the time of one: two of PBKDF2 with the same count, or one and a chain.
func (p *pairable) goesWith(other *pairable) bool {
	if p.purpose == 0 && other.purpose == 0 {
		return p.iterations == other.iterations
	}
	return p.purpose == 0 || other.purpose == 0
}

// writing is the derivation of a key by which something is written. Where there is no kdf, it is deriveOwn that makes it.
func writing(source keySource, size int) (kdf, *pairable) {
	switch s := source.(type) {
	case *pbkdf2Params:
		if s.prf.name == "SHA-256" && sha2.Fits(sha2.Input{Salt: s.salt}, s.iterations, size) {
			return nil, &pairable{s.salt, s.iterations, size, 0}
		}
	case *bmpSource:
		if s.digest != "SHA-256" || !sha2.Available() {
			break
		}
		alone := bmpKDF(repeatOwn, digestNamed(s.digest), s.salt, s.iterations, s.parts[:]...)
		if s.parts[0].size > sha2.Size || s.parts[1].size > 0 { // more than one chain
			return alone, nil
		}
		return alone, &pairable{s.salt, s.iterations, size, s.parts[0].purpose}
	}
	return source.derive(size), nil
}

// deriveOwn makes one derivation of PBKDF2, or a pair.
func deriveOwn(ctx context.Context, ones []*derivation) {
	if len(ones) == 2 && ones[0].pair.purpose != 0 {
		ones = []*derivation{ones[1], ones[0]}
	}
	if len(ones) == 2 && ones[1].pair.purpose != 0 {
		deriveBesideChain(ctx, ones[0], ones[1])
		return
	}
	var inputs []sha2.Input
	for _, one := range ones {
		inputs = append(inputs, one.input())
	}
	for i, key := range sha2.Derive(ones[0].pair.iterations, inputs...) {
		ones[i].take(key)
	}
}

// deriveBesideChain makes a derivation of PBKDF2 with a chain in the gaps of it.
func deriveBesideChain(ctx context.Context, one, chain *derivation) {
	begun, err := deriveBMP(ctx, repeatHash, digestNamed("SHA-256"), chain.pair.purpose, chain.secret, chain.pair.salt, 1, sha2.Size)
	if err != nil {
		one.err, chain.err = err, err
		return
	}
	value := [sha2.Size]byte(begun)
	defer func() { clear(begun); clear(value[:]) }()
	one.take(sha2.DeriveBeside(one.pair.iterations, one.input(), &value, chain.pair.iterations-1))
	chain.take(bytes.Clone(value[:]))
}

func (d *derivation) input() sha2.Input { return sha2.Input{Password: d.secret, Salt: d.pair.salt} }

// take shortens a result to its size.
func (d *derivation) take(result []byte) {
	clear(result[d.pair.size:])
	d.result = result[:d.pair.size]
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
