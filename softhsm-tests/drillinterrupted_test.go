package softhsmtests

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"p11bridge/bridge/demo"
)

// TestInterruptedDrillLeavesNothingLong strikes a drill while it opens a file: its tokens are destroyed all the same, and the record says
// nothing of it.
func TestInterruptedDrillLeavesNothingLong(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	backups := p.path("backups")
	r := start(t, product(context.Background(), p.environment, append([]string{"export", "--all", "--dir", backups, "--pin-source", p.pin, "--password-source", p.password}, slow...)...))
	if code := r.ends(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, r.stderr.String())
	}
	for _, strike := range []struct {
		name string
		hit  func(r *running) error
		code int
	}{
		{"SIGINT", func(r *running) error { return r.Process.Signal(unix.SIGINT) }, 1},
		{"SIGTERM", func(r *running) error { return r.Process.Signal(unix.SIGTERM) }, 1},
		{"the worker killed", func(r *running) error { return unix.Kill(r.child(t), unix.SIGKILL) }, 1},
	} {
		t.Run(strike.name, func(t *testing.T) {
			r := start(t, product(context.Background(), p.environment, "drill", "--dir", backups, "--password-source", p.password))
			worker := r.child(t)
			until(t, "the tokens are made", func() bool { return len(drillTokens(t, worker)) > 0 })
			if err := strike.hit(r); err != nil {
				t.Fatal(err)
			}
			if code := r.ends(t); code != strike.code {
				t.Errorf("exit code %d\n%s", code, r.stderr.String())
			}
			if left := drillTokens(t, worker); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
	records, err := filepath.Glob(filepath.Join(backups, "*.json"))
	if err != nil || len(records) != 1 {
		t.Fatalf("%v, %v", records, err)
	}
	if text, err := os.ReadFile(records[0]); err != nil || strings.Contains(string(text), "last_drill") {
		t.Errorf("%v, %s", err, text)
	}
}

// drillTokens are the directories with the tokens of the drill's worker.
func drillTokens(t *testing.T, worker int) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(demo.MemoryDirectory(), fmt.Sprintf(".p11bridge-*-%d", worker)))
	if err != nil {
		t.Fatal(err)
	}
	return found
}
