package supervise

import (
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestHandedDownStaysOpen: a child that is started again gets what the first one got. The files of the first start are garbage by then,
// and what the collector closes with them must not be the user's descriptor: its number would go to whatever is opened next.
func TestHandedDownStaysOpen(t *testing.T) {
	pipe, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	given, err := unix.Dup(int(pipe.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	userFile, err := identityOf(given)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := handDown([]int{given}); err != nil {
		t.Fatal(err)
	}
	collectFiles(t)
	if now, err := identityOf(given); err != nil || now != userFile {
		t.Errorf("the descriptor that was handed down is %v by now, was %v: %v", now, userFile, err)
	}
}

// TestDescriptorsAreFound: what a process was started with is found, also where fewer files may be open than are looked for.
func TestDescriptorsAreFound(t *testing.T) {
	given, err := unix.Dup(0) // without FD_CLOEXEC, as if it had come through execve
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(given)
	closed, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(closed); err != nil {
		t.Fatal(err)
	}
	own, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, closed+1)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(own)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for _, most := range []uint64{limit.Cur, min(limit.Cur, MaxDescriptor/2)} {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
		found := FindDescriptors()
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		if !found.Has(given) || found.Has(closed) || found.Has(own) {
			t.Errorf("where %d files may be open: the given one %v, a closed one %v, one of ours %v", most, found.Has(given), found.Has(closed), found.Has(own))
		}
	}
}

// collectFiles returns once the collector has closed a file that nobody holds, twice: those that were garbage before are closed, too.
func collectFiles(t *testing.T) {
	t.Helper()
	for range 2 {
		fd, err := unix.Dup(0)
		if err != nil {
			t.Fatal(err)
		}
		os.NewFile(uintptr(fd), "garbage")
		for open := true; open; {
			runtime.GC()
			time.Sleep(time.Millisecond)
			_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			open = err == nil
		}
	}
}
