package secret_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"p11bridge/token/secret"
)

// locked is how much memory of this process is locked, in kB (proc(5), VmLck).
func locked(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`VmLck:\s+(\d+) kB`).FindSubmatch(status)
	if match == nil {
		t.Fatalf("no VmLck in\n%s", status)
	}
	n, err := strconv.Atoi(string(match[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNewLocksTheSecret(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil || limit.Cur < 64<<10 {
		t.Fatalf("no memory may be locked here: %v, %d bytes", err, limit.Cur)
	}
	first := locked(t)
	pin := secret.New(make([]byte, 16<<10))
	if after := locked(t); after < first+16 {
		t.Errorf("%d kB locked before, %d kB after", first, after)
	}
	pin.Wipe()
}
