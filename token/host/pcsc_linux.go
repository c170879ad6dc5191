package host

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// pcscSocket is where pcscd listens on Linux; PCSCLITE_CSOCK_NAME tells libpcsclite another place.
const pcscSocket = "/run/pcscd/pcscd.comm"

// FindPCSCDaemon connects to pcscd's socket, says nothing there, and looks for its process.
func FindPCSCDaemon() PCSCDaemon {
	daemon := PCSCDaemon{Socket: os.Getenv("PCSCLITE_CSOCK_NAME"), Process: processRuns("pcscd")}
	if daemon.Socket == "" {
		daemon.Socket = pcscSocket
	}
	connection, err := net.DialTimeout("unix", daemon.Socket, 2*time.Second)
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		daemon.Problem = errno.Error()
		return daemon
	case err != nil:
		daemon.Problem = err.Error()
		return daemon
	}
	daemon.Answers = true
	if err := connection.Close(); err != nil {
		daemon.Problem = err.Error()
	}
	return daemon
}

// processRuns looks for a process by its name. One that this user may not see counts as none.
func processRuns(name string) bool {
	files, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return false
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(text)) == name {
			return true
		}
	}
	return false
}
