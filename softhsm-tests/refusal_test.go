package softhsmtests

import (
	"regexp"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
	typeset "p11bridge/cmd/terminal"
)

// refusals are command lines that end in a "no": a key that cannot leave, a file that is no copy, a PIN, a token or a module that cannot be
// used. FILE is the directory of the test.
var refusals = []struct {
	args        string
	environment []string
	exit        int
}{
	{"export bob -o n.pfx $P $W", nil, 3},
	{"export bob -o n.pfx --dry-run $P $W", nil, 3},
	{"export alone -o n.pfx $P $W", nil, 3},
	{"export paul -o n.pfx $P $W", nil, 1},
	{"export alice -o n.pfx $W", nil, 4},
	{"export alice -o n.pfx --token demo --pin-source file:FILE/password.txt $W", nil, 4},
	{"export alice -o n.pfx --method shroud --require-shroud $P $W", []string{"P11FAULT=error:C_WrapKey:0x70"}, 5},
	{"verify FILE/password.txt $W", nil, 6},
	{"verify FILE/good.pfx --password-source file:FILE/token/pin.txt", nil, 6},
	{"verify FILE/good.pfx --against bob $P $W", nil, 6},
	{"restore FILE/good.pfx $P $W", nil, 1},
	{"install FILE/stranger.pem $P", nil, 1},
	{"list", []string{"SOFTHSM2_CONF=/nowhere"}, 1},
	{"list --module /nowhere.so", nil, 1},
	{"list --module FILE/password.txt", nil, 1},
	{"list --token nowhere", nil, 1},
	{"list --nss-db FILE", nil, 1},
	{"delete nobody --yes $P", nil, 1},
}

// evidence is what a code or a line of evidence looks like: for --verbose, for documents, and for the page.
var evidence = regexp.MustCompile(`\[[a-z]+(-[a-z0-9]+)+\]|\bCK[AFR]_[A-Z_]+=|(^|[\s,])[a-z_]+=(true|false|null|\d)`)

// TestEveryNoIsShort: a refusal as it stands on a terminal has at most twelve lines of 80 columns, in each language, without codes and
// evidence; with --verbose they are there.
func TestEveryNoIsShort(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `token "demo"
label="alice" id=01 key=p256 policy=wrappable certificate=valid
label="bob" id=02 key=p256 policy=locked certificate=valid
label="paul" id=03 key=p256 policy=wrappable
label="alone" id=04 key=p256 certificate=valid nokey
`)
	if r := p11bridge(t, p.environment, "export", "alice", "-o", p.path("good.pfx"), "--iterations", "1000", "--pin-source", p.pin, "--password-source", p.password); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	mustForeign(t, p.directory, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "stranger.pem", "-subj", "/CN=stranger", "-days", "30")
	for _, row := range refusals {
		t.Run(row.args, func(t *testing.T) {
			for _, language := range sampled(t, 4, messages.Languages()) {
				checkShort(t, p.refused(t, row.args, language, row.environment, row.exit))
			}
			if said := p.refused(t, row.args+" --verbose", "en", row.environment, row.exit); row.exit >= 3 && !evidence.MatchString(said) {
				t.Errorf("no code or evidence with --verbose\n%s", said)
			}
		})
	}
}

// TestEveryNoIsShortLong refuses in the other languages.
func TestEveryNoIsShortLong(t *testing.T) { TestEveryNoIsShort(t) }

// checkShort wants a "no" that can be read over the telephone.
func checkShort(t *testing.T, said string) {
	t.Helper()
	if shown := typeset.Lines(said, 80); shown > 12 {
		t.Errorf("%d lines\n%s", shown, typeset.Wrap(said, 80))
	}
	if found := evidence.FindString(said); found != "" {
		t.Errorf("%s shows without --verbose\n%s", found, said)
	}
}

// refused runs a command line that must end in a refusal.
func (p *place) refused(t *testing.T, args, language string, environment []string, exit int) string {
	t.Helper()
	words := p.words(args)
	if len(environment) > 0 && strings.HasPrefix(environment[0], "P11FAULT=") {
		words = append(words, "--module", faultyModule(t))
	}
	r := p11bridge(t, append(p.environment[:len(p.environment):len(p.environment)], environment...), append(words, "--lang", language)...)
	if r.code != exit {
		t.Errorf("exit code %d, not %d\n%s%s", r.code, exit, r.stdout, r.stderr)
	}
	return r.stdout + r.stderr
}

// words are a command line word by word: $P stands for the token and its PIN, $W for a password, FILE for the directory of the test.
func (p *place) words(line string) []string {
	var words []string
	for _, word := range strings.Fields(line) {
		switch word {
		case "$P":
			words = append(words, "--token", "demo", "--pin-source", p.pin)
		case "$W":
			words = append(words, "--password-source", p.password)
		default:
			words = append(words, strings.ReplaceAll(word, "FILE", p.directory))
		}
	}
	return words
}
