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
