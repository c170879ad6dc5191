package softhsmtests

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestSecretsAreLocked looks how much of the working process is locked in memory when the PIN is there and before it is sent: all of
// it where a process may lock as much as it likes, else what holds the PIN and the password, within the limit. That a command works all
// the same where nothing may be locked, the last row shows.
func TestSecretsAreLocked(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name        string
		limit       []string // the command by which the product is started
		least, most int      // kB
		lifts       bool
	}{
		{"no limit", []string{"prlimit", "--memlock=unlimited"}, 4096, 1 << 30, true},
		{"a limit", []string{"setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", "prlimit", "--memlock=65536"}, 4, 64, false},
		{"nothing", []string{"setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", "prlimit", "--memlock=0"}, 0, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			limit := row.limit
			if row.lifts && exec.Command(limit[0], append(limit[1:], "true")...).Run() != nil {
				t.Log("nobody may lift the limit here")
				return
			}
			if !row.lifts && os.Getuid() != 0 {
				limit = limit[3:] // there is no CAP_IPC_LOCK to let go of
			}
			r := newRestorable(t, deletable)
			environment, args := r.args(t, "deed:C_Login", "export", "alice", "-o", r.path("alice.pfx"), "--iterations", "1000")
			environment = append(environment, "P11FAULT_DEED=cat /proc/$PPID/status >'"+r.path("status")+"'")
			command := product(context.Background(), environment, args...)
			program, err := exec.LookPath(limit[0])
			if err != nil {
				t.Fatal(err)
			}
			command.Args = append(append(limit, command.Path), command.Args[1:]...)
			command.Path = program
			if got := finish(t, command); got.code != 0 {
				t.Fatalf("exit code %d\n%s", got.code, got.stderr)
			}
			status := string(mustRead(t, r.path("status")))
			match := regexp.MustCompile(`VmLck:\s+(\d+) kB`).FindStringSubmatch(status)
			if match == nil || !strings.Contains(status, "Name:") {
				t.Fatalf("no VmLck in\n%s", status)
			}
			if kB, err := strconv.Atoi(match[1]); err != nil || kB < row.least || kB > row.most {
				t.Errorf("%d kB are locked, not between %d and %d (%v)", kB, row.least, row.most, err)
			}
		})
	}
}
