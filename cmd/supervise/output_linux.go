package supervise

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// writeAll writes by the system call alone: os.File would end the process where a pipe's reader has gone.
func writeAll(file *os.File, text []byte) syscall.Errno {
	fd := int(file.Fd())
	for len(text) > 0 {
		n, err := unix.Write(fd, text)
		var number syscall.Errno
		switch {
		case err == nil && n > 0:
			text = text[n:]
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1); err != nil && !errors.Is(err, unix.EINTR) {
				return unix.EIO
			}
		case errors.As(err, &number):
			return number
		default:
			return unix.EIO
		}
	}
	return 0
}

// wait sleeps until word is no longer value and somebody wakes it, or for a moment. It may return early.
func wait(word *uint32, value uint32) {
	limit := unix.NsecToTimespec(waiting.Nanoseconds())
	// Whatever it ends with, the caller looks at the word again.
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(value), uintptr(unsafe.Pointer(&limit)), 0, 0)
}

func wake(word *uint32) {
	// Nobody may be waiting, which is no error.
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1, 0, 0, 0)
}

// The operations of futex(2), between processes.
const (
	futexWait = 0
	futexWake = 1
)
