package pfx

import (
	"context"
	"crypto/pbkdf2"
	"fmt"
	"slices"
)

// What a derivation of RFC 7292, appendix B.3, is for.
const (
	purposeKey = 1
	purposeIV  = 2
	purposeMAC = 3
)

// pauseEvery is how many iterations pass between two looks at the context.
const pauseEvery = 4096

// kdf derives from a password in the encoding that its family wants.
type kdf func(ctx context.Context, secret []byte) ([]byte, error)

// repeater replaces a digest by the digest of it, so many times.
type repeater func(ctx context.Context, d *digest, sum []byte, times int) error

// repeatHash is the repeater of the standard library. One hash state and one buffer serve all iterations.
func repeatHash(ctx context.Context, d *digest, sum []byte, times int) error {
	state := d.new()
	defer state.Reset()
	for i := range times {
		if i%pauseEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		state.Reset()
		state.Write(sum)
		state.Sum(sum[:0])
	}
	return nil
}

// deriveBMP is the key derivation of RFC 7292, appendix B.2, for size bytes.
func deriveBMP(ctx context.Context, repeat repeater, d *digest, purpose byte, encoded, salt []byte, iterations, size int) ([]byte, error) {
	diversifier := make([]byte, d.block)
	for i := range diversifier {
		diversifier[i] = purpose
	}
	input := append(stretch(salt, d.block), stretch(encoded, d.block)...)
	defer clear(input)

	state := d.new()
	sum := make([]byte, 0, d.size)
	repeated := make([]byte, d.block)
	defer func() { clear(sum[:cap(sum)]); clear(repeated); state.Reset() }()

	result := make([]byte, 0, size+d.size)
	for {
		state.Reset()
		state.Write(diversifier)
		state.Write(input)
		sum = state.Sum(sum[:0])
		if err := repeat(ctx, d, sum, iterations-1); err != nil {
			clear(result)
			return nil, err
		}
		result = append(result, sum...)
		if len(result) >= size {
			clear(result[size:])
			return result[:size], nil
		}
		for i := range repeated {
			repeated[i] = sum[i%len(sum)]
		}
		for block := input; len(block) > 0; block = block[d.block:] {
			addPlusOne(block[:d.block], repeated)
		}
	}
}

// hasShortNumber reports whether a number on the way to the key of newTripleDES begins with a zero byte. gpgsm of GnuPG 2.2 loses that byte, and
// with it the key: it does not open one in about sixty files of any maker, and says that the password may be wrong.
func hasShortNumber(ctx context.Context, encoded, salt []byte, iterations int) (bool, error) {
	d := digestNamed("SHA-1")
	sum, err := deriveBMP(ctx, repeatHash, d, purposeKey, encoded, salt, iterations, d.size)
	if err != nil {
		return false, err
	}
	addend := stretch(sum, d.block)
	numbers := append(stretch(salt, d.block), stretch(encoded, d.block)...)
	defer func() { clear(sum); clear(addend); clear(numbers) }()
	for block := numbers; len(block) > 0; block = block[d.block:] {
		addPlusOne(block[:d.block], addend)
		if block[0] == 0 {
			return true, nil
		}
	}
	return false, nil
}

// stretch repeats data to the next multiple of block; nothing stays nothing.
func stretch(data []byte, block int) []byte {
	if len(data) == 0 {
		return nil
	}
	stretched := make([]byte, (len(data)+block-1)/block*block)
	for i := range stretched {
		stretched[i] = data[i%len(data)]
	}
	return stretched
}

// addPlusOne sets sum to sum + addend + 1 as big-endian numbers of the same length, without the carry.
func addPlusOne(sum, addend []byte) {
	carry := 1
	for i := len(sum) - 1; i >= 0; i-- {
		carry += int(sum[i]) + int(addend[i])
		sum[i] = byte(carry)
		carry >>= 8
	}
}

// bmpKDF derives with RFC 7292, appendix B, once for every purpose and joins the results.
func bmpKDF(repeat repeater, d *digest, salt []byte, iterations int, parts ...bmpPart) kdf {
	return func(ctx context.Context, secret []byte) ([]byte, error) {
		var result []byte
		for _, part := range parts {
			if part.size == 0 {
				continue
			}
			derived, err := deriveBMP(ctx, repeat, d, part.purpose, secret, salt, iterations, part.size)
			if err != nil {
				clear(result)
				return nil, err
			}
			longer := slices.Concat(result, derived)
			clear(result)
			clear(derived)
			result = longer
		}
		return result, nil
	}
}

// pbkdf2KDF derives with PBKDF2 (RFC 8018, section 5.2). It cannot be interrupted, and crypto/pbkdf2 takes a string,
// so that one copy of the password is left to the garbage collector.
func pbkdf2KDF(d *digest, salt []byte, iterations, size int) kdf {
	return func(_ context.Context, secret []byte) ([]byte, error) {
		derived, err := pbkdf2.Key(d.new, string(secret), salt, iterations, size)
		if err != nil {
			return nil, fmt.Errorf("pfx: pbkdf2: %w", err)
		}
		return derived, nil
	}
}
