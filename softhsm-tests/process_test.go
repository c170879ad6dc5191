package softhsmtests

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// oneKey is what a test needs that looks at the process and not at the token.
const oneKey = `label="dave" id=02 key=p256 policy=wrappable certificate=valid`

// slow is an export that takes several seconds, on any machine; tenthOfSlow does a tenth of its work.
var slow, tenthOfSlow = []string{"--iterations", "10000000"}, []string{"--iterations", "1000000"}

// running is a command that a test looks at or strikes while it runs.
type running struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
	done           chan error
}

func start(t *testing.T, command *exec.Cmd) *running {
	t.Helper()
	r := &running{Cmd: command, done: make(chan error, 1)}
	command.Stdout, command.Stderr = &r.stdout, &r.stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.done <- command.Wait() }()
	t.Cleanup(func() { // ends it where the test did not
		if err := command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
	})
	return r
}

// ends waits for the end and gives the exit code, -1 for a signal's.
func (r *running) ends(t *testing.T) int {
	t.Helper()
	select {
	case <-r.done:
		return r.ProcessState.ExitCode()
	case <-time.After(time.Until(lastMoment())):
		t.Fatalf("it never ends\n%s%s", r.stdout.String(), r.stderr.String())
		return -1
	}
}

var started = time.Now()

// lastMoment is shortly before the end that go test's -timeout sets. A test waits for what is to happen until then and no
// shorter, because a busy machine may take long; what never happens is then told with all that is known of it.
var lastMoment = sync.OnceValue(func() time.Time {
	timeout, set := flag.Lookup("test.timeout").Value.(flag.Getter).Get().(time.Duration)
	if !set || timeout == 0 {
		timeout = 24 * time.Hour
	}
	return started.Add(timeout - min(timeout/10, 30*time.Second))
})

// child is the process that works.
func (r *running) child(t *testing.T) int {
	t.Helper()
	pid := r.childUnlessEnded(t)
	if pid == 0 {
		t.Fatal("the run ended before it was seen to have a child process")
	}
	return pid
}

// childUnlessEnded is child; 0 where the run ended before it was seen to have one.
func (r *running) childUnlessEnded(t *testing.T) (pid int) {
	t.Helper()
	until(t, "there is a child process", func() bool {
		first := childOf(r.Process.Pid) // os/exec tries the kernel out with a child that ends at once
		time.Sleep(50 * time.Millisecond)
		pid = childOf(r.Process.Pid)
		return pid != 0 && pid == first || pid == 0 && hasEnded(r.Process.Pid)
	})
	return pid
}

func childOf(parent int) int {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		return 0
	}
	for _, path := range threads { // a child belongs to the thread that started it
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(string(bytes.TrimSpace(text))); err == nil {
			return pid
		}
	}
	return 0
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for ; !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(lastMoment()) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

func (p *place) traced(function string) func() bool {
	return func() bool {
		trace, err := os.ReadFile(p.path("trace"))
		return err == nil && bytes.Contains(trace, []byte(" "+function+" CKR_OK"))
	}
}

func (p *place) unfinished() bool {
	found, err := filepath.Glob(p.path(".p11bridge-*.part"))
	return err == nil && len(found) > 0
}

// TestInterrupted strikes an export in the middle: nothing is left, the sessions are closed, and it ends at once.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	tenth := start(t, product(context.Background(), p.environment, p.export("dave", append(tenthOfSlow, "--force")...)...))
	if code := tenth.ends(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, tenth.stderr.String())
	}
	if err := os.Remove(p.file("dave.pfx")); err != nil {
		t.Fatal(err)
	}
	strikes := []struct {
		name    string
		when    func() bool // after the key has left
		signal  unix.Signal
		atGroup bool // as the terminal does at Ctrl-C
		args    []string
	}{
		{"SIGINT while the password is made hard to guess", p.traced("C_WrapKey"), unix.SIGINT, false, slow},
		{"SIGTERM while the password is made hard to guess", p.traced("C_WrapKey"), unix.SIGTERM, false, slow},
		{"SIGHUP while the password is made hard to guess", p.traced("C_WrapKey"), unix.SIGHUP, false, slow},
		{"Ctrl-C while the password is made hard to guess", p.traced("C_WrapKey"), unix.SIGINT, true, slow},
		{"SIGINT while the file is being proven", p.unfinished, unix.SIGINT, false, slow},
	}
	for _, strike := range strikes {
		t.Run(strike.name, func(t *testing.T) {
			if err := os.Remove(p.path("trace")); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			command := product(context.Background(), p.environment, p.export("dave", strike.args...)...)
			command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			r := start(t, command)
			until(t, "the export has come so far", strike.when)
			pid, untilNow := r.Process.Pid, r.processorTimeSoFar(t)
			if strike.atGroup {
				pid = -pid
			}
			if err := unix.Kill(pid, strike.signal); err != nil {
				t.Fatal(err)
			}
			if code := r.ends(t); code != 1 {
				t.Errorf("exit code %d", code)
			}
			if more, whole := r.processorTime()-untilNow, 10*tenth.processorTime(); more > whole/4 {
				t.Errorf("it went on: it used %s of the processor, and the whole run would have used %s", more, whole)
			}
			if said := r.stderr.String(); said != "p11bridge: Interrupted. Nothing was left behind.\n" {
				t.Errorf("it said %q", said)
			}
			if r.stdout.Len() > 0 {
				t.Errorf("it reported %q", r.stdout.String())
			}
			p.untouched(t, "dave")
		})
	}
}

// TestKilled kills either half of an export with a signal that nobody can catch: no file remains, finished or not.
func TestKilled(t *testing.T) {
	t.Parallel()
	t.Run("the child", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, oneKey)
		r := start(t, product(context.Background(), p.environment, p.export("dave", slow...)...))
		until(t, "there is an unfinished file", p.unfinished)
		if err := unix.Kill(r.child(t), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if code := r.ends(t); code != 1 {
			t.Errorf("exit code %d", code)
		}
		said := r.stderr.String()
		if !strings.Contains(said, "SIGKILL") || strings.Contains(said, "module  ") || strings.Contains(said, "–") {
			t.Errorf("it said %q, which must tell the signal and blame no module that was not at work", said)
		}
		if p.unfinished() {
			t.Error("the unfinished file is still there")
		}
	})
	t.Run("the parent", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, oneKey)
		r := start(t, product(context.Background(), p.environment, p.export("dave", slow...)...))
		until(t, "the key has left", p.traced("C_WrapKey"))
		child := r.child(t)
		if err := r.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		until(t, "the child has ended too", func() bool { return hasEnded(child) })
		p.untouched(t, "dave")
	})
}

// hasEnded reports whether all threads of a process have ended: the first one may be a zombie while others still hold its files open.
func hasEnded(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err != nil || strings.Contains(string(status), "State:\tZ") && strings.Contains(string(status), "Threads:\t1\n")
}

// TestProcessKeepsSecrets looks at the processes while they wait for a secret, as another user of the machine could: at
// the command line, at what a crash would leave, and at who may attach.
func TestProcessKeepsSecrets(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	if r := p11bridge(t, p.environment, p.export("dave", "--iterations", "1000")...); r.code != 0 {
		t.Fatal(r.stderr)
	}
	binary := p.publish(t)
	for _, args := range [][]string{
		{"list", "--pin-source", "fd:3"},
		{"export", "dave", "-o", p.path("second.pfx"), "--pin-source", p.pin, "--password-source", "fd:3"},
		{"verify", p.path("dave.pfx"), "--password-source", "fd:3"},
	} {
		t.Run(args[0], func(t *testing.T) {
			var ends [2]int
			if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil { // os.Pipe's would not keep a thread in read(2)
				t.Fatal(err)
			}
			reads, writes := os.NewFile(uintptr(ends[0]), "secret"), os.NewFile(uintptr(ends[1]), "secret")
			defer writes.Close()
			command := exec.Command("bash", append([]string{"-c", `ulimit -S -c hard; exec "$@"`, "bash", binary}, args...)...)
			command.Env = append(append(os.Environ(), p.environment...), "GOTRACEBACK=crash")
			command.Dir = p.directory
			command.ExtraFiles = []*os.File{reads}
			command.SysProcAttr = &syscall.SysProcAttr{Credential: somebody()}
			r := start(t, command)
			reads.Close()
			worker := r.Process.Pid
			if args[0] != "verify" {
				worker = r.child(t)
			}
			until(t, "it waits for the secret", func() bool { return waitsFor(worker, 3) })
			for _, pid := range []int{r.Process.Pid, worker} {
				checkCommandLine(t, pid)
			}
			checkUndumpable(t, worker)
			if err := unix.Kill(worker, unix.SIGABRT); err != nil {
				t.Fatal(err)
			}
			if code := r.ends(t); args[0] != "verify" && code != 1 {
				t.Errorf("exit code %d\n%s", code, r.stderr.String())
			}
			if status, ok := r.ProcessState.Sys().(syscall.WaitStatus); !ok || status.CoreDump() {
				t.Error("it left a core dump")
			}
		})
	}
}

// publish gives the token and a copy of the program to somebody who is not root, for whom the kernel's rules on attaching
// hold, and whose processes show in their owner whether they can be dumped.
func (p *place) publish(t *testing.T) (binary string) {
	t.Helper()
	binary, err := exec.LookPath("p11bridge")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		return binary
	}
	directory, err := os.MkdirTemp(disk, "p11bridge-published-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(directory, "p11bridge")
	if err := errors.Join(os.Chmod(directory, 0o755), os.WriteFile(binary, text, 0o755)); err != nil {
		t.Fatal(err)
	}
	who := somebody()
	for above := p.directory; above != filepath.Clean(os.TempDir()); above = filepath.Dir(above) { // t.TempDir's parents are root's own
		if err := os.Chmod(above, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err = filepath.WalkDir(p.directory, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, int(who.Uid), int(who.Gid)))
	})
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

func somebody() *syscall.Credential {
	if os.Getuid() == 0 {
		return &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	return nil
}

// waitsFor reports whether a thread of the process sits in read(2) on the descriptor. Whoever is not root is not told, of a
// process that cannot be attached to, and gives it time instead.
func waitsFor(pid, fd int) bool {
	calls, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil {
		return false
	}
	for _, path := range calls {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrPermission) {
			time.Sleep(time.Second)
			return true
		}
		if err == nil && strings.HasPrefix(string(text), fmt.Sprintf("%d 0x%x ", unix.SYS_READ, fd)) {
			return true
		}
	}
	return false
}

func checkCommandLine(t *testing.T, pid int) {
	t.Helper()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Fatal(err)
	}
	if len(line) == 0 || bytes.Contains(line, []byte(testPIN)) || bytes.Contains(line, []byte(testPassword)) {
		t.Errorf("the command line is %q", line)
	}
}

// checkUndumpable wants a core size of zero, and a process whose files in /proc belong to root: that is what
// PR_SET_DUMPABLE, 0 does (proc(5)).
func checkUndumpable(t *testing.T, pid int) {
	t.Helper()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if rest, ok := strings.CutPrefix(line, "Max core file size"); ok && strings.Join(strings.Fields(rest)[:2], " ") != "0 0" {
			t.Errorf("core dumps are limited to %s", rest)
		}
	}
	var info unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/environ", pid), &info); err != nil {
		t.Fatal(err)
	}
	if info.Uid != 0 {
		t.Errorf("/proc/%d/environ belongs to user %d: the process can be dumped and attached to", pid, info.Uid)
	}
}
