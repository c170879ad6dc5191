package softhsmtests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal that types only when something was asked, unlike testscript's, so that what is echoed can
// be seen. Its far end is the command's controlling terminal.
type terminal struct {
	near, far *os.File

	mutex sync.Mutex
	shown strings.Builder
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0) // so that Close ends a Read
	if err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	near := os.NewFile(uintptr(fd), "/dev/ptmx")
	far, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{near: near, far: far}
	t.Cleanup(func() { term.hangUp(t) })
	return term
}

// run starts the command on the terminal, its standard output there too where onIt says so.
func (term *terminal) run(t *testing.T, command *exec.Cmd, onIt bool) *running {
	t.Helper()
	command.Stdin = term.far
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	r := &running{Cmd: command, done: make(chan error, 1)}
	command.Stdout, command.Stderr = &r.stdout, &r.stderr
	if onIt {
		command.Stdout, command.Stderr = term.far, term.far
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.done <- command.Wait() }()
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := term.near.Read(buffer)
			term.mutex.Lock()
			term.shown.Write(buffer[:n])
			term.mutex.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		if err := command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
	})
	return r
}

func (term *terminal) text() string {
	term.mutex.Lock()
	defer term.mutex.Unlock()
	return term.shown.String()
}

// whole is all that is shown of a command that has ended: what it wrote last may not have been read yet.
func (term *terminal) whole(t *testing.T) string {
	t.Helper()
	const mark = "<end>"
	if _, err := term.far.WriteString(mark); err != nil {
		t.Fatal(err)
	}
	until(t, "everything is read", func() bool { return strings.HasSuffix(term.text(), mark) })
	return strings.TrimSuffix(term.text(), mark)
}

// answer waits until the question stands on the terminal, with its echo off, and types.
func (term *terminal) answer(t *testing.T, question, typed string) {
	t.Helper()
	until(t, "the terminal asks: "+question, func() bool { return strings.Contains(term.text(), question) })
	until(t, "the echo is off", func() bool { return !term.echoes(t) })
	if _, err := io.WriteString(term.near, typed); err != nil {
		t.Fatal(err)
	}
}

func (term *terminal) echoes(t *testing.T) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(term.far.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func (term *terminal) hangUp(t *testing.T) {
	t.Helper()
	for _, end := range []*os.File{term.far, term.near} {
		if err := end.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	}
}

func (p *place) prompted(more ...string) *exec.Cmd {
	args := append([]string{"export", "dave", "-o", p.path("dave.pfx"), "--trace", p.path("trace"), "--iterations", "1000"}, more...)
	return product(context.Background(), p.environment, args...)
}

const (
	asksPIN   = `PIN of the token "test": `
	asksNew   = "New password: "
	asksAgain = "The same password again: "
)

// TestTypedSecretsAreNotShown answers every question on a terminal.
func TestTypedSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	term := newTerminal(t)
	r := term.run(t, p.prompted(), true)
	term.answer(t, asksPIN, testPIN+"\n")
	term.answer(t, asksNew, testPassword+"\n")
	term.answer(t, asksAgain, testPassword+"\n")
	if code := r.ends(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, term.text())
	}
	until(t, "the result shows", func() bool { return strings.Contains(term.text(), "is a valid copy") })
	if shown := term.text(); strings.Contains(shown, testPIN) || strings.Contains(shown, testPassword) {
		t.Errorf("a secret shows:\n%s", shown)
	}
	if !term.echoes(t) {
		t.Error("the terminal's echo stays off")
	}
	if err := opensslOpens(p.path("dave.pfx"), p.path("password.txt"), false); err != nil {
		t.Error(err)
	}
}

// TestEarlyPINIsNotShown types the PIN while the module has yet to show its tokens, and here never does.
func TestEarlyPINIsNotShown(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	environment := append(p.environment, "P11BRIDGE_MODULE="+faultyModule(t), "P11FAULT=hang:C_GetSlotList")
	term := newTerminal(t)
	r := term.run(t, product(context.Background(), environment, "list"), true)
	until(t, "the echo is off", func() bool { return !term.echoes(t) })
	if _, err := io.WriteString(term.near, testPIN+"\n\x03"); err != nil {
		t.Fatal(err)
	}
	r.ends(t)
	if strings.Contains(term.text(), testPIN) {
		t.Errorf("what was typed shows:\n%s", term.text())
	}
	if !term.echoes(t) {
		t.Error("the terminal's echo stays off")
	}
}

// TestEarlyCommandIsKept types the next command before a run that puts no question.
func TestEarlyCommandIsKept(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	term := newTerminal(t)
	const next = "date\n"
	if _, err := io.WriteString(term.near, next); err != nil {
		t.Fatal(err)
	}
	r := term.run(t, product(context.Background(), p.environment, "list", "--token", "nowhere"), true)
	if code := r.ends(t); code != 1 {
		t.Errorf("exit code %d\n%s", code, term.text())
	}
	if left, err := unix.IoctlGetInt(int(term.far.Fd()), unix.TIOCINQ); err != nil || left != len(next) {
		t.Errorf("%d bytes of what was typed are left (%v)", left, err)
	}
}

// TestQuestionIsCutShort ends a run at each question: by Ctrl-C, by Ctrl-D, and by a terminal that goes away, also where
// the process was told to outlive it. Nothing is tried or written, everything is closed, and the echo is back.
func TestQuestionIsCutShort(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	type question struct {
		name   string
		answer func(t *testing.T, term *terminal) // up to the question
		asks   string
		logins int
	}
	questions := []question{
		{"at the PIN", func(*testing.T, *terminal) {}, asksPIN, 0},
		{"at the password", func(t *testing.T, term *terminal) { term.answer(t, asksPIN, testPIN+"\n") }, asksNew, 1},
		{"at the password's repetition", func(t *testing.T, term *terminal) {
			term.answer(t, asksPIN, testPIN+"\n")
			term.answer(t, asksNew, testPassword+"\n")
		}, asksAgain, 1},
	}
	ends := []struct {
		name     string
		cut      func(t *testing.T, term *terminal, asks string)
		outlives bool
	}{
		{"Ctrl-C", func(t *testing.T, term *terminal, asks string) { term.answer(t, asks, "\x03") }, false},
		{"Ctrl-D", func(t *testing.T, term *terminal, asks string) { term.answer(t, asks, "\x04") }, false},
		{"hang-up", func(t *testing.T, term *terminal, asks string) { term.answer(t, asks, "half"); term.hangUp(t) }, false},
		{"hang-up that is ignored", func(t *testing.T, term *terminal, asks string) { term.answer(t, asks, "half"); term.hangUp(t) }, true},
	}
	for _, q := range questions {
		for _, end := range ends {
			t.Run(end.name+" "+q.name, func(t *testing.T) {
				command := p.prompted()
				if end.outlives {
					command = exec.Command("sh", append([]string{"-c", `trap "" HUP; exec "$@"`, "sh"}, command.Args...)...)
					command.Env = p.prompted().Env
				}
				term := newTerminal(t)
				r := term.run(t, command, false)
				q.answer(t, term)
				end.cut(t, term, q.asks)
				if code := r.ends(t); code != 1 {
					t.Errorf("exit code %d\n%s", code, r.stderr.String())
				}
				if said := r.stderr.String(); !strings.HasPrefix(said, "p11bridge: ") || strings.Contains(said, "half") || strings.Contains(said, "goroutine") {
					t.Errorf("it said %q", said)
				}
				if strings.HasPrefix(end.name, "Ctrl") && !term.echoes(t) {
					t.Error("the terminal's echo stays off")
				}
				p.untouched(t, "dave")
				trace, err := os.ReadFile(p.path("trace"))
				if err != nil {
					t.Fatal(err)
				}
				if logins := strings.Count(string(trace), " C_Login "); logins != q.logins {
					t.Errorf("%d attempts at a login", logins)
				}
			})
		}
	}
}

var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// TestColourIsForTerminals looks at a listing on a terminal: coloured there, plain where NO_COLOR or TERM say so, and with
// nothing else in it that acts on a terminal, whatever the token's labels are.
func TestColourIsForTerminals(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey+`
label="bob" id=03 key=p256 policy=locked certificate=valid
label="evil\x1b[2J\x07\u202elabel\u009b31m" id=04 key=p256 policy=locked certificate=valid
`)
	for _, test := range []struct {
		setting  string
		coloured bool
	}{{"TERM=xterm", true}, {"NO_COLOR=1", false}, {"TERM=dumb", false}} {
		t.Run(test.setting, func(t *testing.T) {
			command := product(context.Background(), p.environment, "list", "--pin-source", p.pin)
			command.Env = append(command.Env, "TERM=xterm", "NO_COLOR=", test.setting)
			term := newTerminal(t)
			if code := term.run(t, command, true).ends(t); code != 0 {
				t.Fatalf("exit code %d\n%s", code, term.text())
			}
			until(t, "the listing shows", func() bool { return strings.Contains(term.text(), "dave") && strings.Contains(term.text(), "evil") })
			shown := strings.ReplaceAll(term.text(), "\r\n", "\n")
			if test.coloured && (!strings.Contains(shown, "\x1b[32mcan leave\x1b[0m") || !strings.Contains(shown, "\x1b[31mcannot leave\x1b[0m")) || !test.coloured && colour.MatchString(shown) {
				t.Errorf("colours: %q", shown)
			}
			if err := checkPrintable(colour.ReplaceAllString(shown, "")); err != nil {
				t.Error(err)
			}
		})
	}
}
