package softhsmtests

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestResultIsPrintedFirstLong has the module crash, hang or end the process in C_Finalize: every command that opens one has
// told its whole result by then, and its exit code stands.
func TestResultIsPrintedFirstLong(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, deletable)
	file := r.path("alice.pfx")
	if got := r.run(t, "", "export", "alice", "-o", file, "--iterations", "1000"); got.code != 0 {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	if err := os.Mkdir(r.path("backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"list"}, {"diagnose"}, {"snapshot", "-o", r.path("token.json"), "--force"}, {"status", "--dir", r.path("backups")},
		{"export", "alice", "-o", r.path("again.pfx"), "--force", "--iterations", "1000"},
		{"export", "--all", "--dir", r.path("all"), "--force", "--iterations", "1000"},
		{"verify", file, "--against", "alice"}, {"request", "alice", "--dry-run"}, {"delete", "alice", "--dry-run", "--yes"},
	} {
		run := func(faults string) *result {
			environment, all := r.args(t, faults, "list", "--timeout", "2s")
			all = append(slices.Clone(args), all[1:]...)
			if args[0] != "snapshot" { // its count of tokens is no list, as the test's reader of documents has it
				all = append(all, "--json")
			}
			if args[0] == "export" || args[0] == "verify" {
				all = append(all, "--password-source", "file:"+r.path("password.txt"))
			}
			return p11bridge(t, environment, all...)
		}
		sound := run("")
		if strings.Contains(sound.stdout, "p11bridge.error/1") {
			t.Fatalf("%s: %s", args, sound.stderr)
		}
		for _, fault := range []string{"crash", "exit", "hang"} {
			got := run(fault + ":C_Finalize")
			schema, _, _ := strings.Cut(sound.stdout, ",")
			if schema == "" {
				t.Fatalf("%s says nothing", args)
			}
			if got.code != sound.code || !strings.HasPrefix(got.stdout, schema) || strings.Contains(got.stdout, "p11bridge.error/1") {
				t.Errorf("%s, %s: exit code %d instead of %d\n%s%s", args, fault, got.code, sound.code, got.stdout, got.stderr)
			}
		}
	}
}
