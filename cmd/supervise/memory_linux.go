package supervise

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// shareMemory makes memory that another process can share; the file hands it over.
func shareMemory(size int) ([]byte, *os.File, error) {
	file, err := MemoryFile("p11bridge-calls")
	if err != nil {
		return nil, nil, err
	}
	if err := file.Truncate(int64(size)); err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	memory, err := mapMemory(file, size)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return memory, file, nil
}

func mapMemory(file *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// MemoryFile makes a file that lives in memory only and has no name.
func MemoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// clock is that of the system at one moment, from which on Go's own counts: that one needs no call of the system.
var clock = sync.OnceValue(func() (c struct {
	read time.Time
	at   int64
},
) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err == nil {
		c.at = t.Nano()
	}
	c.read = time.Now()
	return c
})

// monotonic is a clock that all processes share, in nanoseconds.
func monotonic() uint64 {
	c := clock()
	return uint64(c.at + int64(time.Since(c.read)))
}

// openToAppend opens a file to add to it, and no link. It waits for nobody.
func openToAppend(path string, create int) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK|create, 0o600)
}

func isLink(err error) bool { return errors.Is(err, unix.ELOOP) }

// isSpecial reports whether the error is that of a directory, or of a FIFO that nobody reads.
func isSpecial(err error) bool { return errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENXIO) }

// StampOf gives the numbers that change with a file, and whether it is a regular one.
func StampOf(path string) (stamp [loginNumbers]uint64, regular bool) {
	var info unix.Stat_t
	if unix.Stat(path, &info) != nil || info.Mode&unix.S_IFMT != unix.S_IFREG {
		return stamp, false
	}
	return [loginNumbers]uint64{uint64(info.Dev), info.Ino, uint64(info.Size), uint64(unix.TimespecToNsec(info.Mtim)), uint64(unix.TimespecToNsec(info.Ctim))}, true
}
