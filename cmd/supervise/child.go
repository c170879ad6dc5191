package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"p11bridge/token/secret"
)

// Child is the working half of a supervised command.
type Child struct {
	Page *Page
	Out  *os.File // our own standard output and error, which the module cannot reach by number
	Err  *os.File
}

// ErrIsParent means that this process was not started by another one of its kind.
var ErrIsParent = errors.New("not a child process")

// BecomeChild takes over the descriptors that the parent left, which are none of the user's, and forbids core dumps. In the
// parent the error is ErrIsParent. The module gets the standard output and error that C code knows; ours move to other
// numbers.
func BecomeChild(given Descriptors) (*Child, error) {
	descriptors := os.Getenv(childVariable)
	if descriptors == "" {
		return nil, ErrIsParent
	}
	if err := ForbidCoreDumps(); err != nil {
		return nil, err
	}
	if err := os.Unsetenv(childVariable); err != nil {
		return nil, fmt.Errorf("child process: %w", err)
	}
	first, err := strconv.Atoi(descriptors)
	if err != nil || first < 3 {
		return nil, fmt.Errorf("child process: %s is set by hand", childVariable)
	}
	for fd := first; fd < first+3; fd++ {
		unix.CloseOnExec(fd)
		given.forget(fd)
	}
	page, err := mapCallPage(os.NewFile(uintptr(first), "calls"))
	if err != nil {
		return nil, err
	}
	c := &Child{Page: page}
	if c.Out, err = moveAway(unix.Stdout, first+1); err != nil {
		return nil, err
	}
	if c.Err, err = moveAway(unix.Stderr, first+1); err != nil {
		return nil, err
	}
	// A fault in the module ends the process by a signal, not with an exit code of ours, and what Go's runtime says of it
	// goes where the module cannot add to it.
	debug.SetTraceback("crash")
	if err := debug.SetCrashOutput(os.NewFile(uintptr(first+2), "crash"), debug.CrashOptions{}); err != nil {
		return nil, fmt.Errorf("child process: %w", err)
	}
	secret.LockProcess()
	return c, nil
}

// moveAway gives a standard stream a new number and puts the replacement at the old one.
func moveAway(fd, replacement int) (*os.File, error) {
	moved, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 64)
	if err != nil {
		return nil, fmt.Errorf("child process: %w", err)
	}
	if err := unix.Dup2(replacement, fd); err != nil {
		return nil, fmt.Errorf("child process: %w", err)
	}
	return os.NewFile(uintptr(moved), "standard stream"), nil
}

// ForbidCoreDumps keeps PINs and keys out of core files, and other processes of the same user from attaching.
func ForbidCoreDumps() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}

// EndUnheeded ends this process where a signal was not heeded: the module may not return, and the parent, who would end
// it, may be gone.
func EndUnheeded(ctx context.Context) {
	<-ctx.Done()
	time.Sleep(2 * graceAfterSignal)
	// Nobody can refuse this signal, so there is no error to look at.
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
}
