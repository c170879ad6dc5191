package softhsmtests

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/pfx"
)

// exodus is a token that all keys are to leave, and the directory where they go.
type exodus struct {
	*place
	certificates map[string]string // on the token at the beginning: CKA_ID, and the SHA-256
	opened       map[string]string // files that were opened already and are whole: SHA-256, and the certificate's
	mend         func(*testing.T) bool
	fresh        []string // those of the last look that were not opened before
}

func newExodus(t *testing.T, keys int) *exodus {
	t.Helper()
	x := &exodus{place: newPlace(t, manyKeys(keys)), certificates: map[string]string{}, opened: map[string]string{}}
	var listed struct {
		Tokens []struct {
			Identities []struct {
				ID          string
				Certificate struct{ SHA256 string }
			}
		}
	}
	list := p11bridge(t, x.environment, "list", "--json", "--pin-source", x.pin)
	if err := json.Unmarshal([]byte(list.stdout), &listed); err != nil || len(listed.Tokens) != 1 {
		t.Fatalf("list: exit code %d, %v\n%s", list.code, err, list.stderr)
	}
	for _, identity := range listed.Tokens[0].Identities {
		x.certificates[identity.ID] = identity.Certificate.SHA256
	}
	if held, _ := x.onToken(t); len(x.certificates) != keys || len(held) != keys {
		t.Fatalf("%d certificates and %d keys instead of %d", len(x.certificates), len(held), keys)
	}
	return x
}

// again is the exodus with a copy of the token and an empty directory.
func (x *exodus) again(t *testing.T) *exodus {
	t.Helper()
	directory, err := os.MkdirTemp(x.directory, "again-")
	if err != nil {
		t.Fatal(err)
	}
	p := *x.place
	p.directory = directory
	if err := copyToken(x.path("token"), p.path("token")); err != nil {
		t.Fatal(err)
	}
	p.environment = []string{"P11BRIDGE_MODULE=" + softHSM(t), "SOFTHSM2_CONF=" + p.path("token/softhsm2.conf")}
	p.pin = "file:" + p.path("token/pin.txt")
	return &exodus{place: &p, certificates: x.certificates, opened: map[string]string{}, mend: tokenMender(t, p.directory)}
}

func (x *exodus) leave() []string {
	return x.exportAll("--iterations", "100", "--delete-key", "--allow-volatile", "--yes")
}

// tokenMender remembers SoftHSM's own token.object below a directory. The function that it gives puts the file back where a
// kill cut it off: SoftHSM 2.6.1 rewrites it in place at every C_Login, so a process that dies within the call leaves a token
// that nobody sees, while its keys and certificates, each in a file of its own, are untouched. It reports whether it did; where
// the file is whole, what is missing is not SoftHSM's doing.
func tokenMender(t *testing.T, directory string) (mend func(*testing.T) bool) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(directory, "token/tokens/*/token.object"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%d token.object: %v", len(paths), err)
	}
	sound, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) bool {
		t.Helper()
		found, err := os.ReadFile(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		if len(found) >= len(sound) {
			return false
		}
		t.Logf("C_Login was killed: SoftHSM left %d of %d bytes of its token.object", len(found), len(sound))
		if err := os.WriteFile(paths[0], sound, 0o600); err != nil {
			t.Fatal(err)
		}
		return true
	}
}

// onToken asks another program for what is left on the token, by CKA_ID.
func (x *exodus) onToken(t *testing.T) (keys, certificates map[string]bool) {
	t.Helper()
	out, err := foreign(x.directory, x.environment, "pkcs11-tool", "--module", softHSM(t), "--token-label", "test", "--login", "--pin", testPIN, "--list-objects")
	if err != nil && x.mend != nil && x.mend(t) {
		out, err = foreign(x.directory, x.environment, "pkcs11-tool", "--module", softHSM(t), "--token-label", "test", "--login", "--pin", testPIN, "--list-objects")
	}
	if err != nil {
		t.Fatal(err)
	}
	keys, certificates = map[string]bool{}, map[string]bool{}
	var of map[string]bool
	for line := range strings.Lines(out) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); {
		case strings.HasPrefix(name, "Private Key Object"):
			of = keys
		case strings.HasPrefix(name, "Certificate Object"):
			of = certificates
		case strings.Contains(name, " Object;"):
			of = nil
		case name == "ID" && of != nil:
			of[strings.TrimSpace(value)] = true
		}
	}
	return keys, certificates
}

// left is what a look at the token and at the directory found.
type left struct {
	held     int // keys on the token
	both     int // keys on the token of which there is a whole file as well
	unspoken int // whole files that no record speaks for yet
	drafts   int
}

var draftPattern = regexp.MustCompile(`^\.p11bridge-[0-9a-f]{16}-[0-9a-f]{16}\.part$`)

// look holds the token and the directory against each other. Whatever has its final name is whole. Every key is on the token,
// or in a file whose record is there. Every certificate is on the token.
func (x *exodus) look(t *testing.T) (found left) {
	t.Helper()
	held, certificates := x.onToken(t)
	files, records, drafts := x.backups(t)
	for _, draft := range drafts {
		if !draftPattern.MatchString(filepath.Base(draft)) {
			t.Errorf("there is %q", draft)
		}
	}
	inFile, digests := map[string]bool{}, map[string]string{}
	x.fresh = nil
	for _, file := range files {
		certificate, digest := x.open(t, file)
		inFile[certificate], digests[filepath.Base(file)] = true, digest
	}
	spoken := map[string]bool{}
	for _, path := range records {
		record, err := archive.ReadRecord(path)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		digest, there := digests[record.File]
		if !there || !inFile[record.Certificate.SHA256] {
			t.Errorf("%s is of the file %q, which is not there", path, record.File)
		}
		if digest == record.SHA256 {
			spoken[record.Certificate.SHA256] = true
		}
	}
	for id, certificate := range x.certificates {
		switch {
		case held[id] && inFile[certificate]:
			found.both++
		case held[id]:
		case !inFile[certificate]:
			t.Errorf("THE KEY %s IS LOST: it is neither on the token nor in a file", id)
		case !spoken[certificate]:
			t.Errorf("the key %s has left, and no record speaks for its file", id)
		}
		if !certificates[id] {
			t.Errorf("the certificate %s is no longer on the token", id)
		}
	}
	found.held, found.unspoken, found.drafts = len(held), len(inFile)-len(spoken), len(drafts)
	return found
}

// open wants a file to be a whole copy of one of the keys, and gives its certificate's SHA-256 and its own. What was opened
// once is not opened again.
func (x *exodus) open(t *testing.T, path string) (certificate, digest string) {
	t.Helper()
	file := mustRead(t, path)
	digest = hexSHA256(file)
	if certificate, known := x.opened[digest]; known {
		return certificate, digest
	}
	opensWhole(t, path)
	contents, err := pfx.Decode(t.Context(), file, []byte(testPassword), pfx.DecodeOptions{KeepShrouded: true})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer contents.Wipe()
	certificate = hexSHA256(contents.Certificates[0].DER)
	known := false
	for _, of := range x.certificates {
		known = known || of == certificate
	}
	if !known {
		t.Errorf("%s is of a certificate that was never on the token", path)
	}
	x.opened[digest] = certificate
	x.fresh = append(x.fresh, path)
	return certificate, digest
}

func hexSHA256(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

// strike starts the run and kills its parent, its child or both after a while, unless it has ended before.
func (x *exodus) strike(t *testing.T, half int, after time.Duration) (struck bool) {
	t.Helper()
	command := product(context.Background(), x.environment, x.leave()...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r := start(t, command)
	parent := r.Process.Pid
	time.Sleep(after)
	pid := -parent
	switch child := childOf(parent); {
	case half == 0:
		pid = parent
	case half == 1 && child != 0:
		pid = child
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil && err != unix.ESRCH {
		t.Fatal(err)
	}
	code := r.ends(t)
	until(t, "nobody of the run is alive", func() bool { return groupEnded(parent) })
	struck = code == -1 || code == 1 && strings.Contains(r.stderr.String(), "SIGKILL")
	if !struck && code != 0 {
		t.Fatalf("it ended with %d by itself\n%s", code, r.stderr.String())
	}
	return struck
}

// groupEnded reports whether a process group has nobody left. A child that outlives its parent is nobody's to wait for, and may
// stay behind as a zombie.
func groupEnded(group int) bool {
	if unix.Kill(-group, 0) == unix.ESRCH {
		return true
	}
	processes, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return false
	}
	for _, path := range processes {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) // state, parent, group
		if string(fields[2]) == fmt.Sprint(group) && string(fields[0]) != "Z" {
			return false
		}
	}
	return true
}

// ends runs once without being killed: every key is out then, and nothing is left unfinished.
func (x *exodus) ends(t *testing.T, keys int) {
	t.Helper()
	r := p11bridge(t, x.environment, x.leave()...)
	if found := x.look(t); r.code != 0 || found.drafts > 0 || found.unspoken > 0 || found.held > 0 {
		t.Fatalf("exit code %d, and left are %+v\n%s", r.code, found, r.stderr)
	}
	if files, records, _ := x.backups(t); len(files) != keys || len(records) != keys {
		t.Errorf("%d files and %d records for %d keys", len(files), len(records), keys)
	}
}

// killed counts what the kills met with.
type killed struct {
	series, unstruck                         int
	midway, both, unspoken, drafted, foreign int
}

// TestDeleteAllKilled kills a run that moves all keys off a token a few times, in each of its halves and in both.
func TestDeleteAllKilled(t *testing.T) {
	t.Parallel()
	deleteAllKilled(t, 10, 5)
}

// TestDeleteAllKilledLong kills it often enough to strike every stage.
func TestDeleteAllKilledLong(t *testing.T) {
	t.Parallel()
	const kills = 200
	met := deleteAllKilled(t, 40, kills)
	if met.midway < kills/4 || met.both == 0 || met.foreign == 0 {
		t.Errorf("the kills came at the same stage: %+v", met)
	}
}

// deleteAllKilled kills a run that moves all keys off a token, over and over, until they are out, with a signal that nobody
// can catch. From the first moment to the last every key is on the token or in a whole file with its record. Few iterations
// leave the time to the token's calls, the writing, the renaming and the deleting.
func deleteAllKilled(t *testing.T, keys, kills int) (met killed) {
	t.Helper()
	const few = 5 // with few left, a run is not worth killing
	seed := mathrand.Uint64()
	t.Logf("seed %d", seed)
	random := mathrand.New(mathrand.NewPCG(seed, 0))

	original := newExodus(t, keys)
	rehearsal := original.again(t)
	begun := time.Now()
	p11bridge(t, rehearsal.environment, rehearsal.leave()...)
	work := time.Since(begun)
	rehearsal.ends(t, keys)
	empty := p11bridge(t, rehearsal.environment, rehearsal.leave()...).took
	work = max(work-empty, empty)

	for struck := 0; struck < kills; met.series++ {
		x := original.again(t)
		found := left{held: keys}
		for struck < kills && found.held > few {
			held := found.held
			after := time.Duration(random.Int64N(int64(empty + work*time.Duration(held)/time.Duration(keys))))
			hit := x.strike(t, struck%3, after)
			found = x.look(t)
			if !hit { // machines are not always equally slow: a few runs are to end before
				work = work * 4 / 5
				met.unstruck++
				continue
			}
			work = work * 102 / 100
			struck++
			met.midway += min(1, held-found.held)
			met.both += min(1, found.both)
			met.unspoken += min(1, found.unspoken)
			met.drafted += min(1, found.drafts)
			if struck%8 == 0 && len(x.fresh) > 0 {
				met.foreign++
				if err := opensslOpens(x.fresh[random.IntN(len(x.fresh))], x.path("../password.txt"), false); err != nil {
					t.Error(err)
				}
			}
			if t.Failed() {
				t.Fatalf("at kill %d, after %s, of series %d", struck, after, met.series)
			}
		}
		x.ends(t, keys)
		if err := os.RemoveAll(x.directory); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills in %d series, %d runs ended before: %d kills after keys had left, %d with a key on the token and in a file, %d with a file without its record, %d with drafts; openssl opened %d files",
		kills, met.series, met.unstruck, met.midway, met.both, met.unspoken, met.drafted, met.foreign)
	return met
}
