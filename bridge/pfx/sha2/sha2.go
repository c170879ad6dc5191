// Package sha2 derives keys with SHA-256 on the processor's own instructions, in C: PBKDF2-HMAC-SHA-256 (RFC 8018 section 5.2), two at
// once, and the repeated hash of PKCS #12 (RFC 7292 appendix B.2), alone or beside one. It shares no code with the standard library, with which what it
// derived is proven.
//
// Call Fits before Derive, and Available before Repeat: without the instructions there is nothing here, and the caller takes another way.
// The C code is called on goroutines of its own: under runtime/secret Go 1.26 crashes.
package sha2

import "crypto/sha256"

const (
	// Size is the length of what is derived, in bytes: one block of PBKDF2-HMAC-SHA-256.
	Size = 32
	// most is how many derivations are made at once.
	most = 2

	blockSize = 64
	// longestSalt leaves room for the number of the block (4 bytes) and for SHA-256's padding (at least 9).
	longestSalt = blockSize - 4 - 9
	// mostIterations is what fits the C code's number.
	mostIterations = 1<<32 - 1
)

// Input is what one key is derived from.
type Input struct{ Password, Salt []byte }

// Available reports whether this build and this processor can do it.
func Available() bool { return available() }

// Fits reports whether Derive can make a key of so many bytes of the input, in so many iterations.
func Fits(in Input, iterations, size int) bool {
	return available() && size <= Size && len(in.Salt) <= longestSalt && iterations >= 1 && iterations <= mostIterations
}

// Derive makes Size bytes of one or two inputs, each of which Fits: a second one costs little beside the first. The caller wipes them;
// nothing else is left.
func Derive(iterations int, inputs ...Input) [][]byte {
	if len(inputs) == 0 || len(inputs) > most {
		panic("sha2: one or two inputs")
	}
	return derive(iterations, inputs)
}

// DeriveBeside makes Size bytes of an input that Fits, and in nearly the same time does what Repeat does with the digest. The caller wipes
// both; nothing else is left.
func DeriveBeside(iterations int, in Input, digest *[Size]byte, times int) []byte {
	return deriveBeside(iterations, in, digest, max(times, 0))
}

// Repeat replaces a digest by the SHA-256 of it, so many times. It does nothing without Available.
func Repeat(digest *[Size]byte, times int) {
	if times > 0 {
		repeat(digest, times)
	}
}

// blocks are HMAC's key (RFC 2104 section 2) and the first message of PBKDF2, filled up behind HMAC's own block.
func (in Input) blocks() (key, message [blockSize]byte) {
	if len(in.Password) > blockSize {
		sum := sha256.Sum256(in.Password)
		copy(key[:], sum[:])
		clear(sum[:])
	} else {
		copy(key[:], in.Password)
	}
	n := copy(message[:], in.Salt)
	message[n+3] = 1 // the number of the block, 4 bytes
	message[n+4] = 0x80
	bits := 8 * (blockSize + n + 4)
	message[blockSize-2], message[blockSize-1] = byte(bits>>8), byte(bits)
	return key, message
}
