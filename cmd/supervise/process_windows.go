package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// ErrNoProc does not come up: Windows needs no file system to start this program again.
var ErrNoProc = errors.New("this program cannot be started again")

// endSignals ask the program to end: Go's runtime makes os.Interrupt of Ctrl-C and Ctrl-Break, and SIGTERM of a console that is closed, of
// the end of the session and of the machine.
var endSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// pleaseEnd asks the child to end.
const pleaseEnd = syscall.SIGTERM

// signalChild kills the child. Every other event comes from the console, which tells the child as well.
func signalChild(process *os.Process, s os.Signal) error {
	if s != os.Kill {
		return nil
	}
	return process.Kill()
}

// Again is this program, to be started once more with other arguments.
func Again(arguments ...string) *exec.Cmd {
	self, err := os.Executable()
	again := exec.Command(self, arguments...)
	if err != nil {
		again.Err = err
	}
	again.Args[0] = os.Args[0]
	again.SysProcAttr = &syscall.SysProcAttr{}
	return again
}

// HandOver has the command inherit the file, and gives the number by which a source names it there. It is the handle, which keeps its
// number.
func HandOver(command *exec.Cmd, file *os.File) (int, error) {
	if err := inherit(command, file.Fd()); err != nil {
		return 0, fmt.Errorf("hand down a file: %w", err)
	}
	return int(file.Fd()), nil
}

func inherit(command *exec.Cmd, handle uintptr) error {
	if err := windows.SetHandleInformation(windows.Handle(handle), windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
		return err
	}
	command.SysProcAttr.AdditionalInheritedHandles = append(command.SysProcAttr.AdditionalInheritedHandles, syscall.Handle(handle))
	return nil
}

// childCommand is this program again. The handles that the user named as a source keep their numbers.
func childCommand(page, crash *os.File, e Task) (*exec.Cmd, error) {
	child := Again(e.Arguments...)
	child.Stdin = e.In
	for _, number := range e.Inherited {
		if number == 0 {
			continue // standard input is handed down anyway
		}
		if err := inherit(child, uintptr(number)); err != nil {
			return nil, fmt.Errorf("hand down fd:%d: %w", number, err)
		}
	}
	if err := errors.Join(inherit(child, page.Fd()), inherit(child, crash.Fd())); err != nil {
		return nil, fmt.Errorf("hand the call page down: %w", err)
	}
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d,%d", childVariable, page.Fd(), crash.Fd()))
	return child, nil
}

// startBound starts the child in a job that ends with this process, whatever ends it, or when done is called.
func startBound(child *exec.Cmd) (done func(), err error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, &StartError{err}
	}
	done = func() { _ = windows.CloseHandle(job) } // this ends whatever is left of the child
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
		LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION,
	}}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		done()
		return nil, &StartError{err}
	}
	var assigned error
	err = child.Process.WithHandle(func(handle uintptr) { assigned = windows.AssignProcessToJobObject(job, windows.Handle(handle)) })
	if err = errors.Join(err, assigned); err != nil {
		err = errors.Join(fmt.Errorf("bind the child process to this one: %w", err), child.Process.Kill(), child.Wait())
		done()
		return nil, &StartError{err}
	}
	return done, nil
}

// takeOver gives the child what childVariable tells of.
func takeOver(handles string, given Descriptors) (page, crash *os.File, err error) {
	first, second, _ := strings.Cut(handles, ",")
	for _, number := range []struct {
		text string
		file **os.File
		name string
	}{{first, &page, "calls"}, {second, &crash, "crash"}} {
		handle, err := strconv.Atoi(number.text)
		if err != nil || !inherited(handle) {
			return nil, nil, fmt.Errorf("child process: %s is set by hand", childVariable)
		}
		if err := windows.SetHandleInformation(windows.Handle(handle), windows.HANDLE_FLAG_INHERIT, 0); err != nil {
			return nil, nil, fmt.Errorf("child process: %w", err)
		}
		given.forget(handle)
		*number.file = os.NewFile(uintptr(handle), number.name)
	}
	return page, crash, nil
}

// parentGone is never so: the job ends the child with its parent.
func parentGone(int) bool { return false }

// childStopped is not asked: nothing stops a child.
func childStopped(*os.Process) bool { return true }

// endAtOnce ends this process without another word.
func endAtOnce() { leave(1) }

// leave ends this process. ExitProcess, which os.Exit calls, would have each module do something once more (DLL_PROCESS_DETACH), while
// its other threads are gone, and maybe with what they had locked: it could hang there, or end with an exit code of its own.
func leave(code int) { _ = windows.TerminateProcess(windows.CurrentProcess(), uint32(code)) }

// ForbidCoreDumps keeps PINs and keys out of the reports that Windows makes of a crash, and its boxes off the screen: nobody sits
// there to close them.
func ForbidCoreDumps() error {
	windows.SetErrorMode(windows.SEM_FAILCRITICALERRORS | windows.SEM_NOGPFAULTERRORBOX | windows.SEM_NOOPENFILEERRORBOX)
	const noHeap, noUI = 0x1, 0x20 // WER_FAULT_REPORTING_FLAG_NOHEAP, WER_FAULT_REPORTING_NO_UI
	if flags := windows.NewLazySystemDLL("kernel32.dll").NewProc("WerSetFlags"); flags.Find() == nil {
		_, _, _ = flags.Call(noHeap | noUI) // without it there may be a report of the crash, which holds no heap by default
	}
	return nil
}
