package softhsmtests

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What README.md and docs/practice.md show is run here as it stands there, so that nobody who follows it finds something else.

const (
	readme   = "../README.md"
	practice = "../docs/practice.md"
)

// block is a shell block of a document, with the marker above it: <!-- run: NAME, exit code N -->.
type block struct {
	name string
	code int
	text string
}

var (
	marked = regexp.MustCompile("(?m)^<!-- run: ([a-z-]+), exit code ([0-9]) -->\n```sh\n((?s:.*?))^```$")
	shell  = regexp.MustCompile("(?m)^```sh$")
)

func blocksOf(t *testing.T, document string) []block {
	t.Helper()
	text := string(mustRead(t, document))
	var blocks []block
	for _, match := range marked.FindAllStringSubmatch(text, -1) {
		code, err := strconv.Atoi(match[2])
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, block{match[1], code, match[3]})
	}
	if all := len(shell.FindAllString(text, -1)); len(blocks) != all || len(blocks) < 2 {
		t.Fatalf("%d of %d shell blocks in %s say what they are and how they end", len(blocks), all, document)
	}
	return blocks
}

// walk is a person who follows a document: one directory, and an environment that each block hands on to the next.
type walk struct {
	directory string
	output    string // of the last block
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	return &walk{directory: t.TempDir()}
}

// run runs a block in a shell that ends at the first command that fails. A block that is to end with an exit code other than
// 0 ends with the command that gives it.
func (w *walk) run(t *testing.T, b block) {
	t.Helper()
	const handOn = `if [ -e "$ENVIRONMENT" ]; then . "$ENVIRONMENT"; fi
trap 'code=$?; export -p > "$ENVIRONMENT"; exit $code' EXIT
set -e
`
	command := exec.CommandContext(t.Context(), "sh", "-c", handOn+b.text)
	command.Dir = w.directory
	command.Env = append(os.Environ(), "LC_ALL=C", "SOFTHSM2_CONF=", "P11BRIDGE_MODULE=", "ENVIRONMENT="+filepath.Join(w.directory, ".environment"))
	output, err := command.CombinedOutput()
	w.output = string(output)
	if command.ProcessState == nil {
		t.Fatal(err)
	}
	if code := command.ProcessState.ExitCode(); code != b.code {
		t.Fatalf("exit code %d instead of %d\n%s\n%s", code, b.code, b.text, output)
	}
}

// also runs a line in the environment of the blocks: for what the text beside them says.
func (w *walk) also(t *testing.T, code int, line string) {
	t.Helper()
	w.run(t, block{"also", code, line})
}

// shows wants all of these in what the last block printed.
func (w *walk) shows(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(w.output, text) {
			t.Errorf("%q is not in\n%s", text, w.output)
		}
	}
}

// backups counts the PFX files, each of which has its record.
func (w *walk) backups(t *testing.T, n int) {
	t.Helper()
	for _, pattern := range []string{"*.pfx", "*.json"} {
		if files, err := filepath.Glob(filepath.Join(w.directory, "backups", pattern)); err != nil || len(files) != n {
			t.Errorf("%d files backups/%s (%v) instead of %d", len(files), pattern, err, n)
		}
	}
}

// states wants status to end with the code and to tell these states, sorted, of all keys with these labels.
func (w *walk) states(t *testing.T, code int, want map[string][]string) {
	t.Helper()
	w.also(t, code, `p11bridge status --dir backups --token demo --pin-source "$PIN" --json 2>/dev/null`)
	if err := validate("status", w.output); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Keys []struct{ Label, State string }
	}
	if err := json.Unmarshal([]byte(w.output), &document); err != nil {
		t.Fatal(err)
	}
	for label, states := range want {
		var got []string
		for _, key := range document.Keys {
			if key.Label == label {
				got = append(got, key.State)
			}
		}
		if slices.Sort(got); !slices.Equal(got, states) {
			t.Errorf("the states of %q are %q instead of %q", label, got, states)
		}
	}
}

// promised is what docs/practice.md says around each of its blocks, as far as the exit code does not say it.
var promised = map[string]func(*testing.T, *walk){
	"set-up": func(t *testing.T, w *walk) {
		if info, err := os.Stat(filepath.Join(w.directory, "password.txt")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("password.txt: %v, %v", info, err)
		}
	},
	"first-backup": func(t *testing.T, w *walk) {
		w.shows(t, "cannot be exported", "This key can never leave the token.", "but no certificate for it")
		w.backups(t, 16)
		w.also(t, 0, "cp -a backups before")
		w.also(t, 5, `p11bridge export --all --dir backups --token demo --pin-source "$PIN" --password-source "$PASSWORD"`)
		w.shows(t, "0 written and proven, 16 up to date")
		w.also(t, 0, "diff -r before backups && rm -r before")
		// No secret is in a record.
		w.also(t, 1, `grep -F -f password.txt -r backups`)
		w.also(t, 1, `grep -l -F "$(cat token/pin.txt)" backups/*.json`)
	},
	"nightly": func(t *testing.T, w *walk) {
		w.shows(t, "cannot be backed up: fixed in the token for good")
		w.states(t, 5, map[string][]string{"key alone": {"never-made"}, "alice": {"up-to-date"}, "bob": {"cannot-leave"}})
		w.also(t, 1, `p11bridge status --dir backups --token away --pin-source "$PIN"`)
	},
	"first-certificate": func(t *testing.T, w *walk) {
		w.shows(t, "beside its key \"key alone\"")
		w.also(t, 0, "openssl req -in key-alone.csr -noout -verify")
	},
	"renewal": func(t *testing.T, w *walk) {
		w.also(t, 0, "openssl req -in alice.csr -noout -verify && openssl req -in dave.csr -noout -verify")
		w.also(t, 2, `p11bridge export alice -o alice.pfx --token demo --pin-source "$PIN" --password-source "$PASSWORD"`)
		w.shows(t, "names several objects", "sha256:")
		w.also(t, 2, `p11bridge export dave -o dave.pfx --token demo --pin-source "$PIN" --password-source "$PASSWORD"`)
		w.also(t, 0, `p11bridge list "sha256:$(openssl x509 -in alice.pem -outform DER | sha256sum | cut -d ' ' -f 1)" --token demo --pin-source "$PIN"`)
		w.shows(t, "can leave: handed over encrypted")
	},
	"renewed": func(t *testing.T, w *walk) {
		w.shows(t, "renewed since the last backup", "no backup recorded")
		w.states(t, 5, map[string][]string{"alice": {"outdated", "up-to-date"}, "dave": {"never-made", "up-to-date"}, "key alone": {"never-made"}})
	},
	"replacement": func(t *testing.T, w *walk) {
		w.shows(t, "This key can never leave the token.", "Next: p11bridge request", "bob: the key cannot leave") // what diagnose says
		w.states(t, 5, map[string][]string{"bob": {"cannot-leave", "never-made"}})
	},
	"backup-again": func(t *testing.T, w *walk) {
		w.shows(t, "4 written and proven, 16 up to date")
		w.backups(t, 20)
	},
	"content": func(t *testing.T, w *walk) {
		w.shows(t, "Nothing needs a backup.")
		// What the job is there to see: a file that was changed, and one that is gone.
		w.also(t, 0, `for file in backups/heidi-*.pfx; do cp "$file" kept; echo more >> "$file"; done`)
		w.states(t, 5, map[string][]string{"heidi": {"file-changed"}})
		w.also(t, 0, `rm backups/heidi-*.pfx`)
		w.states(t, 5, map[string][]string{"heidi": {"file-missing"}})
		w.also(t, 0, `mv kept "backups/$(basename backups/heidi-*.json .json).pfx"`)
		w.states(t, 0, map[string][]string{"heidi": {"up-to-date"}})
	},
	"disaster":   func(*testing.T, *walk) {},
	"token-lost": func(t *testing.T, w *walk) { w.shows(t, "demo") },
	"restore": func(t *testing.T, w *walk) {
		if n := strings.Count(w.output, "Proven: the token signed with the key, and the signature was verified with the certificate."); n != 3 {
			t.Errorf("%d keys instead of 3 were restored\n%s", n, w.output)
		}
		w.shows(t, "It is a copy of the key pkcs11:token=new", "Nothing needs a backup.")
		// A second file of the same key is refused, and one that is restored without --exportable stays.
		w.also(t, 1, `for file in backups/alice-*.pfx; do p11bridge restore "$file" --token new --pin-source "$PIN" --password-source "$PASSWORD" 2>&1; done`)
		w.shows(t, "on the token already")
		w.also(t, 3, `p11bridge restore backups/grace-*.pfx --token new --pin-source "$PIN" --password-source "$PASSWORD"
p11bridge export grace -o grace.pfx --token new --pin-source "$PIN" --password-source "$PASSWORD"`)
		// The certificate that was renewed is the one that is there, and openssl takes the key for its.
		w.also(t, 0, `p11bridge export alice -o alice.pfx --token new --pin-source "$PIN" --password-source "$PASSWORD"
openssl pkcs12 -in alice.pfx -passin file:password.txt -nodes -nocerts | openssl pkey -pubout > key.pub
openssl x509 -in alice.pem -noout -pubkey | cmp - key.pub`)
	},
}

// TestPracticeRunsLong follows docs/practice.md from its first shell block to its last.
func TestPracticeRunsLong(t *testing.T) {
	t.Parallel()
	blocks := blocksOf(t, practice)
	named := map[string]bool{}
	w := newWalk(t)
	for _, b := range blocks {
		check, known := promised[b.name]
		if !known || named[b.name] {
			t.Fatalf("the block %q has no checks of its own", b.name)
		}
		named[b.name] = true
		t.Run(b.name, func(t *testing.T) {
			w.run(t, b)
			check(t, w)
		})
		if t.Failed() {
			t.FailNow() // the next ones would only fail for that
		}
	}
	for name := range promised {
		if !named[name] {
			t.Errorf("%s has no block %q", practice, name)
		}
	}
}

var shownDemo = regexp.MustCompile("(?m)^<!-- output of: p11bridge demo -->\n```\n((?s:.*?))^```$")

// what differs from run to run: the place of the demo's token, dates, serial numbers and hashes.
var changing = []struct {
	pattern *regexp.Regexp
	stands  string
}{
	{regexp.MustCompile(`[^\s']*/p11bridge-demo-[0-9]+/`), ""},
	{regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b`), "DATE"},
	{regexp.MustCompile(`\b[0-9]{1,2} [A-Z][a-z]+ [0-9]{4}\b`), "DATE"},
	{regexp.MustCompile(`\b[0-9a-f]{10,64}\b`), "HEX"},
}

func unchanging(text string) string {
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.stands)
	}
	return text
}

// practiceShows holds what docs/practice.md shows of the demo against what it printed. Where … stands, something was left out.
func practiceShows(printed string) error {
	text, err := os.ReadFile(practice)
	if err != nil {
		return err
	}
	match := shownDemo.FindStringSubmatch(string(text))
	if match == nil {
		return fmt.Errorf("%s shows no output of p11bridge demo", practice)
	}
	real := unchanging(printed)
	lines := 0
	for line := range strings.Lines(match[1]) {
		line = strings.TrimSuffix(line, "\n")
		if strings.Trim(line, " …") == "" {
			continue
		}
		lines++
		parts := strings.Split(unchanging(line), "…")
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		if !regexp.MustCompile("(?m)^" + strings.Join(parts, ".+") + "$").MatchString(real) {
			return fmt.Errorf("the demo does not print this:\n%s\nIt prints:\n%s", line, printed)
		}
	}
	if lines < 20 {
		return fmt.Errorf("only %d lines are shown", lines)
	}
	return nil
}

// TestReadmeListsEveryCommand holds the table of commands against the program, and what it says of flags.
func TestReadmeListsEveryCommand(t *testing.T) {
	t.Parallel()
	text := string(mustRead(t, readme))
	commands := commandsOf(t)
	for _, command := range commands {
		if !regexp.MustCompile("(?m)^\\|.*`" + command + "\\b[^`]*`.* \\|").MatchString(text) {
			t.Errorf("%s has no row for %s", readme, command)
		}
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z]+)\\b[^\n]*")
	flag := regexp.MustCompile(`--[a-z][a-z-]+`)
	seen := 0
	for _, match := range row.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(commands, match[1]) {
			continue
		}
		help := p11bridge(t, nil, match[1], "--help").stdout
		for _, name := range flag.FindAllString(match[0], -1) {
			seen++
			if !strings.Contains(help, name+" ") {
				t.Errorf("%s says that '%s' has %s", readme, match[1], name)
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d flags were found in the table", seen)
	}
}
