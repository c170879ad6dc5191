package view

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"p11bridge/token"
)

// FuzzReadSnapshot reads whatever somebody may send as a snapshot. What is taken can be put together, and is taken again when
// it is written.
func FuzzReadSnapshot(f *testing.F) {
	whole := Snapshot{Schema: SnapshotSchema, Created: time.Unix(1_700_000_000, 0).UTC(), Tokens: []*token.Inventory{{}}}
	text, err := json.Marshal(whole)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"schema":"p11bridge.snapshot/1","created":"2026-01-01T00:00:00Z","redacted":false,"tokens":[]}`))
	f.Add([]byte(`{"schema":"p11bridge.snapshot/2"}`))
	f.Add([]byte(`{"schema":"p11bridge.snapshot/1","created":"2026-01-01T00:00:00Z","redacted":false,"tokens":[null]}`))
	f.Add([]byte(`{}{}`))
	path := filepath.Join(f.TempDir(), "snapshot.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		read := func(text []byte) (*Snapshot, error) {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			return ReadSnapshot(path)
		}
		snapshot, err := read(text)
		if err != nil {
			if problem := (*SnapshotError)(nil); !errors.As(err, &problem) || problem.Error() == "" {
				t.Fatalf("the error %v", err)
			}
			return
		}
		for _, inventory := range snapshot.Tokens {
			inventory.Identities()
		}
		again, err := json.Marshal(snapshot)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read(again); err != nil {
			t.Fatalf("%s was taken, and what it holds is not: %s: %v", text, again, err)
		}
	})
}
