package pfx

import (
	"context"
	"crypto/rand"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestReadersOfFewIterations: files whose password cannot be guessed are derived with few iterations, and every reader takes them. One is
// the fewest that there are; a thousand is what such files have (docs/sealing.md).
func TestReadersOfFewIterations(t *testing.T) { testReadersOfFewIterations(t, 1) }

func TestReadersOfFewIterationsLong(t *testing.T) { testReadersOfFewIterations(t, 1000) }

func testReadersOfFewIterations(t *testing.T, every ...int) {
	t.Helper()
	id := newIdentity(t, "P-256")
	for _, iterations := range every {
		file, err := Encode(context.Background(), rand.Reader, id.contents("alice"), []byte("test123"), Options{Profile: Modern, Iterations: iterations})
		must(t, err)
		for _, tool := range slices.Sorted(maps.Keys(foreignTools)) {
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, "in.p12"), file, 0o600))
			if err := foreignTools[tool](t, dir, "test123", "alice"); err != nil {
				t.Errorf("%d iterations: %v", iterations, err)
			}
		}
	}
}
