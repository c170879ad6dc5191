package softhsmtests

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// spoken are command lines whose whole output is read for English that was left in it: what each command says when all is well, and its help.
var spoken = []string{
	"list $P", "list --wide $P", "list --by purpose $P", "list --no-login --token demo", "diagnose $P", "diagnose --verbose $P", "doctor", "doctor --verbose",
	"export alice -o FILE/alice.pfx --force --iterations 1000 $P $W", "export alice -o FILE/weak.pfx --force --profile legacy $P $W", "export alice -o FILE/n.pfx --dry-run $P",
	"export alice -o FILE/alice.cer --certificate-only --force $P", "export --all --dir FILE/backups --iterations 1000 $P $W", "status --dir FILE/backups $P",
	"verify FILE/alice.pfx $W", "verify FILE/weak.pfx $W", "verify FILE/alice.pfx --against alice $P $W", "verify --dir FILE/backups $W",
	"request alice --dry-run $P", "request alice --same-key -o FILE/alice.csr --force $P", "delete alice --dry-run --yes $P", "snapshot -o FILE/s.json --force $P", "report FILE/s.json",
	"explain", "explain glossary", "explain --errors", "version",
}

// english are words that neither Spanish, nor Catalan, nor French has.
var english = regexp.MustCompile(`(?i)\b(the|of|is|are|was|were|been|and|with|from|that|this|which|cannot|must|should|your|you|its|has been|not|key|keys|file|password)\b`)

// unspoken is what stands in every language as it is: what is typed, names of the specification and of programs, addresses and paths, and what a
// module says of itself.
var unspoken = regexp.MustCompile("`[^`]*`|'p11bridge[^']*'|\"[^\"]*\"|«[^»]*»|\\S*[/=_@:]\\S*|\\S+\\.\\S+|--?[a-z][a-z-]*|\\b[A-Z0-9]{2,}\\b|[a-z0-9]+(-[a-z0-9]+)+|^ +p11bridge .*|Implementation of PKCS11")

// TestNoEnglishIsLeftLong runs every command and asks for every help in Spanish, Catalan and French. That English would be seen is shown by
// the English texts.
func TestNoEnglishIsLeftLong(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "token \"demo\"\nlabel=\"alice\" id=01 key=p256 policy=wrappable certificate=valid\nlabel=\"bob\" id=02 key=p256 policy=locked certificate=valid\nlabel=\"paul\" id=03 key=p256 policy=wrappable\n")
	lines := slices.Clone(spoken)
	for _, row := range refusals {
		if row.environment == nil && !strings.Contains(row.args, "good.pfx") && !strings.Contains(row.args, "stranger.pem") && !strings.Contains(row.args, "alone") {
			lines = append(lines, row.args)
		}
	}
	for _, command := range append(commandsOf(t), "") {
		lines = append(lines, command+" --help")
	}
	for _, language := range messages.Languages() {
		for _, line := range lines {
			if language == "en" && !strings.HasSuffix(line, "--help") {
				continue
			}
			said, seen := p.said(t, line, language), false
			if len(said) < 10 {
				t.Errorf("%s: %s says only %q", language, line, said)
			}
			for text := range strings.Lines(said) {
				found := english.FindString(unspoken.ReplaceAllString(text, " "))
				seen = seen || found != ""
				if found != "" && language != "en" {
					t.Errorf("%s: %s says %q in %s", language, line, found, strings.TrimSpace(text))
				}
			}
			if language == "en" && strings.HasSuffix(line, "--help") && !seen {
				t.Errorf("no English is seen in %s", said)
			}
		}
	}
}

// said is all that a command says, whatever it ends with.
func (p *place) said(t *testing.T, args, language string) string {
	t.Helper()
	r := p11bridge(t, p.environment, append(p.words(args), "--lang", language)...)
	return r.stdout + r.stderr
}

// TestUnwrittenResultIsTranslated: where the disk is full, that is said in the person's language: of a result, of a help and of a completion.
func TestUnwrittenResultIsTranslated(t *testing.T) {
	t.Parallel()
	for _, language := range messages.Languages() {
		texts, err := messages.Load(language)
		if err != nil {
			t.Fatal(err)
		}
		want := onOneLine(texts.Text("error.write", messages.Args{"Problem": messages.Own(texts.Text("system.no-space", nil))}))
		for _, args := range [][]string{{"explain"}, {"explain", "--json"}, {"list", "--help"}, {"completion", "bash"}} {
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			command := product(t.Context(), []string{"LC_ALL=" + language + ".UTF-8"}, args...)
			command.Stdout, command.Stderr = full, &said
			_ = command.Run() //nolint:errcheck // its exit code is looked at
			full.Close()
			if code := command.ProcessState.ExitCode(); code != 1 || onOneLine(said.String()) != "p11bridge: "+want {
				t.Errorf("%s %q: exit code %d, not %q:\n%s", language, args, code, want, said.String())
			}
		}
	}
}
