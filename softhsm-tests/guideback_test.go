package softhsmtests

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"p11bridge/cmd/messages"
)

// counted is a place whose module writes down every call.
func counted(t *testing.T, specimens string) (p *place, environment []string) {
	t.Helper()
	p = newPlace(t, specimens)
	return p, append(p.environment, "P11BRIDGE_MODULE="+faultyModule(t), "P11FAULT=log", "P11FAULT_LOG="+p.path("calls"))
}

// logins counts the attempts at a login.
func (p *place) logins(t *testing.T) int {
	t.Helper()
	calls, err := os.ReadFile(p.path("calls"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count("\n"+string(calls), "\nC_Login\n")
}

// interrupt is Ctrl-C at a question of a command, which has the echo off.
func (g *guided) interrupt(t *testing.T, question string) {
	t.Helper()
	g.cut(t, question, "\x03")
}

// TestGuideGoesBack goes back from every question of a backup, cuts the command short at each of its own, and leaves by
// Ctrl-C: nothing was tried more often than the person did, and nothing is half done.
func TestGuideGoesBack(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain %v", plain), func(t *testing.T) {
			p, environment := counted(t, leavingAndHeld)
			g := newGuided(t, "en", plain, p.directory, environment)
			g.toKeys(t)
			g.back(t, g.word("guide.key.title"))
			g.toKeys(t)
			g.choose(t, g.word("guide.key.title"), "dave")
			// There is one token, so that the question before the keys is the first one.
			g.pick(t, "guide.chain.title", "guide.chain.token")
			g.pick(t, "guide.readers.title", "guide.readers.legacy")
			g.accept(t, "guide.file.title")
			g.back(t, g.word("guide.delete.title"))
			g.line(t, g.word("guide.file.title"))
			g.typed(t, map[bool]string{false: "\x1b", true: "0\n"}[plain])
			g.pick(t, "guide.readers.title", "guide.readers.modern")
			g.accept(t, "guide.file.title")
			g.pick(t, "guide.delete.title", "guide.delete.no")
			g.interrupt(t, "prompt.pin")
			g.pick(t, "guide.delete.title", "guide.delete.no")
			g.secret(t, "prompt.pin", testPIN)
			g.interrupt(t, "prompt.new-password")
			g.pick(t, "guide.delete.title", "guide.delete.no")
			g.secret(t, "prompt.pin", testPIN)
			g.secret(t, "prompt.new-password", testPassword)
			g.interrupt(t, "prompt.new-password.again")
			g.list(t, g.word("guide.delete.title"))
			g.typed(t, "\x03")
			if code := g.ends(t); code != 0 {
				t.Errorf("exit code %d\n%s", code, g.text())
			}
			if !g.echoes(t) {
				t.Error("the terminal's echo stays off")
			}
			g.kept(t)
			p.absent(t, "*.pfx", "*.json")
			if logins := p.logins(t); logins != 4 { // twice for the list, twice for an export
				t.Errorf("%d attempts at a login", logins)
			}
		})
	}
}

// TestGuideTriesNoPINAgain mistypes the PIN at the list, and at the export.
func TestGuideTriesNoPINAgain(t *testing.T) {
	speakers(t, func(t *testing.T, language string, plain bool) {
		p, environment := counted(t, oneKey)
		g := newGuided(t, language, plain, p.directory, environment)
		g.pick(t, "guide.menu.title", "guide.menu.backup")
		g.secret(t, "prompt.pin-optional", "Hexenmeister-9999")
		g.wait(t, g.texts.Text("reason.pin-incorrect.summary", nil))
		g.pick(t, "guide.login.title", "guide.login.back")
		g.list(t, g.word("guide.menu.title"))
		if logins := p.logins(t); logins != 1 {
			t.Errorf("%d attempts at a login", logins)
		}
		g.toExport(t)
		g.secret(t, "prompt.pin", "Hexenmeister-9999")
		g.wait(t, g.texts.Text("reason.pin-incorrect.summary", nil))
		g.pick(t, "guide.failed.title", "guide.to-menu")
		g.leave(t)
		p.absent(t, "*.pfx")
		if logins := p.logins(t); logins != 3 || strings.Contains(g.text(), "Hexenmeister") {
			t.Errorf("%d attempts at a login\n%s", logins, g.text())
		}
	})
}

// TestGuideTriesNoPINAgainLong speaks the other languages.
func TestGuideTriesNoPINAgainLong(t *testing.T) { TestGuideTriesNoPINAgain(t) }

// TestGuideIsEnded sends signals at a question, drawn and plain: the conversation says that it was interrupted, and the
// terminal is as it was.
func TestGuideIsEnded(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT} {
			t.Run(fmt.Sprintf("plain %v %v", plain, signal), func(t *testing.T) {
				p := newPlace(t, oneKey)
				g := newGuided(t, "en", plain, p.directory, p.environment)
				g.list(t, g.word("guide.menu.title"))
				if err := g.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				if code := g.ends(t); code != 1 || !g.echoes(t) {
					t.Errorf("exit code %d, echo %v\n%s", code, g.echoes(t), g.text())
				}
				until(t, "it says so", func() bool { return strings.Contains(g.text(), g.texts.Text("error.interrupted", nil)) })
			})
		}
	}
}

// TestGuideIsAccessible has numbered lines by the flag and by the variable, on a terminal that could be drawn on.
func TestGuideIsAccessible(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	for _, test := range []struct {
		name, variable string
		args           []string
	}{
		{"flag", "P11BRIDGE_ACCESSIBLE=", []string{"guide", "--accessible"}},
		{"variable", "P11BRIDGE_ACCESSIBLE=1", nil},
		{"variable with guide", "P11BRIDGE_ACCESSIBLE=1", []string{"guide", "--lang", "fr"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			language := "en"
			if len(test.args) == 3 {
				language = test.args[2]
			}
			g := newGuided(t, language, true, p.directory, append(p.environment, test.variable, "NO_COLOR=1"), test.args...)
			g.pick(t, "guide.menu.title", "guide.menu.check")
			g.line(t, g.word("guide.copy.title"))
			g.typed(t, "nothing.pfx\n")
			g.wait(t, "nothing.pfx")
			g.line(t, "")
			g.typed(t, "0\n")
			g.list(t, g.word("guide.menu.title"))
			g.typed(t, "99\n")
			g.wait(t, g.word("guide.no-choice"))
			g.typed(t, "7\n")
			if code := g.ends(t); code != 0 {
				t.Errorf("exit code %d\n%s", code, g.text())
			}
			g.kept(t)
		})
	}
}

// TestGuideLeavesClipboardAlone types Ctrl-V where a line is asked for, on a machine that has a clipboard.
func TestGuideLeavesClipboardAlone(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	looked := p.path("looked")
	for _, program := range []string{"xclip", "xsel"} {
		path := write(t, p.directory, program, []byte("#!/bin/sh\ntouch "+looked+"\necho pasted\n"))
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	g := newGuided(t, "en", false, p.directory, append(p.environment, "WAYLAND_DISPLAY=", "PATH="+p.directory+":"+os.Getenv("PATH")))
	g.toKeys(t)
	g.toFile(t, "dave")
	g.line(t, g.word("guide.file.title"))
	g.typed(t, "\x01\x16\x16x") // Ctrl-A: at the beginning of what is proposed
	g.wait(t, "x")
	g.typed(t, "\r")
	g.list(t, g.word("guide.delete.title"))
	g.typed(t, "\x03")
	if code := g.ends(t); code != 0 || strings.Contains(g.text(), "pasted") || exists(looked)() == nil {
		t.Errorf("exit code %d, looked into the clipboard: %v\n%s", code, exists(looked)() == nil, g.text())
	}
}

// TestGuideIsNotStuck types Ctrl-Z where no shell is that could let the program go on.
func TestGuideIsNotStuck(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		p := newPlace(t, oneKey)
		g := newGuided(t, "en", plain, p.directory, p.environment)
		g.list(t, g.word("guide.menu.title"))
		if _, err := io.WriteString(g.near, "\x1a"); err != nil {
			t.Fatal(err)
		}
		g.pick(t, "guide.menu.title", "guide.menu.doctor")
		g.command(t)
		g.leave(t)
	}
}

// TestGuideFitsTerminal looks at the questions on 80 columns and 24 rows, with more keys than rows: nothing is wider, and
// the keys stand below every list.
func TestGuideFitsTerminal(t *testing.T) {
	t.Parallel()
	var specimens strings.Builder
	for i := range 30 {
		fmt.Fprintf(&specimens, "label=\"key-%02d\" id=%02x key=p256 policy=wrappable certificate=valid\n", i, i+1)
	}
	p := newPlace(t, specimens.String())
	for _, language := range sampled(t, 4, messages.Languages()) {
		t.Run(language, func(t *testing.T) {
			g := newSmallGuided(t, language, p)
			g.toKeys(t)
			list := g.list(t, g.word("guide.key.title"))
			if lines := strings.Count(list, "\n"); lines > 23 || strings.Count(list, "key-") < 5 {
				t.Errorf("%d lines:\n%s", lines, list)
			}
			g.typed(t, "\x1b[A\r") // the last one is above the first
			g.pick(t, "guide.chain.title", "guide.chain.token")
			g.list(t, g.word("guide.readers.title"))
			g.typed(t, "\x03")
			if code := g.ends(t); code != 0 {
				t.Errorf("exit code %d\n%s", code, g.text())
			}
			g.fits(t)
		})
	}
}

// TestGuideFitsTerminalLong speaks the other languages.
func TestGuideFitsTerminalLong(t *testing.T) { TestGuideFitsTerminal(t) }
