package softhsmtests

import (
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"p11bridge/cmd/messages"
)

// guided is a person in the guided mode: it reads what stands on the terminal and answers it, in drawn lists by arrow keys
// and in plain ones by numbers. What it waits for are the texts of the catalog.
type guided struct {
	*terminal
	*running
	texts *messages.Catalog
	plain bool
	at    int    // how much of what was shown has been answered
	last  string // the question that was answered last
	ended time.Time
}

// over reports whether the program ended so long ago that nothing more will show.
func (g *guided) over() bool {
	if g.ended.IsZero() && hasEnded(g.Process.Pid) {
		g.ended = time.Now()
	}
	return !g.ended.IsZero() && time.Since(g.ended) > 30*time.Second || time.Now().After(lastMoment())
}

// newGuided starts the guided mode in a directory.
func newGuided(t *testing.T, language string, plain bool, directory string, environment []string, args ...string) *guided {
	t.Helper()
	return newGuidedAt(t, 300, language, plain, directory, environment, args...)
}

// newGuidedAt is newGuided on a terminal of so many columns.
func newGuidedAt(t *testing.T, columns uint16, language string, plain bool, directory string, environment []string, args ...string) *guided {
	t.Helper()
	return newGuidedBy(t, product(context.Background(), environment, args...), columns, language, plain, directory)
}

// newGuidedBy is newGuidedAt by a command that ends in the guided mode.
func newGuidedBy(t *testing.T, command *exec.Cmd, columns uint16, language string, plain bool, directory string) *guided {
	t.Helper()
	texts, err := messages.Load(language)
	if err != nil {
		t.Fatal(err)
	}
	g := &guided{terminal: newTerminal(t), texts: texts, plain: plain}
	if err := unix.IoctlSetWinsize(int(g.far.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 100, Col: columns}); err != nil {
		t.Fatal(err)
	}
	name := map[bool]string{false: "TERM=xterm-256color", true: "TERM=dumb"}[plain]
	command.Env = append(command.Env, name, "LC_ALL="+language+"_XX.UTF-8")
	command.Dir = directory
	g.running = g.run(t, command, true)
	return g
}

// drawing are the sequences by which a list is drawn.
var drawing = regexp.MustCompile("\x1b\\[[0-9;?>=]*[A-Za-z]|\x1b[=>]|\r")

func (g *guided) seen() string { return drawing.ReplaceAllString(g.text()[g.at:], "") }

// wait waits until all of the texts stand on the terminal, one behind the other, wherever lines are broken. A question that is
// asked meanwhile will not go away: the texts never come.
func (g *guided) wait(t *testing.T, texts ...string) {
	t.Helper()
	for ; ; time.Sleep(10 * time.Millisecond) {
		seen := g.seen()
		rest, ok := onOneLine(seen), true
		for _, text := range texts {
			var found bool
			_, rest, found = strings.Cut(rest, onOneLine(text))
			ok = ok && found
		}
		if ok {
			return
		}
		if title := g.unexpected(t, seen); title != "" {
			t.Fatalf("the terminal asks %q, and does not show %q:\n%s", title, texts, seen)
		}
		if g.over() {
			t.Fatalf("the terminal never shows %q, but:\n%s", texts, seen)
		}
	}
}

// stands waits until a text stands on the screen, wherever lines are broken. What stood there before may have a part of it, which is
// not drawn anew.
func (g *guided) stands(t *testing.T, text string) {
	t.Helper()
	for ; ; time.Sleep(10 * time.Millisecond) {
		var lines []string
		for _, line := range screenOf(g.text()).lines {
			lines = append(lines, wordsOn(line))
		}
		shown := strings.Join(lines, "\n")
		if strings.Contains(unbroken(shown), unbroken(text)) {
			return
		}
		if g.over() {
			t.Fatalf("the screen never shows %q, but:\n%s", text, shown)
		}
	}
}

// onOneLine is a text on one line.
func onOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// unexpected is the title of a question that stands at the end of what is shown, other than the one that was answered last,
// which may be drawn once more.
func (g *guided) unexpected(t *testing.T, seen string) string {
	t.Helper()
	seen = g.withoutProposal(seen)
	if !slices.ContainsFunc([]string{"guide.keys.choice", "guide.keys.line", "guide.number", "guide.line"}, func(id string) bool { return strings.HasSuffix(seen, g.word(id)) }) {
		return ""
	}
	for _, title := range g.titles(t) {
		if !strings.Contains(g.last, title) && strings.Contains(seen, title) {
			return title
		}
	}
	return ""
}

// titles are those of all questions, as far as they have words of their own.
func (g *guided) titles(t *testing.T) []string {
	t.Helper()
	text, err := messages.Read("guide." + g.texts.Language + ".json")
	var all map[string]any
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for id := range all {
		if title := g.word(id); strings.HasSuffix(id, ".title") && len(title) > 3 {
			titles = append(titles, title)
		}
	}
	return titles
}

// withoutProposal cuts off what a plain question proposes behind it.
func (g *guided) withoutProposal(seen string) string {
	seen = strings.TrimSpace(seen)
	if g.plain {
		seen = strings.TrimSpace(proposal.ReplaceAllString(seen, ""))
	}
	return seen
}

var proposal = regexp.MustCompile(` *\[[^\]\n]*\]$`)

func (g *guided) typed(t *testing.T, keys string) {
	t.Helper()
	g.mutex.Lock()
	g.at = g.shown.Len()
	g.mutex.Unlock()
	if _, err := io.WriteString(g.near, keys); err != nil {
		t.Fatal(err)
	}
}

// word is a text of the catalog up to its first argument.
func (g *guided) word(id string) string {
	text, _, _ := strings.Cut(g.texts.Text(id, messages.Args{}), "<no value>")
	return strings.TrimSpace(text)
}

// remedy is what to do about an error, in the words for the guided mode where it has its own.
func (g *guided) remedy(id string) string {
	id += ".remedy"
	if own := g.texts.Text(id+".guide", nil); own != id+".guide" {
		return own
	}
	return g.texts.Text(id, nil)
}

// choose waits for a question and takes the answer that begins with a text.
func (g *guided) choose(t *testing.T, title, answer string) {
	t.Helper()
	list := g.list(t, title)
	if g.plain {
		match := regexp.MustCompile(`(?m)^ *(\d+)\. ` + regexp.QuoteMeta(answer)).FindStringSubmatch(list)
		if match == nil {
			t.Fatalf("%q has no answer %q:\n%s", title, answer, list)
		}
		g.typed(t, match[1]+"\n")
		return
	}
	at, proposed, answers := -1, 0, 0
	for line := range strings.Lines(list) {
		text, marked := strings.CutPrefix(line, "> ")
		if !marked {
			if text, marked = strings.CutPrefix(line, "  "); !marked || strings.HasPrefix(text, "  ") {
				continue
			}
			marked = false
		}
		if marked {
			proposed = answers
		}
		if strings.HasPrefix(text, answer) && at < 0 {
			at = answers
		}
		answers++
	}
	if at < 0 {
		t.Fatalf("%q has no answer %q:\n%s", title, answer, list)
	}
	keys := strings.Repeat("\x1b[B", max(0, at-proposed)) + strings.Repeat("\x1b[A", max(0, proposed-at))
	g.typed(t, keys+"\r")
}

// pick is choose with ids of texts.
func (g *guided) pick(t *testing.T, title, answer string) {
	t.Helper()
	g.choose(t, g.word(title), g.word(answer))
}

// question waits until a question stands at the end of what is shown, and gives what is below its title.
func (g *guided) question(t *testing.T, title, end string) string {
	t.Helper()
	for ; ; time.Sleep(10 * time.Millisecond) {
		seen := g.seen()
		question := g.withoutProposal(seen)
		if at := strings.LastIndex(question, title); at >= 0 && strings.HasSuffix(question, end) {
			g.last = title
			return strings.TrimSuffix(question[at+len(title):], end)
		}
		if other := g.unexpected(t, seen); other != "" {
			t.Fatalf("the terminal asks %q and not %q:\n%s", other, title, seen)
		}
		if g.over() {
			t.Fatalf("the terminal never asks %q, but shows:\n%s", title, seen)
		}
	}
}

// list waits for a question with answers to choose from.
func (g *guided) list(t *testing.T, title string) string {
	t.Helper()
	return g.question(t, title, g.word(map[bool]string{false: "guide.keys.choice", true: "guide.number"}[g.plain]))
}

// line waits for a question that a line answers.
func (g *guided) line(t *testing.T, title string) string {
	t.Helper()
	return g.question(t, title, g.word(map[bool]string{false: "guide.keys.line", true: "guide.line"}[g.plain]))
}

// back goes back from a list.
func (g *guided) back(t *testing.T, title string) {
	t.Helper()
	g.list(t, title)
	g.typed(t, map[bool]string{false: "\x1b", true: "0\n"}[g.plain])
}

// answer types a line in the place of what is proposed.
func (g *guided) answer(t *testing.T, title, line string) {
	t.Helper()
	g.line(t, g.word(title))
	g.typed(t, map[bool]string{false: "\x15", true: ""}[g.plain]+line+"\r") // Ctrl-U: nothing of the proposal
}

// accept takes what is proposed.
func (g *guided) accept(t *testing.T, title string) {
	t.Helper()
	g.line(t, g.word(title))
	g.typed(t, "\r")
}

// secret answers a question of a command, with the echo off.
func (g *guided) secret(t *testing.T, question, text string) {
	t.Helper()
	g.wait(t, g.word(question))
	until(t, "the echo is off", func() bool { return !g.echoes(t) })
	g.typed(t, text+"\n")
}

// cut ends a question that has the echo off by a key: Ctrl-C or Esc.
func (g *guided) cut(t *testing.T, question, key string) {
	t.Helper()
	g.wait(t, g.word(question))
	until(t, "the echo is off", func() bool { return !g.echoes(t) })
	g.typed(t, key)
}

// leave ends the conversation, which must end well.
func (g *guided) leave(t *testing.T) {
	t.Helper()
	g.pick(t, "guide.menu.title", "guide.menu.leave")
	if code := g.ends(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, g.text())
	}
	if !g.echoes(t) {
		t.Error("the terminal's echo stays off")
	}
}

// further answers the question that stands below the end of a task.
func (g *guided) further(t *testing.T) {
	t.Helper()
	g.pick(t, "guide.failed.title", "guide.to-menu")
}

// command is what the conversation shows at the end of a task.
func (g *guided) command(t *testing.T) string {
	t.Helper()
	g.wait(t, g.word("guide.command"), g.word("guide.failed.title"))
	_, shown, _ := strings.Cut(g.seen(), g.word("guide.command"))
	g.further(t)
	return strings.TrimSpace(strings.SplitN(strings.TrimSpace(shown), "\n", 2)[0])
}

// works runs a command that the conversation showed, as it was pasted, with more arguments.
func (g *guided) works(t *testing.T, command string, more ...string) string {
	t.Helper()
	pasted := exec.Command("sh", "-c", command+" "+strings.Join(more, " "))
	pasted.Env, pasted.Dir = append(g.Env, "LC_ALL=C"), g.Dir
	output, err := pasted.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", command, err, output)
	}
	return string(output)
}

// queries are sequences that have a terminal answer, report what happens to it, or change its keyboard.
var queries = regexp.MustCompile("\x1b\\[=[0-9;]*u|\x1b\\[>4[0-9;]*m|\x1b\\[\\??[0-9;]*\\$p|\x1b\\[[>=]?[0-9]*c|\x1b\\[[0-9]*n|\x1b\\[\\?u|\x1b\\][0-9;]*\\?|\x1b\\[\\?100[0-9]h|\x1bP")

// kept wants no secret on the terminal, and no question to the terminal itself: its answer would be typed into the next one.
func (g *guided) kept(t *testing.T) {
	t.Helper()
	shown := g.text()
	if strings.Contains(shown, testPIN) || strings.Contains(shown, testPassword) {
		t.Errorf("a secret shows:\n%s", shown)
	}
	if found := queries.FindAllString(shown, -1); len(found) > 0 {
		t.Errorf("the terminal was asked %q", slices.Compact(found))
	}
	if g.plain && strings.Contains(shown, "\x1b[") {
		t.Errorf("a plain terminal was drawn on:\n%q", shown)
	}
	for line := range strings.Lines(pasteable.ReplaceAllString(drawing.ReplaceAllString(shown, ""), "")) {
		if flagAlone.MatchString(line) {
			t.Errorf("a flag is named that nobody typed: %s", line)
		}
	}
}

// pasteable are commands that work as they stand, and flagAlone is a flag in the words of a text.
var (
	pasteable = regexp.MustCompile("(?m)^ *p11bridge .*|[`']p11bridge [^`'\n]*[`']|(softhsm2-util|systemctl)\\b.*(\r?\n *--.*)?") // which a narrow terminal breaks
	flagAlone = regexp.MustCompile(`(^|[^\w-])--[a-z]`)
)
