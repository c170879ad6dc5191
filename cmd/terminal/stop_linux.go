package terminal

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Stop does what SIGTSTP does by default, for a process that was notified of it, and returns once the process goes on. A
// process of an orphaned group does not stop: no shell is there to let it go on (POSIX.1-2017, XBD 3.264).
func Stop() error {
	if orphaned() {
		return nil
	}
	resume := between.pause()
	defer resume()
	runtime.LockOSThread() // a signal to this very thread acts before the call returns
	defer runtime.UnlockOSThread()
	return unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)
}

// orphaned looks for an ancestor of this process that is in the same session and in another process group, as the shell is
// that started the group.
func orphaned() bool {
	group := unix.Getpgrp()
	session, err := unix.Getsid(0)
	if err != nil {
		return true
	}
	for pid := os.Getppid(); pid > 1; pid = parentOf(pid) {
		if other, err := unix.Getpgid(pid); err != nil || other != group {
			its, sidErr := unix.Getsid(pid)
			return err != nil || sidErr != nil || its != session
		}
	}
	return true
}

// parentOf is the parent of a process (proc_pid_stat(5)), 0 where it cannot be found out.
func parentOf(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name of the program, in parentheses, may have blanks and parentheses in it; the state and the parent follow.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return parent
}
