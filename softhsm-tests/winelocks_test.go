//go:build wine

package softhsmtests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWindowsShares has two workers in one directory: one that hangs in the middle keeps its share, and the whole, to itself until it is
// killed. Then the share is free, and what it left unfinished goes.
func TestWindowsShares(t *testing.T) {
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
	files := t.TempDir()
	all := func(shard ...string) []string {
		return append([]string{"export", "--all", "--dir", "backups", "--iterations", "1", "--json"}, shard...)
	}
	environment := append([]string{"P11APART=" + port, "P11BRIDGE_MODULE=" + w.module, "P11FAULT_MODULE=" + w.module,
		"P11BRIDGE_PIN_SOURCE=" + p.pin, "P11BRIDGE_PASSWORD_SOURCE=" + p.password}, p.environment[:1]...)
	held := func(shard ...string) (free func()) {
		log := filepath.Join(t.TempDir(), "log")
		holder := w.command(filepath.Join(w.directory, "p11bridge"), append(all(shard...), "--timeout", "10m", "--module", w.faulty)...)
		holder.Dir = files
		holder.Env = append(append(holder.Env, environment...), "P11FAULT=log,hang-after:C_WrapKey", "P11FAULT_LOG="+log)
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
	try := func(busy bool, shard ...string) {
		t.Helper()
		stdout, stderr, code := w.run(t, files, environment, all(shard...)...)
		if stated := code == 1 && strings.Contains(stdout, "directory-busy"); stated != busy || !busy && code != 0 {
			t.Errorf("%q: exit code %d, and it was to be busy: %v\n%s%s", shard, code, busy, stdout, stderr)
		}
	}
	mine, overlapping, other := "1/2", "1/3", "2/2"
	if strings.Contains(p.linux(t, 0, all("--shard", mine, "--dry-run")...), `"exported": 0`) { // the keys are new, and by chance all in one half
		mine, overlapping, other = "2/2", "3/3", "1/2"
	}
	free := held("--shard", mine)
	try(true, "--shard", mine)
	try(true, "--shard", overlapping)
	try(true)
	try(false, "--shard", other)
	free()
	eventually(t, "Windows has ended what the worker held", func() error {
		if stdout, _, code := w.run(t, files, environment, all("--shard", mine)...); code != 0 {
			return fmt.Errorf("exit code %d: %s", code, stdout)
		}
		return nil
	})
	if err := os.RemoveAll(filepath.Join(files, "backups")); err != nil {
		t.Fatal(err)
	}
	free = held()
	try(true)
	try(true, "--shard", mine)
	free()
	eventually(t, "the directory is free", func() error {
		if stdout, _, code := w.run(t, files, environment, all()...); code != 0 {
			return fmt.Errorf("exit code %d: %s", code, stdout)
		}
		return nil
	})
	if left, err := filepath.Glob(filepath.Join(files, "backups", ".*")); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
	if backups, err := filepath.Glob(filepath.Join(files, "backups", "*.pfx")); err != nil || len(backups) != 8 {
		t.Errorf("%d backups: %v", len(backups), err)
	}
}
