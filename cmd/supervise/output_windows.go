package supervise

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// writeAll writes a text.
func writeAll(file *os.File, text []byte) syscall.Errno {
	_, err := file.Write(text)
	var number syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &number):
		return number
	}
	return syscall.EIO
}

// shortest and longest bound how long one look at a word is after another one.
const (
	shortest = time.Millisecond
	longest  = 10 * time.Millisecond
)

// wait returns once word is no longer value, or after a moment. Windows wakes by an address within a process only
// (WaitOnAddress), so that it is looked at again and again, and less often the longer it takes.
func wait(word *uint32, value uint32) {
	pause := shortest
	for deadline := time.Now().Add(waiting); time.Now().Before(deadline) && atomic.LoadUint32(word) == value; pause = min(2*pause, longest) {
		time.Sleep(pause)
	}
}

// wake has nothing to do: who waits looks by itself.
func wake(*uint32) {}
