package softhsmtests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// diagnosed is a token that is asked live and by its snapshot.
type diagnosed struct {
	environment []string
	flags       []string // that name the token and its PIN
	directory   string
}

func (d *diagnosed) run(t *testing.T, command string, args ...string) *result {
	t.Helper()
	return p11bridge(t, d.environment, append(append([]string{command, "--json"}, d.flags...), args...)...)
}

func (d *diagnosed) file(name string) string { return filepath.Join(d.directory, name) }

// snapshot takes one and gives its text.
func (d *diagnosed) snapshot(t *testing.T, args ...string) string {
	t.Helper()
	file := []string{"snapshot", "-o", d.file("snapshot.json"), "--force"}
	r := p11bridge(t, d.environment, slices.Concat(file, d.flags, args)...)
	if r.code != 0 {
		t.Fatalf("snapshot: exit code %d\n%s", r.code, r.stderr)
	}
	text, err := os.ReadFile(d.file("snapshot.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate("snapshot", string(text)); err != nil {
		t.Error(err)
	}
	return string(text)
}

// fromSnapshot is the diagnosis of the last snapshot, on a machine that has neither token nor module nor PIN.
func (d *diagnosed) fromSnapshot(t *testing.T, args ...string) *result {
	t.Helper()
	r := p11bridge(t, []string{"P11BRIDGE_MODULE=/nowhere.so", "SOFTHSM2_CONF=/nowhere"}, append([]string{"diagnose", "--json", "--from", d.file("snapshot.json")}, args...)...)
	if r.code != codeOfDiagnosis(r) {
		t.Fatalf("diagnose --from: exit code %d\n%s", r.code, r.stderr)
	}
	return r
}

// codeOfDiagnosis is 1 where an object could not be read, since nobody knows what it is.
func codeOfDiagnosis(r *result) int {
	for _, read := range r.document.Tokens {
		if slices.Contains(codesOf(read.Reasons), "object-unreadable") {
			return 1
		}
	}
	return 0
}

// same wants the same bytes from the token and from its snapshot, and gives them. SoftHSM keeps its objects by their addresses in memory: now and
// then a process has them in another order. Where the lines are the same and their order alone is not, all is asked once more.
func (d *diagnosed) same(t *testing.T, args ...string) *result {
	t.Helper()
	const most = 5
	for asked := 1; ; asked++ {
		live := d.run(t, "diagnose", args...)
		if live.code != codeOfDiagnosis(live) {
			t.Fatalf("diagnose: exit code %d\n%s", live.code, live.stderr)
		}
		d.snapshot(t, args...)
		from := d.fromSnapshot(t)
		if live.stdout != from.stdout && asked < most && slices.Equal(sortedLines(live.stdout), sortedLines(from.stdout)) {
			continue
		}
		if live.stdout != from.stdout {
			t.Errorf("the token says (-) and its snapshot (+):\n%s", cmp.Diff(live.stdout, from.stdout))
		}
		if len(live.document.Tokens) == 0 {
			t.Error("nothing was diagnosed")
		}
		return live
	}
}

// sortedLines are the lines of a document, without the commas behind its members.
func sortedLines(document string) []string {
	lines := strings.Split(document, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, ",")
	}
	slices.Sort(lines)
	return lines
}

func (p *place) diagnosed(flags ...string) *diagnosed {
	return &diagnosed{environment: p.environment, flags: append([]string{"--pin-source", p.pin}, flags...), directory: p.directory}
}

// TestSnapshotSaysTheSame compares the diagnosis of real tokens with that of their snapshots, byte for byte.
func TestSnapshotSaysTheSame(t *testing.T) {
	t.Parallel()
	t.Run("everything", func(t *testing.T) {
		t.Parallel()
		d := everything(t)
		if r := d.same(t); len(r.document.Tokens[0].Identities) < 20 {
			t.Errorf("only %d identities", len(r.document.Tokens[0].Identities))
		}
		r := d.same(t, "--no-login")
		if codes := codesOf(r.document.Tokens[0].Reasons); !slices.Contains(codes, "keys-hidden-until-login") {
			t.Errorf("without a login the reasons are %q", codes)
		}
		one := d.run(t, "diagnose", "nina")
		d.snapshot(t)
		if from := d.fromSnapshot(t, "nina"); one.stdout != from.stdout {
			t.Errorf("one identity:\n%s", cmp.Diff(one.stdout, from.stdout))
		}
	})
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		r := newPlace(t, `token "empty"`).diagnosed().same(t)
		if !strings.Contains(r.stdout, `"identities": []`) || !strings.Contains(r.stdout, `"diagnoses": []`) {
			t.Error(r.stdout)
		}
	})
	t.Run("hostile", func(t *testing.T) {
		t.Parallel()
		r := newPlace(t, hostileSpecimens).diagnosed().same(t)
		if err := checkPrintable(r.stdout); err != nil {
			t.Error(err)
		}
	})
	t.Run("two tokens", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, "token \"one\"\nlabel=\"a\" id=01 key=p256 policy=locked certificate=valid\ntoken \"two\"\nlabel=\"b\" id=01 key=p256 policy=wrappable certificate=valid\n")
		d := &diagnosed{environment: p.environment, directory: p.directory}
		if r := d.same(t); len(r.document.Tokens) != 2 {
			t.Errorf("%d tokens", len(r.document.Tokens))
		}
		live := d.run(t, "diagnose", "--token", "two")
		if from := d.fromSnapshot(t, "--token", "two"); live.stdout != from.stdout {
			t.Errorf("--token:\n%s", cmp.Diff(live.stdout, from.stdout))
		}
	})
	t.Run("NSS", func(t *testing.T) {
		t.Parallel()
		db := newNSS(t)
		db.certutil(t, "rsa", "rsa", "-g", "2048")
		db.certutil(t, "p256", "ec", "-q", "nistp256")
		d := &diagnosed{flags: []string{"--nss-db", db.database, "--pin-source", "file:" + db.pin}, directory: db.directory}
		d.same(t)
		d.same(t, "--no-login")
	})
}

func everything(t *testing.T) *diagnosed {
	t.Helper()
	d := &diagnosed{directory: t.TempDir()}
	if err := runMktoken("everything", d.file("token")); err != nil {
		t.Fatal(err)
	}
	d.environment = []string{"SOFTHSM2_CONF=" + d.file("token/softhsm2.conf"), "P11BRIDGE_MODULE=" + softHSM(t)}
	d.flags = []string{"--pin-source", "file:" + d.file("token/pin.txt")}
	return d
}
