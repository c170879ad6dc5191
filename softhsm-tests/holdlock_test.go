package softhsmtests

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// holdLock runs a program while it keeps an SQLite file locked, as another program does in the middle of writing: the lock bytes
// are at 1 GiB (SQLite's file format, section 1.4). It gives the program's exit code.
func holdLock() int {
	file, err := os.OpenFile(os.Args[1], os.O_RDWR, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: 1 << 30, Len: 512}
	if err := unix.FcntlFlock(file.Fd(), unix.F_SETLK, &lock); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	command := exec.Command(os.Args[2], os.Args[3:]...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); command.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	return command.ProcessState.ExitCode()
}
