package pfx

import (
	"context"
	"runtime"
	"testing"
)

// What one derivation has taken is given back before the next one begins: a file may ask for several, and a password is tried in several encodings.
func TestScryptGivesItsMemoryBack(t *testing.T) {
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	runtime.GC()
	used := heap()
	const taken = 64 << 20
	if _, err := (&scryptParams{salt: []byte("salt"), n: taken / 128 / 8, r: 8, p: 1}).derive(32)(context.Background(), []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if after := heap(); after > used+taken/2 {
		t.Errorf("%d MiB are in use, and %d were before", after>>20, used>>20)
	}
}
