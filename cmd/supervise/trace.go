package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"p11bridge/cmd/terminal"
	"p11bridge/token"
)

// traceHead is the first line of every trace. A file that begins otherwise is somebody else's and is not written to.
const traceHead = "# p11bridge trace\n"

// TraceFault is why a file cannot be the trace.
type TraceFault string

// The faults of a trace file.
const (
	TraceIsLink    TraceFault = "link"    // a symbolic link: the trace is the owner's alone, wherever the link leads
	TraceIsSpecial TraceFault = "special" // a directory, a FIFO or a device
	TraceIsForeign TraceFault = "foreign" // it does not begin as a trace does
	TraceIsNamed   TraceFault = "named"   // the same run reads or writes this file
	TraceFailed    TraceFault = "failed"  // the system's error says why
)

// TraceError says why no trace can be written.
type TraceError struct {
	Path  string
	Fault TraceFault
	Err   error // the system's own, for TraceFailed
}

// Error names the file and the fault.
func (e *TraceError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("trace file %s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("trace file %s: %s", e.Path, e.Fault)
}

// Unwrap gives the system's error.
func (e *TraceError) Unwrap() error { return e.Err }

// Trace is what --trace writes: one line for every C_* call with its result and time. Details name mechanisms,
// attributes and slots; values, PINs and keys are never in it.
type Trace struct {
	path  string
	mutex sync.Mutex
	file  *os.File
	err   error // the first failure to write, told at the end
}

// OpenTrace begins a trace. It writes over an earlier trace and an empty file, and over nothing else. The error is a
// *TraceError.
func OpenTrace(path string) (*Trace, error) {
	t, size, err := openTrace(path, os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := t.begin(size); err != nil {
		return nil, t.failed(errors.Join(err, t.file.Close()))
	}
	return t, nil
}

// begin empties the file, whose head was looked at, and writes the head again.
func (t *Trace) begin(size int64) error {
	if size > 0 {
		if err := t.file.Truncate(0); err != nil {
			return err
		}
	}
	if err := t.file.Chmod(0o600); err != nil { // it may have been there before
		return err
	}
	_, err := t.file.WriteString(traceHead)
	return err
}

// ContinueTrace adds to the trace that OpenTrace began, under the module's name.
func ContinueTrace(path, module string) (*Trace, error) {
	t, _, err := openTrace(path, 0)
	if err != nil {
		return nil, err
	}
	_, t.err = fmt.Fprintf(t.file, "# %s\n", terminal.Printable(module))
	return t, nil
}

// openTrace opens a file that is a trace or may become one. Nothing in it is changed.
func openTrace(path string, create int) (*Trace, int64, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK|create, 0o600)
	t := &Trace{path: path, file: file}
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, 0, &TraceError{Path: path, Fault: TraceIsLink}
	case errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO):
		return nil, 0, &TraceError{Path: path, Fault: TraceIsSpecial}
	case err != nil:
		return nil, 0, t.failed(err)
	}
	info, err := file.Stat()
	head := make([]byte, len(traceHead))
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = &TraceError{Path: path, Fault: TraceIsSpecial}
	case info.Size() > 0:
		if _, err = file.ReadAt(head, 0); err == nil && string(head) != traceHead || errors.Is(err, io.EOF) {
			err = &TraceError{Path: path, Fault: TraceIsForeign}
		}
	}
	if err != nil {
		return nil, 0, t.failed(errors.Join(err, file.Close()))
	}
	return t, info.Size(), nil
}

// failed makes a *TraceError of an error that is none.
func (t *Trace) failed(err error) error {
	var known *TraceError
	if errors.As(err, &known) {
		return known
	}
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return &TraceError{Path: t.path, Fault: TraceFailed, Err: err}
}

// write adds a line: what the module answered, or "none" where it gave no CK_RV that we know of, and why.
func (t *Trace) write(function, detail string, err error, took time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	answer := token.CKROK.String()
	if code, told := token.CodeOf(err); told {
		answer = code.String()
	} else if err != nil {
		answer, detail = "none", detail+" ("+err.Error()+")"
	}
	_, failure := fmt.Fprintf(t.file, "%s %s %s %.3fms %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), function, answer,
		float64(took.Microseconds())/1000, terminal.Printable(detail))
	if t.err == nil {
		t.err = failure
	}
}

// Close ends the trace and tells the first failure to write to it.
func (t *Trace) Close() error {
	if err := t.file.Close(); t.err == nil {
		t.err = err
	}
	if t.err != nil {
		return t.failed(t.err)
	}
	return nil
}
