package softhsmtests

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// passesAsRoot runs a test that needs root once more in a user namespace, in which whoever runs the tests is root: only root
// may look into the memory of a process that forbids it (PR_SET_DUMPABLE), and so may the namespace's root for processes
// within. It is false where the caller is root already, and has to do the work.
func passesAsRoot(t *testing.T) bool {
	t.Helper()
	if os.Getuid() == 0 {
		return false
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rest := time.Until(lastMoment()).Round(time.Second)
	command := exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout="+rest.String())
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := command.CombinedOutput()
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EINVAL):
		t.Fatalf("this test needs root or a user namespace, and this machine forbids the namespaces (%v)", err)
	case err != nil:
		t.Fatalf("in a user namespace: %v\n%s", err, out)
	case !strings.Contains(string(out), fmt.Sprintf("--- PASS: %s ", t.Name())):
		t.Fatalf("in a user namespace nothing ran:\n%s", out)
	}
	t.Logf("in a user namespace:\n%s", out)
	return true
}
