package softhsmtests

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"p11bridge/cmd/messages"
)

// readmes are README.md and its translations.
func readmes(t *testing.T) []string {
	t.Helper()
	documents, err := filepath.Glob("../README*.md")
	if err != nil || len(documents) != len(messages.Languages()) {
		t.Fatalf("%q, %v", documents, err)
	}
	return documents
}

// TestReadmeRunsLong runs each block of README.md where its section says that the certificate is. A person answers what is asked.
func TestReadmeRunsLong(t *testing.T) {
	t.Parallel()
	checks := map[string]func(*testing.T, block){
		"install": followsInstall, "firefox": followsFirefox, "card": followsCard, "pipeline": followsPipeline, "support": followsSupport,
	}
	blocks := blocksOf(t, readme)
	if len(blocks) != len(checks) {
		t.Errorf("%d blocks, and checks of %d", len(blocks), len(checks))
	}
	for _, b := range blocks {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			check, known := checks[b.name]
			if !known {
				t.Fatal("the block has no check")
			}
			check(t, b)
		})
	}
}

// followsInstall and the four below do what the block of a section says, and look at what came of it.
func followsInstall(t *testing.T, b block) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "-e", "-c", b.text+"p11bridge version")
	command.Dir = ".."
	if output, err := command.CombinedOutput(); err != nil || !strings.Contains(string(output), "p11bridge ") {
		t.Errorf("%v\n%s", err, output)
	}
}

func followsFirefox(t *testing.T, b block) {
	t.Helper()
	db := newNSS(t)
	db.certutil(t, "alice", "ec", "-q", "nistp256")
	firefox := filepath.Join(db.directory, ".mozilla", "firefox")
	if err := os.MkdirAll(firefox, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, firefox, "profiles.ini", []byte("[Profile0]\nName=mine\nIsRelative=0\nPath="+db.database+"\n"))
	output := answered(t, b, db.directory, nssPIN, "HOME="+db.directory, "P11BRIDGE_MODULE=", "P11BRIDGE_NSS_DB=")
	checkCopied(t, output, db.file("alice.pfx"), db.password)
	if !strings.Contains(output, "Firefox, profile mine") || !strings.Contains(output, "It is a copy of the key") {
		t.Errorf("the profile is not named, or the copy is of no key:\n%s", output)
	}
}

func followsCard(t *testing.T, b block) {
	t.Helper()
	p := newPlace(t, `label="alice" id=01 key=p256 policy=wrappable certificate=valid`)
	output := answered(t, b, p.directory, testPIN, p.environment...)
	checkCopied(t, output, p.path("alice.pfx"), p.path("password.txt"))
	if !strings.Contains(output, "alice (EC P-256), CN=alice: the key can leave") {
		t.Errorf("diagnose says nothing of alice:\n%s", output)
	}
}

func followsPipeline(t *testing.T, b block) {
	t.Helper()
	w := newWalk(t)
	w.run(t, b)
	_, document, _ := strings.Cut(w.output, "{")
	if err := validate("list", "{"+document); err != nil {
		t.Error(err)
	}
}

func followsSupport(t *testing.T, b block) {
	t.Helper()
	p := newPlace(t, `label="alice" id=01 key=p256 policy=locked certificate=valid`)
	output := answered(t, b, p.directory, testPIN, p.environment...)
	if !strings.Contains(output, "alice (EC P-256), CN=alice: the key cannot leave") || !strings.Contains(output, "[key-not-extractable]") {
		t.Errorf("the diagnosis or the explanation is missing:\n%s", output)
	}
}

func checkCopied(t *testing.T, output, file, password string) {
	t.Helper()
	if !strings.Contains(output, filepath.Base(file)+" is a valid copy of the certificate CN=alice with its private key.") {
		t.Errorf("it was not said that the copy is valid:\n%s", output)
	}
	if err := opensslOpens(file, password, false); err != nil {
		t.Error(err)
	}
}

// answered runs a block on a terminal as a person would: what is asked with the echo off is answered, by the PIN or by the file's
// password. It gives what the terminal shows, on one line.
func answered(t *testing.T, b block, directory, pin string, environment ...string) string {
	t.Helper()
	term := newTerminal(t)
	command := exec.CommandContext(context.Background(), "sh", "-e", "-c", b.text)
	command.Dir = directory
	command.Env = slices.Concat(os.Environ(), []string{"LC_ALL=C.UTF-8", "TERM=xterm", "PAGER=cat", "SOFTHSM2_CONF="}, environment)
	r := term.run(t, command, true)
	at := 0
	for ; ; time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-r.done:
			r.done <- err
			if code := command.ProcessState.ExitCode(); code != b.code {
				t.Fatalf("exit code %d instead of %d\n%s\n%s", code, b.code, b.text, term.text())
			}
			const end = "-- end --" // what was printed before is read before
			if _, err := io.WriteString(term.far, end); err != nil {
				t.Fatal(err)
			}
			until(t, "all of it is read", func() bool { return strings.Contains(term.text(), end) })
			return onOneLine(drawing.ReplaceAllString(term.text(), ""))
		default:
		}
		text := term.text()
		lines := strings.Split(text[at:], "\n")
		question := strings.Join(lines[max(0, len(lines)-2):], "\n") // a long one is of two lines
		if strings.HasSuffix(question, ": ") && !term.echoes(t) {
			at = len(text)
			answer := testPassword
			if strings.Contains(question, "PIN of") || strings.Contains(question, "Primary password") {
				answer = pin
			}
			if _, err := io.WriteString(term.near, answer+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		if time.Now().After(lastMoment()) {
			t.Fatalf("it never ends:\n%s", text)
		}
	}
}

// section is a part of a README under a heading of the second level.
type section struct {
	heading string
	blocks  []string // of code, as they stand
	quoted  []string // between backquotes: commands and names, which no language translates
	links   []string
}

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	inQuote = regexp.MustCompile("`([^`\n]+)`")
)

func sectionsOf(t *testing.T, document string) []section {
	t.Helper()
	var sections []section
	for i, part := range strings.Split(string(mustRead(t, document)), "\n## ") {
		heading, text, _ := strings.Cut(part, "\n")
		if i == 0 {
			heading = "beginning"
		}
		s := section{heading: heading, blocks: fenced.FindAllString(text, -1)}
		text = fenced.ReplaceAllString(text, "")
		for _, match := range inQuote.FindAllStringSubmatch(text, -1) {
			s.quoted = append(s.quoted, match[1])
		}
		for _, match := range linkInDocument.FindAllStringSubmatch(text, -1) {
			s.links = append(s.links, regexp.MustCompile(`\.(en|es|ca|fr)\.`).ReplaceAllString(match[1], "."))
		}
		sections = append(sections, s)
	}
	return sections
}

// ownersPart are the sections of README.md that the translations have, in their order.
var ownersPart = []string{"beginning", "Install", "My certificate is in Firefox", "It is on a card", "Questions", "Words"}

// TestReadmesKeepStep: each translation has the sections of the owner's part, with the same commands, names and pictures.
func TestReadmesKeepStep(t *testing.T) {
	t.Parallel()
	var wanted []section
	for _, s := range sectionsOf(t, readme) {
		if slices.Contains(ownersPart, s.heading) {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) != len(ownersPart) {
		t.Fatalf("%s has %d of %q", readme, len(wanted), ownersPart)
	}
	for _, language := range messages.Languages()[1:] {
		document := "../README." + language + ".md"
		sections := sectionsOf(t, document)
		if len(sections) != len(wanted) {
			t.Errorf("%s has %d sections instead of %d", document, len(sections), len(wanted))
			continue
		}
		for i, s := range sections {
			want := wanted[i]
			if !slices.Equal(s.blocks, want.blocks) {
				t.Errorf("%s, %s: the blocks are %q instead of %q", document, s.heading, s.blocks, want.blocks)
			}
			if i == 0 {
				continue // which has other links to the other languages
			}
			if !slices.Equal(s.quoted, want.quoted) {
				t.Errorf("%s, %s: %q instead of %q", document, s.heading, s.quoted, want.quoted)
			}
			if !slices.Equal(s.links, want.links) {
				t.Errorf("%s, %s: the links are %q instead of %q", document, s.heading, s.links, want.links)
			}
		}
	}
}

// TestReadmesExplainAsTheProgram: the words of every README are those of the catalog, so that explain says the same.
func TestReadmesExplainAsTheProgram(t *testing.T) {
	t.Parallel()
	for _, language := range messages.Languages() {
		document := "../README." + language + ".md"
		if language == "en" {
			document = readme
		}
		catalog, err := messages.Load(language)
		if err != nil {
			t.Fatal(err)
		}
		text := string(mustRead(t, document))
		terms := messages.IDs("term.")
		if len(terms) < 9 {
			t.Fatalf("only %q", terms)
		}
		for _, id := range terms {
			row := fmt.Sprintf("| `%s` | %s |", strings.TrimPrefix(id, "term."), catalog.Text(id, nil))
			if !strings.Contains(text, row) {
				t.Errorf("%s lacks: %s", document, row)
			}
		}
	}
}

// TestReadmeBeginsSoon: what comes before the first copy fits on one screen.
func TestReadmeBeginsSoon(t *testing.T) {
	t.Parallel()
	opening, _, found := strings.Cut(string(mustRead(t, readme)), "<!-- run: firefox")
	if lines := strings.Count(opening, "\n"); !found || lines > 35 {
		t.Errorf("%d lines before the first copy", lines)
	}
}
