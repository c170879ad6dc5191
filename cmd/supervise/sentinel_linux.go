package supervise

import "golang.org/x/sys/unix"

// sentinel is a descriptor that nothing uses. A module that closes descriptors which are not its own, by their numbers, closes it too.
type sentinel struct {
	descriptor int // -1 where there is none to be had
	file       identity
}

func newSentinel() *sentinel {
	descriptor, err := unix.MemfdCreate("p11bridge-sentinel", unix.MFD_CLOEXEC)
	if err != nil {
		return &sentinel{descriptor: -1}
	}
	file, err := identityOf(descriptor)
	if err != nil {
		return &sentinel{descriptor: -1}
	}
	return &sentinel{descriptor, file}
}

// gone reports whether it was closed, whatever has its number now.
func (s *sentinel) gone() bool {
	if s == nil || s.descriptor < 0 {
		return false
	}
	file, err := identityOf(s.descriptor)
	return err != nil || file != s.file
}
