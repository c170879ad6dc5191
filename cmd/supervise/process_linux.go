package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownFiles is the number of the file descriptors that are ours in the child: childVariable names the first.
const ownFiles = 2

// self is this very program, even where its file was replaced or removed meanwhile.
const self = "/proc/self/exe"

// ErrNoProc means that the process file system is not mounted, by which this program starts itself again.
var ErrNoProc = errors.New("/proc is not mounted")

// endSignals ask the program to end. SIGQUIT is among them: Go's runtime would print registers, and leave a terminal
// without its echo.
var endSignals = []os.Signal{unix.SIGQUIT, unix.SIGINT, unix.SIGTERM, unix.SIGHUP}

// pleaseEnd asks the child to end.
const pleaseEnd = unix.SIGTERM

// signalChild sends a signal.
func signalChild(process *os.Process, s os.Signal) error { return process.Signal(s) }

// Again is this program, to be started once more with other arguments. It ends with this process where Start is called on a thread
// that is locked.
func Again(arguments ...string) *exec.Cmd {
	again := exec.Command(self, arguments...)
	again.Args[0] = os.Args[0]
	again.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGTERM}
	return again
}

// HandOver has the command inherit the file, and gives the number by which a source names it there.
func HandOver(command *exec.Cmd, file *os.File) (int, error) {
	command.ExtraFiles = append(command.ExtraFiles, file)
	return 2 + len(command.ExtraFiles), nil
}

// childCommand is this program again. The file descriptors that the user named as a source keep their numbers; our own
// come behind them.
func childCommand(page, crash *os.File, e Task) (*exec.Cmd, error) {
	files, next, err := handDown(e.Inherited)
	if err != nil {
		return nil, err
	}
	child := Again(e.Arguments...)
	child.Stdin = e.In
	child.ExtraFiles = append(files, page, crash)
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d", childVariable, next))
	return child, nil
}

// startBound starts the child so that it ends with this process; done is to be called once it has ended.
func startBound(child *exec.Cmd) (done func(), err error) {
	runtime.LockOSThread() // Pdeathsig belongs to the thread that starts the child
	if err := child.Start(); err != nil {
		runtime.UnlockOSThread()
		if _, missing := os.Stat(self); missing != nil {
			return nil, ErrNoProc
		}
		return nil, &StartError{err}
	}
	return runtime.UnlockOSThread, nil
}

// takeOver gives the child what childVariable tells of.
func takeOver(descriptors string, given Descriptors) (page, crash *os.File, err error) {
	first, err := strconv.Atoi(descriptors)
	if err != nil || first < 3 {
		return nil, nil, fmt.Errorf("child process: %s is set by hand", childVariable)
	}
	for fd := first; fd < first+ownFiles; fd++ {
		unix.CloseOnExec(fd)
		given.forget(fd)
	}
	return os.NewFile(uintptr(first), "calls"), os.NewFile(uintptr(first+1), "crash"), nil
}

// parentGone reports whether the parent, who had the number, has ended.
func parentGone(parent int) bool { return os.Getppid() != parent }

// childStopped reports whether the child has stopped, or ended.
func childStopped(process *os.Process) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, process.Pid, &info, unix.WSTOPPED|unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != nil || info.Signo != 0
}

// endAtOnce ends this process. Nobody can refuse this signal, so there is no error to look at.
func endAtOnce() { _ = unix.Kill(os.Getpid(), unix.SIGKILL) }

// leave has nothing to do: os.Exit runs nothing of a module's.
func leave(int) {}

// ForbidCoreDumps keeps PINs and keys out of core files, and other processes of the same user from attaching.
func ForbidCoreDumps() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}

// deathSignal names the signal that the child died of. Go's runtime catches a fault in C code, says so and ends with
// another signal, so its own words come first.
func deathSignal(state *os.ProcessState, said string) string {
	runtimeSignal := regexp.MustCompile(`(?m)^(?:\[signal )?(SIG[A-Z]+)[: ]`) // here, since every other run does without
	if match := runtimeSignal.FindStringSubmatch(said); match != nil {
		return match[1]
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return unix.SignalName(status.Signal())
	}
	return ""
}
