package softhsmtests

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const deletableRSA = `label="alice" id=01 key=rsa2048 policy=wrappable certificate=valid`

// reasonCodes are the codes of a document.
func reasonCodes(t *testing.T, document string) map[string]bool {
	t.Helper()
	codes := map[string]bool{}
	var parsed any
	if err := json.Unmarshal([]byte(document), &parsed); err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	collectCodes(parsed, codes)
	return codes
}

// sameBytes puts another file of the same bytes in the place of a file, which stays elsewhere: at the second call of a function the file system could
// else give its inode to the new one.
const sameBytes = `cp "$f" "$f.new" && mv "$f" "$d/../was.$$" && mv "$f.new" "$f"`

// TestFileLostByTheTimeOfDeletion has something take the file away while the token signs, after the file was proven for the second time
// and before the key is destroyed. The key stays, and the text says what happened to the file.
func TestFileLostByTheTimeOfDeletion(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, deed string }{
		{"removed", `rm "$f"`},
		{"cut off", `: >"$f"`},
		{"altered", `printf x | dd of="$f" conv=notrunc status=none`},
		{"replaced by the same bytes", sameBytes},
		{"its directory moved", `mv "$d" "$d.moved"`},
	} {
		for kind, specimens := range map[string]string{"EC": deletable, "RSA": deletableRSA} {
			t.Run(row.name+" "+kind, func(t *testing.T) {
				t.Parallel()
				r := newRestorable(t, specimens)
				directory := r.path("out")
				if err := os.Mkdir(directory, 0o700); err != nil {
					t.Fatal(err)
				}
				got := r.whileCalled(t, "deed:C_Sign", directory, row.deed, "--method", "wrap")
				if got.code != 1 || !strings.Contains(got.stderr, "no longer the one that was proven") || !strings.Contains(got.stderr, "Nothing was done to the key") {
					t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
				}
				if r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey == nil {
					t.Error("the key is gone")
				}
			})
		}
	}
}

// whileCalled exports alice to a file in the directory and deletes the key. The deed, a shell command with the file as $f and its
// directory as $d, is done within a PKCS#11 call, once the file is there.
func (r *restorable) whileCalled(t *testing.T, fault, directory, deed string, more ...string) *result {
	t.Helper()
	file := filepath.Join(directory, "alice.pfx")
	return r.withDeed(t, fault, file, deed, append([]string{"export", "alice", "-o", file, "--iterations", "1000", "--delete-key", "--allow-volatile", "--yes", "--json"}, more...)...)
}

// withDeed runs a command with a deed to a file within a PKCS#11 call.
func (r *restorable) withDeed(t *testing.T, fault, file, deed string, command ...string) *result {
	t.Helper()
	environment, args := r.args(t, fault, command...)
	environment = append(environment, "P11FAULT_DEED=d='"+filepath.Dir(file)+"'; f='"+file+"'; if [ -e \"$f\" ]; then "+deed+"; fi")
	return p11bridge(t, environment, args...)
}

// TestCopyLostInDelete has the same happen to the file that delete --copy was shown: before the last look the key stays, and
// after it the file is written again.
func TestCopyLostInDelete(t *testing.T) {
	t.Parallel()
	const removed, altered, replaced, alike, moved = `rm "$f"`, `printf x | dd of="$f" conv=notrunc status=none`, `echo other >"$f.new" && mv "$f.new" "$f"`,
		sameBytes, `mv "$d" "$d.moved"`
	for _, row := range []struct {
		name, call, deed string
		code             int
		file             string // where the copy is, in the directory
	}{
		{"removed before", "C_Sign", removed, 1, ""},
		{"altered before", "C_Sign", altered, 1, ""},
		{"replaced by the same bytes before", "C_Sign", alike, 1, ""},
		{"removed", "C_DestroyObject", removed, 5, "out/alice.pfx"},
		{"altered", "C_DestroyObject", altered, 5, "out/alice.pfx"},
		{"replaced", "C_DestroyObject", replaced, 5, "out/alice-put-back.pfx"},
		{"replaced by the same bytes", "C_DestroyObject", alike, 0, "out/alice.pfx"},
		{"its directory moved", "C_DestroyObject", moved, 5, "home/alice-put-back.pfx"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, deletable)
			for _, name := range []string{"out", "home"} {
				if err := os.Mkdir(r.path(name), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			r.environment = append(r.environment, "HOME="+r.path("home"))
			file := r.path("out/alice.pfx")
			if got := r.run(t, "", "export", "alice", "-o", file, "--iterations", "1000"); got.code != 0 {
				t.Fatal(got.stderr)
			}
			got := r.withDeed(t, "deed:"+row.call, file, row.deed, "delete", "alice", "--copy", file, "--allow-volatile", "--json")
			if got.code != row.code {
				t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			there := r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey != nil
			if row.file == "" {
				if !there || !strings.Contains(got.stderr, "Nothing was done to the key") || !strings.Contains(got.stderr, file) {
					t.Errorf("the key is there: %v\n%s", there, got.stderr)
				}
				return
			}
			if there || reasonCodes(t, got.stdout)["file-put-back"] != (row.code == 5) || !strings.Contains(got.stdout, `"file": "`+r.path(row.file)+`"`) {
				t.Errorf("the key is there: %v\n%s", there, got.stdout)
			}
			if err := validate("delete", got.stdout); err != nil {
				t.Error(err)
			}
			if err := opensslOpens(r.path(row.file), r.path("password.txt"), false); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFileLostInDeletion has it happen within C_DestroyObject, after the last look: the only copy is then in memory. It is put
// back, opens, and the receipt says where it is.
func TestFileLostInDeletion(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, deed string
		code       int
		file       string // where the copy is, in the directory
	}{
		{"removed", `rm "$f"`, 5, "out/alice.pfx"},
		{"cut off", `: >"$f"`, 5, "out/alice.pfx"},
		{"altered", `printf x | dd of="$f" conv=notrunc status=none`, 5, "out/alice.pfx"},
		{"replaced by another", `echo other >"$f.new" && mv "$f.new" "$f"`, 5, "out/alice-put-back.pfx"},
		{"replaced by the same bytes", `cp "$f" "$f.new" && mv "$f.new" "$f"`, 0, "out/alice.pfx"},
		{"a directory in its place", `rm "$f" && mkdir "$f"`, 5, "out/alice-put-back.pfx"},
		{"its directory moved", `mv "$d" "$d.moved"`, 5, "home/alice-put-back.pfx"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, deletable)
			for _, name := range []string{"out", "home"} {
				if err := os.Mkdir(r.path(name), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			r.environment = append(r.environment, "HOME="+r.path("home"))
			got := r.whileCalled(t, "deed:C_DestroyObject", r.path("out"), row.deed, "--method", "wrap")
			if got.code != row.code {
				t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			if err := validate("export", got.stdout); err != nil {
				t.Error(err)
			}
			if codes := reasonCodes(t, got.stdout); codes["file-put-back"] != (row.code == 5) {
				t.Errorf("the file was put back: %v", codes)
			}
			if !strings.Contains(got.stdout, `"file": "`+r.path(row.file)+`"`) {
				t.Errorf("not at %s:\n%s", row.file, got.stdout)
			}
			if err := opensslOpens(r.path(row.file), r.path("password.txt"), false); err != nil {
				t.Error(err)
			}
			if r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey != nil {
				t.Error("the key is there")
			}
		})
	}
}

// TestOtherFileIsNoCopy has another process put its file in the place of the unfinished one, after it was proven and right
// before it gets its name. Nothing is called a copy, and the key stays.
func TestOtherFileIsNoCopy(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"another file", "the same bytes", "other bytes in it"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, deletable)
			deed := map[string]string{
				"another file": `echo stranger >"$1.new" && mv "$1.new" "$1"`, "the same bytes": `cp "$1" "$1.new" && mv "$1.new" "$1"`, "other bytes in it": `echo stranger >"$1"`,
			}[name]
			got := r.meanwhile(t, "renameat2", deed, "export", "alice", "-o", r.path("alice.pfx"), "--iterations", "1000", "--delete-key", "--allow-volatile", "--yes")
			if got.code != 1 || strings.Contains(got.stdout+got.stderr, "valid copy") || !strings.Contains(got.stderr, "Do not use that file as a copy") {
				t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			if r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey == nil {
				t.Error("the key is gone")
			}
		})
	}
}

// TestSavedAndNotCertain fails what brings a placed file to disk: it is told with the receipt, and the key stays. What a file
// system only does not know is no failure.
func TestSavedAndNotCertain(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, call, failure string
		certain             bool
	}{
		{"the directory's fsync fails", "fsync@2", "5", false},
		{"the directory knows no fsync", "fsync@2", "22", true},
		{"nor does another", "fsync@2", "95", true},
		{"no renameat2", "renameat2", "38", true},
		{"the answer to renameat2 is lost", "renameat2@1", "after5", false},
		{"no fadvise", "fadvise64", "29", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, deletable)
			file := r.path("alice.pfx")
			got := r.failing(t, row.call, row.failure, "export", "alice", "-o", file, "--iterations", "1000", "--delete-key", "--allow-volatile", "--yes", "--json")
			if row.certain {
				if got.code != 0 || reasonCodes(t, got.stdout)["file-not-certain"] {
					t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
				}
				return
			}
			if got.code != 1 || !strings.Contains(got.stderr, file) || !strings.Contains(got.stderr, "not certain to be on disk") {
				t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			if r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey == nil {
				t.Error("the key is gone")
			}
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			got = r.failing(t, row.call, row.failure, "export", "alice", "-o", file, "--iterations", "1000", "--json")
			if got.code != 5 || !reasonCodes(t, got.stdout)["file-not-certain"] || !strings.Contains(got.stdout, file) {
				t.Errorf("without deleting: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
		})
	}
}

// TestRequestSavedAndNotCertain: a request that stands, and may be sent in, keeps its new key.
func TestRequestSavedAndNotCertain(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, deletable)
	environment, all := r.args(t, "", "list")
	request := append([]string{"request", "alice", "-o", r.path("new.csr")}, all[1:]...)
	r.environment = environment
	log := filepath.Join(t.TempDir(), "log")
	command := product(context.Background(), environment, request...)
	failing := failingProgram(t)
	command.Args = append([]string{failing, log, r.directory, "fsync@2", "5"}, command.Args...)
	command.Path = failing
	got := finish(t, command)
	if got.code != 5 || !strings.Contains(got.stderr, "not certain to be on disk") || !strings.Contains(got.stderr, r.path("new.csr")) {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if keys := strings.Count(r.run(t, "", "list", "--json").stdout, `"private_key": {`); keys != 2 {
		t.Errorf("%d keys are on the token", keys)
	}
}

// TestSavedWithoutRecord fails the naming of the record: the file that stands is named.
func TestSavedWithoutRecord(t *testing.T) {
	t.Parallel()
	for _, failure := range []string{"17", "28"} { // EEXIST: somebody put another file under the record's name
		savedWithoutRecord(t, failure)
	}
}

func savedWithoutRecord(t *testing.T, failure string) {
	t.Helper()
	r := newRestorable(t, deletable)
	all := []string{"export", "--all", "--dir", r.path("backups"), "--iterations", "1000"}
	got := r.failing(t, "renameat2@2", failure, all...)
	files, err := filepath.Glob(r.path("backups/alice-*.pfx"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	if got.code != 5 || !strings.Contains(got.stdout, files[0]+" was written and proven, but its record could not be written") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := r.run(t, "", all...); got.code != 0 || !strings.Contains(got.stdout, "1 written and proven") {
		t.Errorf("again: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// TestUnprovenIsNotUpToDate: of a file of which the structure alone was proven nobody says "proven" or "up to date".
func TestUnprovenIsNotUpToDate(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, deletable)
	all := []string{"export", "--all", "--dir", r.path("backups"), "--iterations", "1000"}
	got := r.run(t, "cbc-pad,error:C_UnwrapKey:0x54", append(all, "--require-shroud")...)
	if got.code != 5 || !strings.Contains(got.stdout, "0 written and proven, 1 written but not proven, 0 up to date") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	status := r.status(t, "")
	if err := validate("status", status.stdout); err != nil {
		t.Error(err)
	}
	if status.code != 5 || !reasonCodes(t, status.stdout)["backup-unproven"] || !strings.Contains(status.stdout, `"up-to-date": 0`) {
		t.Errorf("exit code %d\n%s%s", status.code, status.stdout, status.stderr)
	}
	if got := r.run(t, "", all...); got.code != 0 || !strings.Contains(got.stdout, "1 written and proven, 0 up to date") {
		t.Errorf("again: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if status := r.status(t, ""); status.code != 0 {
		t.Errorf("exit code %d\n%s%s", status.code, status.stdout, status.stderr)
	}
}

// status is the status of the directory backups.
func (r *restorable) status(t *testing.T, faults string) *result {
	t.Helper()
	environment, all := r.args(t, faults, "list") // takes no password either
	return p11bridge(t, environment, append([]string{"status", "--dir", r.path("backups"), "--json"}, all[1:]...)...)
}

// TestKeyThatIsNotAsked: where the public half decides, since the key cannot be asked, the call that kept it from being asked is named.
func TestKeyThatIsNotAsked(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, deletable)
	file := r.path("alice.pfx")
	if got := r.run(t, "", "export", "alice", "-o", file, "--iterations", "1000"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	got := r.run(t, "error:C_Sign@2:0x70", "verify", file, "--against", "alice")
	if got.code != 0 || !strings.Contains(got.stdout, "The key itself could not be asked.\n  C_Sign answered CKR_MECHANISM_INVALID.\n") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// TestKeyThatCannotShow has a token with which no key signs any more: the CKA_ID that a key has in common with the certificate of a
// proven backup is no reason to call it up to date.
func TestKeyThatCannotShow(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, deletable)
	if got := r.run(t, "", "export", "--all", "--dir", r.path("backups"), "--iterations", "1000"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	status := r.status(t, "error:C_SignInit:0x70") // CKR_MECHANISM_INVALID
	if err := validate("status", status.stdout); err != nil {
		t.Error(err)
	}
	if status.code != 5 || !reasonCodes(t, status.stdout)["backup-key-not-shown"] || !strings.Contains(status.stdout, `"up-to-date": 0`) {
		t.Errorf("exit code %d\n%s%s", status.code, status.stdout, status.stderr)
	}
}

// TestOnlyCopyInMemory: where a key is destroyed for a file in memory all the same, the receipt says that it may not last.
func TestOnlyCopyInMemory(t *testing.T) {
	t.Parallel()
	var system unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &system); err != nil || system.Type != unix.TMPFS_MAGIC {
		t.Skipf("/dev/shm is no tmpfs here: %v", err)
	}
	directory, err := os.MkdirTemp("/dev/shm", "p11bridge-only-copy-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(directory)
	r := newRestorable(t, deletable)
	export := []string{"export", "alice", "-o", filepath.Join(directory, "alice.pfx"), "--iterations", "1000", "--delete-key", "--yes", "--json"}
	if got := r.run(t, "", export...); got.code != 1 || !strings.Contains(got.stderr, "would be in memory (tmpfs)") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := r.run(t, "", append(export, "--allow-volatile")...); got.code != 0 || !reasonCodes(t, got.stdout)["file-may-not-last"] {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}
