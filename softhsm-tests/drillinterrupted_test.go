package softhsmtests

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"p11bridge/bridge/demo"
)

// TestInterruptedDrillLeavesNothing strikes a drill while it opens a file: its tokens are destroyed all the same, and the record says
// nothing of it.
func TestInterruptedDrillLeavesNothing(t *testing.T) {
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
			before := drillTokens(t)
			r := start(t, product(context.Background(), p.environment, "drill", "--dir", backups, "--password-source", p.password))
			var during map[string]bool // those of other tests as well: they end, too
			until(t, "the tokens are made", func() bool {
				during = drillTokens(t)
				for directory := range during {
					if !before[directory] {
						return true
					}
				}
				return false
			})
			if err := strike.hit(r); err != nil {
				t.Fatal(err)
			}
			if code := r.ends(t); code != strike.code {
				t.Errorf("exit code %d\n%s", code, r.stderr.String())
			}
			until(t, "the tokens are destroyed", func() bool {
				for directory := range drillTokens(t) {
					if during[directory] && !before[directory] {
						return false
					}
				}
				return true
			})
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

// drillTokens are the directories of the drills that run now.
func drillTokens(t *testing.T) map[string]bool {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(demo.MemoryDirectory(), ".p11bridge-*"))
	if err != nil {
		t.Fatal(err)
	}
	directories := map[string]bool{}
	for _, directory := range found {
		directories[directory] = true
	}
	return directories
}
