package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"p11bridge/cmd/terminal"
	"p11bridge/token"
)

// traceFirstLine is the first line of every trace. A file that begins otherwise is somebody else's and is not written to.
const traceFirstLine = "# p11bridge trace\n"

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
//
// The file is open only while a line is written: a module that writes to descriptors or closes them is not to reach it.
type Trace struct {
	path  string
	which os.FileInfo
	mutex sync.Mutex
	err   error // the first failure to write, told at the end
}

// OpenTrace begins a trace. It writes over an earlier trace and an empty file, and over nothing else. The error is a
// *TraceError.
func OpenTrace(path string) (*Trace, error) {
	return newTrace(path, os.O_CREATE, func(file *os.File) error {
		if err := errors.Join(file.Truncate(0), file.Chmod(0o600)); err != nil { // it may have been there before
			return err
		}
		_, err := file.WriteString(traceFirstLine)
		return err
	})
}

// ContinueTrace adds to the trace that OpenTrace began, under the module's name.
func ContinueTrace(path, module string) (*Trace, error) {
	return newTrace(path, 0, func(file *os.File) error {
		_, err := fmt.Fprintf(file, "# %s\n", terminal.Printable(module))
		return err
	})
}

func newTrace(path string, create int, begin func(*os.File) error) (*Trace, error) {
	file, info, err := openTrace(path, create)
	if err != nil {
		return nil, traceError(path, err)
	}
	if err := errors.Join(begin(file), file.Close()); err != nil {
		return nil, traceError(path, err)
	}
	return &Trace{path: path, which: info}, nil
}

// openTrace opens a file that is a trace or may become one. Nothing in it is changed.
func openTrace(path string, create int) (*os.File, os.FileInfo, error) {
	file, err := openToAppend(path, create)
	switch {
	case isLink(err):
		return nil, nil, &TraceError{Path: path, Fault: TraceIsLink}
	case isSpecial(err):
		return nil, nil, &TraceError{Path: path, Fault: TraceIsSpecial}
	case err != nil:
		return nil, nil, err
	}
	info, err := file.Stat()
	start := make([]byte, len(traceFirstLine))
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = &TraceError{Path: path, Fault: TraceIsSpecial}
	case info.Size() > 0:
		if _, err = file.ReadAt(start, 0); err == nil && string(start) != traceFirstLine || errors.Is(err, io.EOF) {
			err = &TraceError{Path: path, Fault: TraceIsForeign}
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

// traceError makes a *TraceError of an error that is none.
func traceError(path string, err error) error {
	var known *TraceError
	if errors.As(err, &known) {
		return known
	}
	var system *os.PathError
	if errors.As(err, &system) {
		err = system.Err
	}
	return &TraceError{Path: path, Fault: TraceFailed, Err: err}
}

// add writes a line to the file, which must still be the one that the trace began.
func (t *Trace) add(line string) error {
	file, info, err := openTrace(t.path, 0)
	if err != nil {
		return err
	}
	if os.SameFile(info, t.which) {
		_, err = file.WriteString(line)
	} else {
		err = &TraceError{Path: t.path, Fault: TraceIsForeign}
	}
	return errors.Join(err, file.Close())
}

// write adds a line: what the module answered, or "none" where it gave no CK_RV that we know of, and why.
func (t *Trace) write(function, detail string, err error, took time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	answer := token.CKROK.String()
	if code, known := token.CodeOf(err); known {
		answer = code.String()
	} else if err != nil {
		answer, detail = "none", detail+" ("+err.Error()+")"
	}
	failure := t.add(fmt.Sprintf("%s %s %s %.3fms %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), function, answer,
		float64(took.Microseconds())/1000, terminal.Printable(detail)))
	if t.err == nil {
		t.err = failure
	}
}

// Close ends the trace and tells the first failure to write to it.
func (t *Trace) Close() error {
	if t.err != nil {
		return traceError(t.path, t.err)
	}
	return nil
}
