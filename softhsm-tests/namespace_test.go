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
	passesWithin(t, 0)
	return true
}

// passesWithin runs a test once more in namespaces of its own, in which it is root. before are the commands of a shell that
// prepare them.
func passesWithin(t *testing.T, namespaces uintptr, original ...string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rest := time.Until(lastMoment()).Round(time.Second)
	command := exec.CommandContext(t.Context(), "sh", "-euc", strings.Join(append(original, `exec "$0" "$@"`), "\n"),
		program, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout="+rest.String())
	command.Env = append(os.Environ(), "TMPDIR="+disk, namespaced+"="+t.Name())
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: unix.SIGKILL}
	if os.Getuid() != 0 {
		command.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := command.CombinedOutput()
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EINVAL):
		t.Fatalf("this test needs namespaces of its own, and this machine forbids them (%v)", err)
	case err != nil:
		t.Fatalf("in namespaces of its own: %v\n%s", err, out)
	case !strings.Contains(string(out), fmt.Sprintf("--- PASS: %s ", t.Name())):
		t.Fatalf("in namespaces of its own nothing ran:\n%s", out)
	}
	t.Logf("in namespaces of its own:\n%s", out)
}

// namespaced is the variable that tells a test that it runs in its namespaces already.
const namespaced = "P11BRIDGE_TEST_WITHIN"
