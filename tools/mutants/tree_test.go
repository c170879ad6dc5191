package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const waits = `package waits

import "testing"

func TestPasses(t *testing.T) {}
func TestFails(t *testing.T)  { t.Fail() }
func TestSkips(t *testing.T)  { t.Skip() }
func TestWaits(t *testing.T)  { <-t.Context().Done() }
`

func TestTest(t *testing.T) {
	there := &tree{directory: t.TempDir()}
	for name, text := range map[string]string{"go.mod": "module waits\n\ngo 1.26\n", "waits_test.go": waits} {
		if err := os.WriteFile(filepath.Join(there.directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binaries, err := there.compile(t.Context(), []test{{".", "TestPasses"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name            string
		passes, noticed bool
	}{
		{"TestPasses", true, false},
		{"TestFails", false, true},
		{"TestWaits", false, true},
		{"TestSkips", false, false},
		{"TestNone", false, false},
	} {
		which := test{".", row.name}
		said, err := there.run(t.Context(), which, binaries["."], 2*time.Second)
		if (err == nil) != row.passes || errors.Is(err, errNoticed) != row.noticed {
			t.Errorf("%s: %v\n%s", row.name, err, said)
		}
	}
	if said, err := there.test(t.Context(), test{".", "TestFails"}, time.Minute); !errors.Is(err, errNoticed) {
		t.Errorf("built with it: %v\n%s", err, said)
	}
}
