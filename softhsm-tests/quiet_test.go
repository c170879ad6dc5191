package softhsmtests

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// staysQuiet waits until something is so, and wants no echo meanwhile.
func (term *terminal) staysQuiet(t *testing.T, until func() bool) {
	t.Helper()
	for !until() {
		if term.echoes(t) && !until() {
			t.Error("what is typed shows")
			return
		}
		if time.Now().After(lastMoment()) {
			t.Fatalf("it never comes to it:\n%s", term.text())
		}
	}
}

// asks waits until the question stands.
func (term *terminal) asks(t *testing.T, question string) {
	t.Helper()
	until(t, "the terminal asks: "+question, func() bool {
		return strings.Contains(term.text(), question) && !term.echoes(t)
	})
}

// TestTypedAheadIsNotShown types while nothing is asked, between two questions and behind the last one: nothing of it shows. What is typed for
// the next question is its answer; what nobody asks for is not left to the shell.
func TestTypedAheadIsNotShown(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	term := newTerminal(t)
	r := term.run(t, product(context.Background(), p.environment, "export", "dave", "-o", p.path("dave.pfx"), "--trace", p.path("trace"), "--iterations", "4000000"), true)
	shows := func(text string) func() bool {
		return func() bool { return strings.Contains(term.text(), text) }
	}
	until(t, "the PIN is asked for", shows(asksPIN))
	until(t, "the echo is off", func() bool { return !term.echoes(t) })
	typed := func(text string) {
		if _, err := io.WriteString(term.near, text); err != nil {
			t.Fatal(err)
		}
	}
	typed(testPIN + "\n")
	term.staysQuiet(t, shows(asksNew))
	typed(testPassword + "\n" + testPassword + "\n")
	term.staysQuiet(t, shows(asksAgain))
	term.staysQuiet(t, p.traced("C_WrapKey"))
	typed("Hexenmeister-9999\n")
	until(t, "the result shows", shows("is a valid copy"))
	if code := r.ends(t); code != 0 || !term.echoes(t) {
		t.Fatalf("exit code %d\n%s", code, term.text())
	}
	shown := term.whole(t)
	left, err := unix.IoctlGetInt(int(term.far.Fd()), unix.TIOCINQ)
	if err != nil || left != 0 || strings.Contains(shown, testPIN) || strings.Contains(shown, testPassword) || strings.Contains(shown, "Hexenmeister") {
		t.Errorf("%d characters are left for the shell (%v), and the terminal shows\n%s", left, err, shown)
	}
	if err := opensslOpens(p.path("dave.pfx"), p.path("password.txt"), false); err != nil {
		t.Error(err)
	}
}

// TestEscapeAtQuestion is Esc where a command asks: it does what Ctrl-C does. A key that gives a sequence is no answer and no Esc.
func TestEscapeAtQuestion(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	term := newTerminal(t)
	r := term.run(t, p.prompted(), false)
	term.asks(t, asksPIN)
	if _, err := io.WriteString(term.near, "\x1b[A\x1b[1;5D"+testPIN+"\x1bOC\n"); err != nil {
		t.Fatal(err)
	}
	term.asks(t, asksNew)
	if _, err := io.WriteString(term.near, "half\x1b"); err != nil {
		t.Fatal(err)
	}
	if code := r.ends(t); code != 1 || !term.echoes(t) {
		t.Errorf("exit code %d", code)
	}
	if said := r.stderr.String(); !strings.HasPrefix(said, "p11bridge: Interrupted.") {
		t.Errorf("it said %q", said)
	}
	p.untouched(t, "dave")
}

// TestWatcherPutsTerminalBack kills the process that asks: the one that watches it gives the terminal back as it was.
func TestWatcherPutsTerminalBack(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	term := newTerminal(t)
	initial, err := unix.IoctlGetTermios(int(term.far.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	r := term.run(t, p.prompted(), false)
	term.asks(t, asksPIN)
	if err := unix.Kill(r.child(t), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code := r.ends(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if after, err := unix.IoctlGetTermios(int(term.far.Fd()), unix.TCGETS); err != nil || *after != *initial {
		t.Errorf("the terminal's settings are %+v, %v", after, err)
	}
}

// TestStopBetweenQuestions types Ctrl-Z while a key is derived from a password: the shell has a terminal with an echo, and the program goes on
// without one.
func TestStopBetweenQuestions(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	term := newTerminal(t)
	script := `set -m
p11bridge export dave -o dave.pfx --iterations 4000000 --trace trace
echo "the shell has it: $(stty -a | grep -ow -e '-echo' -e 'echo')"
fg >/dev/null
echo "ended with $?, $(stty -a | grep -ow -e '-echo' -e 'echo')"`
	command := exec.CommandContext(context.Background(), "bash", "-c", script)
	command.Env, command.Dir = append(append(os.Environ(), "LC_ALL=C"), p.environment...), p.directory
	r := term.run(t, command, true)
	term.answer(t, asksPIN, testPIN+"\n")
	term.answer(t, asksNew, testPassword+"\n")
	term.answer(t, asksAgain, testPassword+"\n")
	until(t, "the key is wrapped", p.traced("C_WrapKey"))
	if _, err := io.WriteString(term.near, "\x1a"); err != nil {
		t.Fatal(err)
	}
	until(t, "the shell has the terminal", func() bool { return strings.Contains(term.text(), "the shell has it: echo") })
	until(t, "the echo is off", func() bool { return !term.echoes(t) })
	if code := r.ends(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	until(t, "it ended", func() bool { return strings.Contains(term.text(), "ended with 0, echo") })
}
