package supervise

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
)

// Trace is what --trace writes: one line for every C_* call with its result and time. Details name mechanisms,
// attributes and slots; values, PINs and keys are never in it.
type Trace struct {
	mutex sync.Mutex
	file  *os.File
	err   error // the first failure to write, told at the end
}

func OpenTrace(path string) (*Trace, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, unix.ELOOP) {
		return nil, &archive.FileError{Path: path, Fault: archive.FileIsSymlink}
	}
	if err == nil {
		err = file.Chmod(0o600) // it may have been there before
	}
	if err != nil {
		return nil, fmt.Errorf("open the trace file: %w", err)
	}
	return &Trace{file: file}, nil
}

// ContinueTrace adds to the trace that openTrace began, under the module's name.
func ContinueTrace(path, module string) (*Trace, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open the trace file: %w", err)
	}
	t := &Trace{file: file}
	_, t.err = fmt.Fprintf(file, "# %s\n", terminal.Printable(module))
	return t, nil
}

func (t *Trace) write(function, detail string, code token.CKR, took time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	_, err := fmt.Fprintf(t.file, "%s %s %s %.3fms %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), function, code,
		float64(took.Microseconds())/1000, terminal.Printable(detail))
	if t.err == nil {
		t.err = err
	}
}

func (t *Trace) Close() error {
	if err := t.file.Close(); t.err == nil {
		t.err = err
	}
	return t.err
}
