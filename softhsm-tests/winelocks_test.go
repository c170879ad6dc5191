//go:build wine

package softhsmtests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shareWorkers are workers of export --all in one directory, on one token.
type shareWorkers struct {
	*wine
	place       *place
	files       string
	environment []string
}

func newShareWorkers(t *testing.T) *shareWorkers {
	t.Helper()
	w := newWine(t)
	specimens := "token \"test\"\n"
	for i := range 8 {
		specimens += fmt.Sprintf("label=\"key%d\" id=%02d key=p256 policy=wrappable certificate=valid imported\n", i, i)
	}
	p := newPlace(t, specimens)
	port, stop, err := w.serve(softHSM(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	environment := append([]string{"P11APART=" + port, "P11BRIDGE_MODULE=" + w.module, "P11FAULT_MODULE=" + w.module,
		"P11BRIDGE_PIN_SOURCE=" + p.pin, "P11BRIDGE_PASSWORD_SOURCE=" + p.password}, p.environment[:1]...)
	return &shareWorkers{w, p, t.TempDir(), environment}
}

// exportAll is the command line of a worker.
func exportAll(shard ...string) []string {
	return append([]string{"export", "--all", "--dir", "backups", "--iterations", "1", "--json"}, shard...)
}

// hold starts a worker that hangs in the middle, until free kills it.
func (s *shareWorkers) hold(t *testing.T, shard ...string) (free func()) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	holder := s.command(filepath.Join(s.directory, "p11bridge"), append(exportAll(shard...), "--timeout", "10m", "--module", s.faulty)...)
	holder.Dir = s.files
	holder.Env = append(append(holder.Env, s.environment...), "P11FAULT=log,hang-after:C_WrapKey", "P11FAULT_LOG="+log)
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the worker is in the middle", func() error {
		if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "C_WrapKey") {
			return fmt.Errorf("C_WrapKey was not called: %w", err)
		}
		return nil
	})
	return func() {
		if err := holder.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = holder.Wait() // it was killed
	}
}

// try runs a worker that is to be done, or to find the directory busy.
func (s *shareWorkers) try(t *testing.T, busy bool, shard ...string) {
	t.Helper()
	stdout, stderr, code := s.run(t, s.files, s.environment, exportAll(shard...)...)
	if stated := code == 1 && strings.Contains(stdout, "directory-busy"); stated != busy || !busy && code != 0 {
		t.Errorf("%q: exit code %d, and it was to be busy: %v\n%s%s", shard, code, busy, stdout, stderr)
	}
}

// becomesFree waits until a worker gets through: Windows ends what a killed one held in its own time.
func (s *shareWorkers) becomesFree(t *testing.T, shard ...string) {
	t.Helper()
	eventually(t, "the directory is free", func() error {
		if stdout, _, code := s.run(t, s.files, s.environment, exportAll(shard...)...); code != 0 {
			return fmt.Errorf("exit code %d: %s", code, stdout)
		}
		return nil
	})
}

// TestWindowsShares has two workers in one directory: one that hangs in the middle keeps its share, and the whole, to itself until it is
// killed. Then the share is free, and what it left unfinished goes.
func TestWindowsShares(t *testing.T) {
	s := newShareWorkers(t)
	mine, overlapping, other := "1/2", "1/3", "2/2"
	if strings.Contains(s.place.linux(t, 0, exportAll("--shard", mine, "--dry-run")...), `"exported": 0`) { // the keys are new, and by chance all in one half
		mine, overlapping, other = "2/2", "3/3", "1/2"
	}
	free := s.hold(t, "--shard", mine)
	s.try(t, true, "--shard", mine)
	s.try(t, true, "--shard", overlapping)
	s.try(t, true)
	s.try(t, false, "--shard", other)
	free()
	s.becomesFree(t, "--shard", mine)
	if err := os.RemoveAll(filepath.Join(s.files, "backups")); err != nil {
		t.Fatal(err)
	}
	free = s.hold(t)
	s.try(t, true)
	s.try(t, true, "--shard", mine)
	free()
	s.becomesFree(t)
	if left, err := filepath.Glob(filepath.Join(s.files, "backups", ".*")); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
	if backups, err := filepath.Glob(filepath.Join(s.files, "backups", "*.pfx")); err != nil || len(backups) != 8 {
		t.Errorf("%d backups: %v", len(backups), err)
	}
}
