package supervise

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Descriptors are the file descriptors that this process was started with. Go's runtime opens files of its own, under the
// lowest free numbers and before any code of ours runs: with a number that is open alone, "fd:3" could be a file of the
// control group. Only a descriptor without FD_CLOEXEC came through execve(2), so only that is the user's.
type Descriptors struct{ given map[int]identity }

// identity is the file behind a descriptor.
type identity struct{ device, inode uint64 }

// FindDescriptors looks which descriptors came through execve(2). It is to run before anything is opened.
func FindDescriptors() Descriptors {
	d := Descriptors{map[int]identity{}}
	for _, fd := range openDescriptors() {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue
		}
		if id, err := identityOf(fd); err == nil {
			d.given[fd] = id
		}
	}
	return d
}

// openDescriptors are those that are open, and perhaps others, by one call in place of a thousand. All of them, where the limit of open
// files is lower than so many: poll(2) asks for no more.
func openDescriptors() []int {
	var open []int
	asked := make([]unix.PollFd, MaxDescriptor+1)
	for fd := range asked {
		asked[fd].Fd = int32(fd)
	}
	_, err := unix.Poll(asked, 0)
	for fd, answer := range asked {
		if err != nil || answer.Revents&unix.POLLNVAL == 0 {
			open = append(open, fd)
		}
	}
	return open
}

func identityOf(fd int) (identity, error) {
	var info unix.Stat_t
	err := unix.Fstat(fd, &info)
	return identity{uint64(info.Dev), info.Ino}, err
}

// forget takes a descriptor off the list: it is this program's own.
func (d Descriptors) forget(fd int) { delete(d.given, fd) }

// Has reports whether the process was started with the descriptor. Standard output and error are no sources: in the process
// that works they are the module's.
func (d Descriptors) Has(fd int) bool {
	_, given := d.given[fd]
	return given && fd != unix.Stdout && fd != unix.Stderr
}

// Take gives the descriptor as a file, once. The error is ErrNotGiven or ErrDescriptorChanged.
func (d Descriptors) Take(fd int) (*os.File, error) {
	if !d.Has(fd) {
		return nil, ErrNotGiven
	}
	given := d.given[fd]
	d.given[fd] = identity{}
	if now, err := identityOf(fd); err != nil || now != given {
		return nil, ErrDescriptorChanged
	}
	return os.NewFile(uintptr(fd), "fd:"+strconv.Itoa(fd)), nil
}

// handDown gives the files for exec.Cmd's ExtraFiles, so that the descriptors keep their numbers, and the number that the
// next file would have. They are duplicates: an *os.File that nobody holds any more closes its descriptor, and whatever is opened next
// would have the number that the user named, in the next child, too.
func handDown(descriptors []int) (files []*os.File, next int, err error) {
	next = 3
	for _, fd := range descriptors {
		next = max(next, fd+1)
	}
	files = make([]*os.File, next-3)
	for _, fd := range descriptors {
		if fd < 3 || files[fd-3] != nil {
			continue
		}
		duplicate, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, 0, fmt.Errorf("hand down fd:%d: %w", fd, err)
		}
		files[fd-3] = os.NewFile(uintptr(duplicate), "fd:"+strconv.Itoa(fd))
	}
	return files, next, nil
}
