package softhsmtests

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestInterruptedInModule asks a command to end while its module does not return: that it was interrupted is what it says,
// and not that the module is at fault.
func TestInterruptedInModule(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	source := `
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static unsigned long initialize(void *arguments) { (void)arguments; close(creat(getenv("HERE"), 0600)); for (;;) pause(); }
static struct { unsigned char major, minor; void *functions[68]; } list = { 2, 40, { (void *)initialize } };
unsigned long C_GetFunctionList(void **out) { *out = &list; return 0; }
`
	if err := os.WriteFile(p.path("module.c"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("gcc", "-shared", "-fPIC", "-o", p.path("module.so"), p.path("module.c")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGQUIT} {
		t.Run(unix.SignalName(signal), func(t *testing.T) {
			here := p.path("here-" + unix.SignalName(signal))
			r := start(t, product(context.Background(), append(p.environment, "HERE="+here), "list", "--module", p.path("module.so")))
			until(t, "the module is in C_Initialize", func() bool {
				_, err := os.Stat(here)
				return err == nil
			})
			if err := unix.Kill(r.Process.Pid, signal); err != nil {
				t.Fatal(err)
			}
			if code := r.ends(t); code != 1 {
				t.Errorf("exit code %d", code)
			}
			said := r.stderr.String()
			if !strings.Contains(said, "Interrupted. The PKCS#11 module") || !strings.Contains(said, "C_Initialize") || strings.Contains(said, "within") || strings.Contains(said, "goroutine") {
				t.Errorf("it said %q", said)
			}
		})
	}
}

// TestQuitAtQuestion types Ctrl-\ where the PIN is asked for: the echo comes back, and nothing of the memory is shown.
func TestQuitAtQuestion(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	term := newTerminal(t)
	r := term.run(t, product(context.Background(), p.environment, "list", "--token", "test"), true)
	term.answer(t, "PIN of the token", "\x1c")
	if code := r.ends(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if !term.echoes(t) {
		t.Error("the echo stays off")
	}
	until(t, "it says that it was interrupted", func() bool { return strings.Contains(term.text(), "Interrupted") })
	for _, bad := range []string{"goroutine", "rax", "SIGQUIT"} {
		if strings.Contains(term.text(), bad) {
			t.Errorf("there is %q in %q", bad, term.text())
		}
	}
}

// TestStopInGuide does so where a command of the guided mode asks, three processes below the shell.
func TestStopInGuide(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	term := newTerminal(t)
	script := `set -m
p11bridge guide --token test
echo "the shell has it: $(stty -a | grep -ow -e '-echo' -e 'echo')"
fg >/dev/null
echo "ended with $?"`
	command := exec.CommandContext(context.Background(), "bash", "-c", script)
	command.Env = append(append(os.Environ(), "LC_ALL=C", "TERM=dumb"), p.environment...)
	r := term.run(t, command, true)
	number := func(times int, typed string) {
		t.Helper()
		until(t, "it asks for a number", func() bool { return strings.Count(term.text(), "Number:") == times })
		if _, err := io.WriteString(term.near, typed); err != nil {
			t.Fatal(err)
		}
	}
	number(1, "1\n")
	const question = "PIN of the token"
	term.answer(t, question, "\x1a")
	until(t, "the shell has the terminal", func() bool { return strings.Contains(term.text(), "the shell has it: echo") })
	until(t, "the question is put again", func() bool { return strings.Count(term.text(), question) == 2 })
	term.answer(t, question, testPIN+"\n")
	number(2, "\x03")
	if code := r.ends(t); code != 0 || strings.Contains(term.text(), testPIN) {
		t.Errorf("exit code %d, the terminal shows %q", code, term.text())
	}
}

// TestStopAtQuestion types Ctrl-Z where the PIN is asked for: the shell has a terminal with an echo, and the question is
// put again when the program goes on.
func TestStopAtQuestion(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	term := newTerminal(t)
	script := `set -m
p11bridge list --token test
echo "the shell has it: $(stty -a | grep -ow -e '-echo' -e 'echo')"
fg >/dev/null
echo "ended with $?"`
	command := exec.CommandContext(context.Background(), "bash", "-c", script)
	command.Env = append(append(os.Environ(), "LC_ALL=C"), p.environment...)
	r := term.run(t, command, true)
	const question = "PIN of the token"
	term.answer(t, question, "\x1a")
	until(t, "the shell has the terminal", func() bool { return strings.Contains(term.text(), "the shell has it: echo") })
	until(t, "the question is put again", func() bool { return strings.Count(term.text(), question) == 2 })
	term.answer(t, question, testPIN+"\n")
	if code := r.ends(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	until(t, "it ended", func() bool { return strings.Contains(term.text(), "ended with 0") })
	if text := term.text(); !strings.Contains(text, "dave") || strings.Contains(text, testPIN) {
		t.Errorf("the terminal shows %q", text)
	}
}
