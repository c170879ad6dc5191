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
		key, message := in.blocks()
		for at := range blockSize {
			work[i].key[at], work[i].message[at] = C.uint8_t(key[at]), C.uint8_t(message[at])
		}
		clear(key[:])
		clear(message[:])
	}
	apart(func() { C.p11b_pbkdf2(&work[0], C.int(len(inputs)), C.uint32_t(iterations)) })
	results := make([][]byte, len(inputs))
	for i := range inputs {
		results[i] = make([]byte, 0, Size)
		for _, word := range work[i].result {
			results[i] = binary.BigEndian.AppendUint32(results[i], uint32(word))
		}
	}
	return results
}

func repeat(digest *[Size]byte, times int) {
	var words [Size / 4]C.uint32_t
	defer clear(words[:])
	for i := range words {
		words[i] = C.uint32_t(binary.BigEndian.Uint32(digest[4*i:]))
	}
	apart(func() { C.p11b_sha256_repeat(&words[0], C.uint32_t(times)) })
	for i, word := range words {
		binary.BigEndian.PutUint32(digest[4*i:], uint32(word))
	}
}
