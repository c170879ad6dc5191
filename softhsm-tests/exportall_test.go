package softhsmtests

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"p11bridge/bridge/pfx"
)

// manyKeys lists as many keys as a test of a run over all of them needs.
func manyKeys(n int) string {
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, "label=\"key %d\" id=%02x key=p256 policy=wrappable certificate=valid\n", i, i+1)
	}
	return list.String()
}

func (p *place) exportAll(more ...string) []string {
	return append([]string{"export", "--all", "--dir", p.path("backups"), "--pin-source", p.pin, "--password-source", p.password}, more...)
}

// shardLocks is the file by whose ranges workers with shares keep each other out.
const shardLocks = ".p11bridge-shards.lock"

// backups lists what is in the directory, by ending; drafts are the unfinished files.
func (p *place) backups(t *testing.T) (files, records, drafts []string) {
	t.Helper()
	entries, err := os.ReadDir(p.path("backups"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, entry := range entries {
		path := filepath.Join(p.path("backups"), entry.Name())
		switch {
		case strings.HasPrefix(entry.Name(), ".p11bridge-") && strings.HasSuffix(entry.Name(), ".part"):
			drafts = append(drafts, path)
		case strings.HasSuffix(entry.Name(), ".pfx"):
			files = append(files, path)
		case strings.HasSuffix(entry.Name(), ".json"):
			records = append(records, path)
		case entry.Name() == shardLocks: // as long as a worker with a share runs
		default:
			t.Errorf("there is %q", entry.Name())
		}
	}
	return files, records, drafts
}

// whole wants every file that has its final name to be a valid copy, and every record a record.
func (p *place) whole(t *testing.T) {
	t.Helper()
	files, records, _ := p.backups(t)
	for _, file := range files {
		opensWhole(t, file)
	}
	for _, record := range records {
		text, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate("record", string(text)); err != nil {
			t.Errorf("%s: %v", record, err)
		}
	}
}

// opensWhole wants a PFX that a foreign reader opens, with a key that is the certificate's.
func opensWhole(t *testing.T, path string) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, chain, err := pfx.ReadIndependently(file, []byte(testPassword))
	if err != nil {
		t.Fatalf("%s (%d bytes): %v", path, len(file), err)
	}
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(chain[0])
	if err != nil {
		t.Fatal(err)
	}
	if signer, is := key.(*ecdsa.PrivateKey); !is || !signer.PublicKey.Equal(certificate.PublicKey) {
		t.Errorf("%s: the key is not the certificate's", path)
	}
}

// completes runs the export to its end: everything is there once, nothing unfinished is, and the status agrees.
func (p *place) completes(t *testing.T, n int) {
	t.Helper()
	if r := p11bridge(t, p.environment, p.exportAll("--iterations", "2000")...); r.code != 0 {
		t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	files, records, drafts := p.backups(t)
	if len(files) != n || len(records) != n || len(drafts) != 0 {
		t.Errorf("%d files, %d records and the drafts %q for %d keys", len(files), len(records), drafts, n)
	}
	p.whole(t)
	if r := p11bridge(t, p.environment, "status", "--dir", p.path("backups"), "--pin-source", p.pin, "--json"); r.code != 0 {
		t.Errorf("status: exit code %d\n%s", r.code, r.stdout)
	}
}

// TestExportAllKilled kills a run over all keys a few times, in each of its halves and in both.
func TestExportAllKilled(t *testing.T) {
	t.Parallel()
	exportAllKilled(t, 3, 4)
}

// TestExportAllKilledLong kills it often enough to strike every stage.
func TestExportAllKilledLong(t *testing.T) {
	t.Parallel()
	struck, midway := exportAllKilled(t, 6, 30)
	if struck < 15 || midway == 0 {
		t.Errorf("only %d runs were struck, %d with files placed", struck, midway)
	}
}

// exportAllKilled kills either half, or both, of a run over all keys at random moments, with a signal that nobody can
// catch. No partial file ever has a final name, and the next run leaves nothing unfinished and nothing twice.
func exportAllKilled(t *testing.T, keys, rounds int) (struck, midway int) {
	t.Helper()
	p := newPlace(t, manyKeys(keys))
	args := p.exportAll("--iterations", "250000", "--force")
	begun := time.Now()
	if r := p11bridge(t, p.environment, args...); r.code != 0 {
		t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	length := time.Since(begun)
	drafted := 0
	mend := tokenMender(t, p.directory)
	for round := range rounds {
		if round%2 == 0 { // in turn into an empty directory and over what is there
			if err := os.RemoveAll(p.path("backups")); err != nil {
				t.Fatal(err)
			}
		}
		r := start(t, product(context.Background(), p.environment, args...))
		code := r.endsKilled(t, round%3, time.Duration(rand.Int64N(int64(length))))
		mend(t)
		p.whole(t)
		files, _, drafts := p.backups(t)
		if code != 0 {
			struck++
		} else {
			length = length * 2 / 3 // it had ended before: machines are not always equally slow
		}
		if len(files) > 0 && code != 0 {
			midway++
		}
		drafted += len(drafts)
		if round%3 == 0 && len(drafts) > 0 {
			t.Errorf("the parent left %q of a child that was killed", drafts)
		}
		if round%3 == 1 && len(drafts) > 0 {
			t.Errorf("the child left %q when its parent was killed", drafts)
		}
		p.completes(t, keys)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d of %d runs were struck, %d with files placed, %d drafts were left by both", struck, rounds, midway, drafted)
	return struck, midway
}

// endsKilled kills the worker, the parent, or both after a while, as far as they still run, and waits for both.
func (r *running) endsKilled(t *testing.T, which int, after time.Duration) int {
	t.Helper()
	child := r.childUnlessEnded(t)
	if child == 0 {
		return r.ends(t)
	}
	time.Sleep(after)
	for _, pid := range [][]int{{child}, {r.Process.Pid}, {child, r.Process.Pid}}[which] {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && err != unix.ESRCH {
			t.Fatal(err)
		}
	}
	code := r.ends(t)
	until(t, "the child has ended too", func() bool { return hasEnded(child) })
	return code
}

// TestExportAllInterrupted strikes a run over all keys as the terminal does at Ctrl-C: what was done is whole, is counted and named,
// and the next run goes on from there.
func TestExportAllInterrupted(t *testing.T) {
	t.Parallel()
	const keys = 32
	for _, signal := range sampled(t, 2, []unix.Signal{unix.SIGINT, unix.SIGTERM}) {
		p := newPlace(t, manyKeys(keys))
		// Files wait for each other for two seconds, and then get their names. On any machine most are still to come by then: two workers
		// take many times as long for all of them.
		args := p.exportAll("--iterations", "2000000", "--trace", p.path("trace"))
		if signal == unix.SIGTERM {
			args = append(args, "--json")
		}
		command := product(context.Background(), append(p.environment, "GOMAXPROCS=2"), args...)
		command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		r := start(t, command)
		until(t, "a file is placed", func() bool { _, records, _ := p.backups(t); return len(records) > 0 })
		if err := unix.Kill(-r.Process.Pid, signal); err != nil {
			t.Fatal(err)
		}
		if code := r.ends(t); code != 1 {
			t.Errorf("%v: exit code %d", signal, code)
		}
		files, records, drafts := p.backups(t)
		if len(files) == 0 || len(files) == keys || len(records) != len(files) || len(drafts) > 0 {
			t.Errorf("%v: %d files, %d records, the drafts %q", signal, len(files), len(records), drafts)
		}
		if want := fmt.Sprintf("Interrupted. %d of %d files were written and proven", len(files), keys); !strings.Contains(r.stderr.String(), want) {
			t.Errorf("%v: it said %q, not %q", signal, r.stderr.String(), want)
		}
		for _, file := range files {
			if !strings.Contains(r.stdout.String(), filepath.Base(file)) {
				t.Errorf("%v: %s is not named in %q", signal, file, r.stdout.String())
			}
		}
		if signal == unix.SIGTERM {
			counts := countsOf(t, r.stdout.String())
			if counts.Counts.Exported != len(files) || counts.Counts.Pending != keys-len(files) {
				t.Errorf("it counts %+v for %d files", counts, len(files))
			}
		}
		trace, err := os.ReadFile(p.path("trace"))
		if err != nil {
			t.Fatal(err)
		}
		if err := closed(string(trace)); err != nil {
			t.Error(err)
		}
		earlier := map[string]string{}
		for _, file := range files {
			earlier[file] = string(mustRead(t, file))
		}
		p.completes(t, keys) // and finds every file whole
		for file, content := range earlier {
			if string(mustRead(t, file)) != content {
				t.Errorf("%v: %s was made anew", signal, file)
			}
		}
	}
}

// TestExportAllInterruptedLong sends the other signal.
func TestExportAllInterruptedLong(t *testing.T) { TestExportAllInterrupted(t) }

// TestExportAllBesideOthers runs it while others write into the same directory: a second run over all is refused, and the
// unfinished file of a single export that is alive is not cleared away.
func TestExportAllBesideOthers(t *testing.T) {
	t.Parallel()
	p := newPlace(t, manyKeys(2))
	p.completes(t, 2)
	single, goOn := p.held(t, "export", "key 0", "-o", p.path("backups/single.pfx"), "--iterations", "2000", "--pin-source", p.pin, "--password-source", p.password)
	if r := p11bridge(t, p.environment, p.exportAll("--iterations", "2000")...); r.code != 0 {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	goOn()
	if code := single.ends(t); code != 0 {
		t.Errorf("the single export ended with %d\n%s", code, single.stderr.String())
	}
	opensWhole(t, p.path("backups/single.pfx"))

	first, goOn := p.held(t, p.exportAll("--force", "--iterations", "2000")...)
	second := p11bridge(t, p.environment, p.exportAll("--json")...)
	if second.code != 1 || !strings.Contains(second.stderr, "Another run of 'export --all' is at work") {
		t.Errorf("the second run ended with %d\n%s", second.code, second.stderr)
	}
	goOn()
	if code := first.ends(t); code != 0 {
		t.Errorf("the first run ended with %d\n%s", code, first.stderr.String())
	}
}

// held starts the program and holds it before it has brought an unfinished file to the disk, until it is to go on.
func (p *place) held(t *testing.T, args ...string) (r *running, goOn func()) {
	t.Helper()
	failing, directory := failingProgram(t), t.TempDir()
	here, on := filepath.Join(directory, "here"), filepath.Join(directory, "on")
	deed := fmt.Sprintf("do:: > '%s'; while [ -e '%s' ] && ! [ -e '%s' ]; do sleep 0.02; done", here, here, on) // nor does it outlive the test
	command := product(context.Background(), p.environment, args...)
	command.Args = append([]string{failing, filepath.Join(directory, "log"), p.path("backups"), "fsync@1", deed}, command.Args...)
	command.Path = failing
	r = start(t, command)
	until(t, "it is held", func() bool { return exists(here)() == nil || hasEnded(r.Process.Pid) })
	if _, _, drafts := p.backups(t); len(drafts) == 0 { // a run over all keys may have begun another
		t.Fatalf("it is held with the unfinished files %q\n%s", drafts, r.stderr.String())
	}
	return r, func() { write(t, directory, filepath.Base(on), nil) }
}

// allCounts is what a run over all keys counted.
type allCounts struct {
	Counts struct{ Exported, Refused, Failed, Pending int }
	Failed []struct{ Error string }
}

// countsOf reads the document of a run over all keys.
func countsOf(t *testing.T, text string) (counts allCounts) {
	t.Helper()
	if err := validate("export-all", text); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := json.Unmarshal([]byte(text), &counts); err != nil {
		t.Fatal(err)
	}
	return counts
}

// TestUntoldIsNoRefusal has the token not say whether a key may leave. Nobody knows then whether it needs a backup: no command ends with 0, nor
// says that the key cannot leave.
func TestUntoldIsNoRefusal(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, deletable)
	if err := os.Mkdir(r.path("backups"), 0o700); err != nil { // for status; nothing comes there
		t.Fatal(err)
	}
	for _, row := range []struct {
		code int
		args []string
	}{
		{1, []string{"export", "alice", "-o", r.path("alice.pfx"), "--iterations", "1000"}},
		{5, []string{"export", "--all", "--dir", r.path("backups"), "--iterations", "1000"}},
		{1, []string{"status", "--dir", r.path("backups")}},
	} {
		got := r.run(t, "unsupported:0x162", row.args...)
		if said := got.stdout + got.stderr; got.code != row.code || !says(said, "attributes-not-told") || strings.Contains(said, "cannot leave the token") {
			t.Errorf("%q: exit code %d\n%s", row.args, got.code, said)
		}
	}
}

// TestRestrictedExportAll allows one way only, which the token does not go. A key that may leave has no backup then: that is not 0,
// with nothing else on the token either.
func TestRestrictedExportAll(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, deletable)
	// Every way that the token lists was refused, and not for the key's sake: nobody knows that it cannot leave.
	if got := r.run(t, "error:C_WrapKey:0x70", "export", "--all", "--dir", r.path("backups"), "--iterations", "1000"); got.code != 5 || !says(got.stdout, "no-wrapping-mechanism") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	got := r.run(t, "error:C_WrapKey:0x70", "export", "alice", "-o", r.path("alice.pfx"), "--iterations", "1000")
	if got.code != 5 || !strings.Contains(got.stderr, "every way out that it lists") || strings.Contains(got.stderr, "cannot leave the token") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, way := range [][]string{{"--require-shroud"}, {"--method", "shroud"}} {
		got := r.run(t, "error:C_WrapKey:0x70", append([]string{"export", "--all", "--dir", r.path("backups"), "--iterations", "1000"}, way...)...)
		if got.code != 5 || !strings.Contains(got.stdout, "No other way was tried") || !says(got.stdout, "method-refused") {
			t.Errorf("%q: exit code %d\n%s%s", way, got.code, got.stdout, got.stderr)
		}
		one := r.run(t, "error:C_WrapKey:0x70", append([]string{"export", "alice", "-o", r.path("alice.pfx"), "--iterations", "1000"}, way...)...)
		if one.code != 5 || !says(one.stderr, "method-refused") {
			t.Errorf("alone, %q: exit code %d\n%s%s", way, one.code, one.stdout, one.stderr)
		}
	}
}
