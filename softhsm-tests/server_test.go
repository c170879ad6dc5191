package softhsmtests

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// startServer starts a program that serves a token, in a session of its own, and kills the whole session when the test
// ends. What it wrote to standard error is in the log of a test that failed.
func startServer(t *testing.T, command *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	command.Stderr = &said
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL}
	command.WaitDelay = time.Second
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := signalSession(command.Process.Pid, unix.SIGKILL); err != nil {
			t.Error(err)
		}
		if err := command.Wait(); err != nil && t.Failed() {
			t.Logf("%s: %v\n%s", command.Path, err, said.String())
		}
	})
}

// signalSession sends a signal to every process of a session whose leader has this id. p11-kit serves each client in a
// process of its own.
func signalSession(leader int, signal unix.Signal) error {
	if err := unix.Kill(-leader, signal); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// eventually waits until there is no error.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(lastMoment()) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// exists is for a socket that a server makes when it is ready.
func exists(path string) func() error {
	return func() error { _, err := os.Stat(path); return err }
}

// socketDirectory is a directory with a name that is short enough for a socket's address (sun_path has 108 bytes), which
// t.TempDir is not.
func socketDirectory(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "p11b-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	return directory
}

// portPair finds two ports in a row that nobody uses: a TPM has one for commands and the next one for control.
func portPair(t *testing.T) int {
	t.Helper()
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := first.Addr().(*net.TCPAddr).Port
		second, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1)))
		if closed := first.Close(); closed != nil {
			t.Fatal(closed)
		}
		if err != nil {
			continue
		}
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no two ports in a row are free")
	return 0
}

// server starts a program that serves a token, as startServer does.
func server(t *testing.T, environment []string, name string, args ...string) {
	t.Helper()
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), environment...)
	startServer(t, command)
}
