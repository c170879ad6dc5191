//go:build cgo && linux && (amd64 || arm64)

package sha2

// #cgo CFLAGS: -std=gnu11 -O3 -Wall -Wextra -Werror
// #include "sha2.h"
import "C"

import (
	"encoding/binary"
	"sync"
)

// apart calls C code on a goroutine of its own, and waits for it: Go 1.26 crashes where it is called under runtime/secret, which does not
// follow to a new goroutine. Whoever calls this package may be under it.
func apart(call func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	<-done
}

var available = sync.OnceValue(func() (is bool) {
	apart(func() { is = C.p11b_sha2_available() != 0 })
	return is
})

func derive(iterations int, inputs []Input) [][]byte {
	var work [most]C.p11b_derivation // no pointers are in it
	defer clear(work[:])
	for i, in := range inputs {
		in.fill(&work[i])
	}
	apart(func() { C.p11b_pbkdf2(&work[0], C.int(len(inputs)), C.uint32_t(iterations)) })
	results := make([][]byte, len(inputs))
	for i := range inputs {
		results[i] = resultOf(&work[i])
	}
	return results
}

func deriveBeside(iterations int, in Input, digest *[Size]byte, times int) []byte {
	var work [1]C.p11b_derivation
	words := wordsOf(digest)
	defer func() { clear(work[:]); clear(words[:]) }()
	in.fill(&work[0])
	apart(func() { C.p11b_pbkdf2_beside(&work[0], C.uint32_t(iterations), &words[0], C.uint32_t(times)) })
	putWords(digest, &words)
	return resultOf(&work[0])
}

func repeat(digest *[Size]byte, times int) {
	words := wordsOf(digest)
	defer clear(words[:])
	apart(func() { C.p11b_sha256_repeat(&words[0], C.uint32_t(times)) })
	putWords(digest, &words)
}

func (in Input) fill(one *C.p11b_derivation) {
	key, message := in.blocks()
	for at := range blockSize {
		one.key[at], one.message[at] = C.uint8_t(key[at]), C.uint8_t(message[at])
	}
	clear(key[:])
	clear(message[:])
}

func resultOf(one *C.p11b_derivation) []byte {
	result := make([]byte, 0, Size)
	for _, word := range one.result {
		result = binary.BigEndian.AppendUint32(result, uint32(word))
	}
	return result
}

func wordsOf(digest *[Size]byte) (words [Size / 4]C.uint32_t) {
	for i := range words {
		words[i] = C.uint32_t(binary.BigEndian.Uint32(digest[4*i:]))
	}
	return words
}

func putWords(digest *[Size]byte, words *[Size / 4]C.uint32_t) {
	for i, word := range words {
		binary.BigEndian.PutUint32(digest[4*i:], uint32(word))
	}
}
