package softhsmtests

import (
	"bytes"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
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
	const room = 64 // for what is below it
	parent := os.TempDir()
	if len(parent) > len(unix.RawSockaddrUnix{}.Path)-room {
		parent = "/tmp"
	}
	directory, err := os.MkdirTemp(parent, "p11b-")
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

// givenPorts are those that freePorts gave to somebody in this process.
var givenPorts = struct {
	sync.Mutex
	all map[int]bool
}{all: map[int]bool{}}

// freePorts finds some ports in a row that nobody uses. They are below those that the kernel gives to connections, where there is room: one of
// these could be taken by a connection before the server listens.
func freePorts(t *testing.T, n int) (first int) {
	t.Helper()
	const lowest, room, highest = 10_000, 1000, 60_000
	var end int
	if _, err := fmt.Sscan(string(mustRead(t, "/proc/sys/net/ipv4/ip_local_port_range")), &end); err != nil {
		t.Fatal(err)
	}
	if end < lowest+room {
		end = highest
	}
	givenPorts.Lock()
	defer givenPorts.Unlock()
	for range 1000 {
		first = lowest + mathrand.IntN(end-lowest-n)
		free := 0
		for free < n && !givenPorts.all[first+free] && isFree(first+free) {
			free++
		}
		if free < n {
			continue
		}
		for i := range n {
			givenPorts.all[first+i] = true
		}
		return first
	}
	t.Fatalf("no %d ports in a row are free", n)
	return 0
}

// isFree reports whether a server could listen at a port.
func isFree(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	return err == nil && listener.Close() == nil
}

// server starts a program that serves a token, as startServer does.
func server(t *testing.T, environment []string, name string, args ...string) {
	t.Helper()
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), environment...)
	startServer(t, command)
}
