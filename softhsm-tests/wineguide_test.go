//go:build wine

package softhsmtests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"p11bridge/cmd/messages"
)

// TestWindowsGuide leads through a backup and its check on wine's console, by numbered lines, each typed once it was asked for.
func TestWindowsGuide(t *testing.T) {
	for _, language := range sampled(t, 4, messages.Languages()) {
		t.Run(language, func(t *testing.T) {
			p := newWindowsPlace(t)
			g := newWindowsGuided(t, p, language, true)
			g.pick(t, "guide.menu.title", "guide.menu.backup")
			g.secret(t, "prompt.pin-optional", testPIN)
			g.toFile(t, "dave – "+g.word("guide.key.can"))
			g.answer(t, "guide.file.title", "guided.pfx")
			g.pick(t, "guide.delete.title", "guide.delete.no")
			g.secret(t, "prompt.pin", testPIN)
			g.secret(t, "prompt.new-password", testPassword)
			g.secret(t, "prompt.new-password.again", testPassword)
			if command, want := g.command(t), "p11bridge export dave -o guided.pfx --lang "+language; command != want {
				t.Errorf("the command is %q and not %q", command, want)
			}
			g.pick(t, "guide.menu.title", "guide.menu.leave")
			if code := g.ends(t); code != 0 {
				t.Errorf("exit code %d\n%s", code, g.text())
			}
			if shown := g.text(); strings.Contains(shown, testPIN) || strings.Contains(shown, testPassword) {
				t.Errorf("a secret shows:\n%s", shown)
			}
			p.says(t, 0, "valid copy", "verify", "guided.pfx", "--against", "dave")
			p.left(t, p.files, "dave.pfx", "guided.pfx")
		})
	}
}

// TestWindowsGuideLong speaks the other languages.
func TestWindowsGuideLong(t *testing.T) { TestWindowsGuide(t) }

// TestWindowsGuideDraws chooses the last answer of a list that is drawn, which ends the program. wine's console gives a program no arrow keys
// as sequences, which Windows 10 does (ENABLE_VIRTUAL_TERMINAL_INPUT), so that the letter for the end is typed.
func TestWindowsGuideDraws(t *testing.T) {
	p := newWindowsPlace(t)
	g := newWindowsGuided(t, p, "es", false)
	// wine draws again only the cells that have changed, so that what is seen later is no whole text: what comes of the keys is looked at.
	leave := g.word("guide.menu.leave")
	for waits := 0; waits < 3000 && !strings.Contains(onOneLine(g.seen()), leave); waits++ {
		time.Sleep(10 * time.Millisecond)
	}
	g.typed(t, "G\r")
	if code := g.ends(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, g.text())
	}
}

// TestWindowsDoubleClick has the program started by a program of Explorer's name: it does its work as from elsewhere.
func TestWindowsDoubleClick(t *testing.T) {
	w, folder := newWine(t), t.TempDir()
	starter, err := os.ReadFile(filepath.Join(w.directory, "console.exe"))
	if err != nil {
		t.Fatal(err)
	}
	explorer, said := write(t, folder, "explorer.exe", starter), write(t, folder, "said", nil)
	command := w.command("wine", explorer, said, said, w.program, "version")
	if err := command.Run(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(said); err != nil || !strings.HasPrefix(string(text), "p11bridge ") {
		t.Errorf("%v, and it said:\n%s", err, text)
	}
}

// newWindowsGuided starts the guided mode on wine's console, in the directory of the place. Nothing is told to it beforehand but the module.
func newWindowsGuided(t *testing.T, p *windowsPlace, language string, plain bool) *guided {
	t.Helper()
	texts, err := messages.Load(language)
	if err != nil {
		t.Fatal(err)
	}
	g := &guided{terminal: newTerminal(t), texts: texts, plain: plain}
	if err := unix.IoctlSetWinsize(int(g.far.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 100, Col: 200}); err != nil {
		t.Fatal(err)
	}
	args := []string{"guide", "--lang", language}
	if plain {
		args = append(args, "--accessible")
	}
	command := exec.Command(filepath.Join(p.w.directory, "p11bridge"), args...)
	command.Dir, command.Env = p.files, append(append(append(os.Environ(), p.w.environment()...), p.environment...), "P11BRIDGE_PIN_SOURCE=", "P11BRIDGE_PASSWORD_SOURCE=")
	g.running = g.run(t, command, true)
	return g
}
