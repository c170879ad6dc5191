package softhsmtests

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// TestGuideEscapesSecrets goes back by Esc from every question whose answer does not show: those of the commands, and the one of the
// conversation itself. Nothing is tried and nothing is half done.
func TestGuideEscapesSecrets(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain %v", plain), func(t *testing.T) {
			p, environment := counted(t, oneKey)
			if r := p11bridge(t, p.environment, p.export("dave", "--iterations", "1000")...); r.code != 0 {
				t.Fatal(r.stderr)
			}
			g := newGuided(t, "en", plain, p.directory, environment)
			const escape = "half\x1b"
			g.pick(t, "guide.menu.title", "guide.menu.backup")
			g.cut(t, "prompt.pin-optional", escape)
			g.toKeys(t)
			g.toFile(t, "dave")
			g.answer(t, "guide.file.title", "new.pfx")
			g.pick(t, "guide.delete.title", "guide.delete.no")
			g.cut(t, "prompt.pin", escape)
			g.pick(t, "guide.delete.title", "guide.delete.no")
			g.secret(t, "prompt.pin", testPIN)
			g.cut(t, "prompt.new-password", escape)
			g.pick(t, "guide.delete.title", "guide.delete.no")
			g.secret(t, "prompt.pin", testPIN)
			g.secret(t, "prompt.new-password", testPassword)
			g.cut(t, "prompt.new-password.again", escape)
			g.escape(t, g.list, "guide.delete.title")
			g.escape(t, g.line, "guide.file.title")
			g.escape(t, g.list, "guide.readers.title")
			g.escape(t, g.list, "guide.chain.title")
			g.escape(t, g.list, "guide.key.title")

			g.pick(t, "guide.menu.title", "guide.menu.check")
			g.choose(t, g.word("guide.copy.title"), "dave.pfx")
			g.cut(t, "prompt.password", escape)
			g.escape(t, g.list, "guide.copy.title")
			g.leave(t)
			g.kept(t)
			p.absent(t, "new.pfx", "new.json")
			if logins := p.logins(t); logins != 3 || strings.Contains(g.text(), "half") { // once for the list, twice for an export
				t.Errorf("%d attempts at a login\n%s", logins, g.text())
			}
		})
	}
}

// escape is the key Esc at a question whose answer shows.
func (g *guided) escape(t *testing.T, stands func(*testing.T, string) string, title string) {
	t.Helper()
	stands(t, g.word(title))
	g.typed(t, "\x1b")
}

// TestGuideHidesTypedAhead types while a password is judged: nothing of it shows. It is the next password where that is asked for again, and is
// forgotten where a question is drawn.
func TestGuideHidesTypedAhead(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain %v", plain), func(t *testing.T) {
			p := newPlace(t, oneKey)
			if r := p11bridge(t, p.environment, p.export("dave", "--iterations", "4000000")...); r.code != 0 {
				t.Fatal(r.stderr)
			}
			g := newGuided(t, "en", plain, p.directory, p.environment)
			g.pick(t, "guide.menu.title", "guide.menu.check")
			g.choose(t, g.word("guide.copy.title"), "dave.pfx")
			g.secret(t, "prompt.password", "not the password")
			g.typedAhead(t, testPassword+"\n")
			g.wait(t, g.word("prompt.password"))
			if !plain { // where nothing is drawn it is the next answer, and shows as little
				g.typedAhead(t, "Hexenmeister-9999\r")
			}
			g.pick(t, "guide.against.title", "guide.against.no")
			g.command(t)
			g.leave(t)
			g.kept(t)
			if strings.Contains(g.text(), "Hexenmeister") {
				t.Errorf("what was typed ahead shows:\n%s", g.text())
			}
		})
	}
}

// typedAhead types while nothing is asked: the terminal has no echo then. The line of a question ends when the question is over; a key is derived
// from its answer next, which takes many times as long as this.
func (g *guided) typedAhead(t *testing.T, text string) {
	t.Helper()
	until(t, "the question is over", func() bool {
		shown := g.text()
		return strings.Contains(shown[strings.LastIndex(shown, g.word("prompt.password")):], "\n")
	})
	for range 5 {
		if g.echoes(t) {
			t.Error("what is typed shows")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := io.WriteString(g.near, text); err != nil {
		t.Fatal(err)
	}
}
