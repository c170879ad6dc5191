package softhsmtests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"p11bridge/cmd/messages"
)

// newSmallGuided is newGuided on a terminal of 80 columns and 24 rows.
func newSmallGuided(t *testing.T, language string, p *place) *guided {
	t.Helper()
	g := newGuidedAt(t, screenColumns, language, false, p.directory, p.environment)
	if err := unix.IoctlSetWinsize(int(g.far.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: screenColumns}); err != nil {
		t.Fatal(err)
	}
	return g
}

// fits wants no line that is wider than the terminal.
func (g *guided) fits(t *testing.T) {
	t.Helper()
	apart := drawing.ReplaceAllString(colour.ReplaceAllString(g.text(), ""), "\n") // where the cursor went, a line may end
	for line := range strings.Lines(apart) {
		if columns := wide(strings.TrimRight(line, "\n")); columns > screenColumns {
			t.Errorf("%d columns: %q", columns, line)
		}
	}
}

// TestGuideOnSmallTerminal has several keys on one token: one is chosen and backed up, of one that cannot leave a report is saved, and
// the password of the copy is mistyped until no try is left.
func TestGuideOnSmallTerminal(t *testing.T) {
	speakers(t, func(t *testing.T, language string, _ bool) {
		p := newPlace(t, leavingAndHeld+"\n"+`label="erin" id=05 key=p256 policy=wrappable certificate=valid`)
		g := newSmallGuided(t, language, p)
		g.toKeys(t)
		cannot := g.texts.Text("guide.cannot.title", messages.Args{"Label": messages.Own("bob")})
		g.choose(t, g.word("guide.key.title"), "bob – "+g.word("guide.key.cannot"))
		if list := g.list(t, cannot); strings.Count(cannot+list, "\n") >= 24 {
			t.Errorf("more than the screen holds:\n%s", list)
		}
		g.choose(t, cannot, g.word("guide.cannot.report"))
		g.savesReport(t, p, "bob")

		g.toKeys(t)
		g.choose(t, g.word("guide.key.title"), "erin – "+g.word("guide.key.can"))
		g.backsUp(t, "guide.readers.modern", "prompt.pin", testPIN)
		if command := g.command(t); command != "p11bridge export erin -o erin.pfx" {
			t.Errorf("the command is %q", command)
		}

		g.pick(t, "guide.menu.title", "guide.menu.check")
		g.choose(t, g.word("guide.copy.title"), "erin.pfx")
		for left := 2; left >= 0; left-- {
			g.secret(t, "prompt.password", "not the password")
			if left > 0 {
				g.wait(t, g.texts.Text("guide.password.wrong", messages.Args{"Count": messages.Number(left)}))
			}
		}
		g.wait(t, g.texts.Text("reason.password-incorrect.summary", nil), g.word("guide.command"))
		g.further(t)
		g.leave(t)
		g.kept(t)
		g.fits(t)
		p.absent(t, "bob.pfx")
	})
}

// TestGuideOnSmallTerminalLong speaks the other languages.
func TestGuideOnSmallTerminalLong(t *testing.T) { TestGuideOnSmallTerminal(t) }

// TestGuideClearsQuestions leaves questions by Esc: nothing of them stays on the screen.
func TestGuideClearsQuestions(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	g := newGuidedAt(t, screenColumns, "en", false, directory, nil)
	g.pick(t, "guide.menu.title", "guide.menu.check")
	g.line(t, g.word("guide.copy.title"))
	g.typed(t, "nothing.pfx\r")
	g.wait(t, "nothing.pfx cannot be read")
	g.typed(t, "\x1b")
	g.back(t, g.word("guide.menu.title"))
	if code := g.ends(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, g.text())
	}
	var lines []string
	for _, line := range screenOf(g.whole(t)).lines {
		if words := strings.TrimSpace(wordsOn(line)); words != "" {
			lines = append(lines, words)
		}
	}
	if want := []string{g.word("guide.welcome"), g.word("guide.menu.title") + " " + g.word("guide.menu.check")}; !slices.Equal(lines, want) {
		t.Errorf("the screen shows %q, not %q", lines, want)
	}
	g.kept(t)
}

// TestGuideFollowsTerminal makes the terminal smaller while a list with more files than rows is shown: the keys stay in sight. Names of
// files are printable, whatever is in them.
func TestGuideFollowsTerminal(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for i := range 40 {
		write(t, directory, fmt.Sprintf("copy-%02d.pfx", i), nil)
	}
	write(t, directory, "a\x1b[2J\u202eb.pfx", nil)
	g := newGuidedAt(t, screenColumns, "en", false, directory, nil)
	resize := func(rows, columns uint16) {
		if err := unix.IoctlSetWinsize(int(g.far.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
			t.Fatal(err)
		}
	}
	resize(24, screenColumns)
	g.pick(t, "guide.menu.title", "guide.menu.check")
	keys := "  42 in all   " + g.word("guide.keys.choice")
	until(t, "the list has the height of the terminal", func() bool {
		lines := g.below(g.word("guide.copy.title"))
		return len(lines) == 23 && lines[1] == `> a\x1B[2J\u202Eb.pfx` && lines[20] == "  copy-18.pfx" && lines[22] == keys
	})
	resize(12, 70)
	until(t, "the list follows", func() bool {
		lines := g.below(g.word("guide.copy.title"))
		return len(lines) == 11 && lines[8] == "  copy-06.pfx" && lines[10] == keys
	})
	g.typed(t, "\x1b")
	g.leave(t)
	g.kept(t)
}

// below is what stands on the screen from the last line on that has a text.
func (g *guided) below(title string) []string {
	var lines []string
	for _, line := range screenOf(g.text()).lines {
		words := strings.TrimRight(wordsOn(line), " ")
		if words == title {
			lines = nil
		}
		lines = append(lines, words)
	}
	return lines
}
