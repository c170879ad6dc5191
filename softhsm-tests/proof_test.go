package softhsmtests

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An export is proven by comparisons: each has here what only that comparison sees, end to end.

// meanwhile runs the product, and a shell command within it, right before it makes a system call on a file below the
// directory for the first time. The path of the call is the shell's $1.
func (r *restorable) meanwhile(t *testing.T, call, deed string, args ...string) *result {
	t.Helper()
	return r.failing(t, call+"@1", "do:"+deed, args...)
}

// failing runs the product with one system call on a file below the directory failing: "fsync@2" the second fsync. failure is the
// number of the error, or what testdata/failing.c takes in its place.
func (r *restorable) failing(t *testing.T, struck, failure string, args ...string) *result {
	t.Helper()
	environment, args := r.args(t, "", args...)
	return r.failingWith(t, environment, struck, failure, args...)
}

// failingWith is failing with nothing but the arguments given.
func (r *restorable) failingWith(t *testing.T, environment []string, struck, failure string, args ...string) *result {
	t.Helper()
	command := product(context.Background(), environment, args...)
	log := filepath.Join(t.TempDir(), "log")
	failing := failingProgram(t)
	command.Args = append([]string{failing, log, r.directory, struck, failure}, command.Args...)
	command.Path = failing
	got := finish(t, command)
	if text := string(mustRead(t, log)); !strings.Contains(text, " struck") && !strings.HasPrefix(failure, "do:") || !strings.Contains(text, strings.Split(struck, "@")[0]+" ") {
		t.Fatalf("%s was never called:\n%s", struck, text)
	}
	return got
}

// nothingCame wants no key to be gone, no file and no unfinished one.
func (r *restorable) nothingCame(t *testing.T, file string) {
	t.Helper()
	if r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey == nil {
		t.Error("the key is gone")
	}
	absent(t, file)
	if left, err := filepath.Glob(r.path(".p11bridge-*")); err != nil || len(left) > 0 {
		t.Errorf("there is %q (%v)", left, err)
	}
}

// TestProofSeesAnotherFile puts another file in the place of the unfinished one, between writing and reading back: one that
// is a valid copy of the same key by the same password, so that nothing but the comparison of the bytes sees it.
func TestProofSeesAnotherFile(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, deletable)
	earlier, file := r.path("earlier.pfx"), r.path("alice.pfx")
	args := func(file string, more ...string) []string {
		return append([]string{"export", "alice", "-o", file, "--iterations", "1000"}, more...)
	}
	if got := r.run(t, "", args(earlier)...); got.code != 0 {
		t.Fatal(got.stderr)
	}
	got := r.meanwhile(t, "fadvise64", "cat '"+earlier+"' > \"$1\"", args(file, "--delete-key", "--allow-volatile", "--yes", "--json")...)
	if got.code != 1 || !strings.Contains(got.stderr, "could not be proven") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	r.nothingCame(t, file)
}

// TestProofSeesAnotherKey has a token that gives the bytes of another key, shrouded, so that nothing in this process has
// seen them before the file is opened.
func TestProofSeesAnotherKey(t *testing.T) {
	t.Parallel()
	for _, proof := range []string{"host", "token"} {
		t.Run(proof, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, deletable+"\n"+`label="mallory" id=02 key=p256 policy=wrappable certificate=valid`)
			file := r.path("alice.pfx")
			got := r.run(t, "cbc-pad,wrong-wrap", "export", "alice", "-o", file, "--iterations", "1000", "--method", "shroud", "--proof", proof, "--delete-key", "--allow-volatile", "--yes", "--json")
			if got.code != 1 || !strings.Contains(got.stderr, "could not be proven") {
				t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			r.nothingCame(t, file)
		})
	}
}

// TestProofMissesNoCertificateLong has a program whose writer loses a certificate between the token and the file, which nothing
// but the comparison of the certificates sees: the bytes on disk are those that were written, and the key is the certificate's.
func TestProofMissesNoCertificateLong(t *testing.T) {
	t.Parallel()
	program := buildLosing(t)
	r := newRestorable(t, deletable+"\n"+`label="p11bridge demo CA" id=09 certificate=ca`)
	for _, more := range [][]string{{"--method", "wrap"}, {"--method", "shroud", "--proof", "token"}, {"--method", "shroud", "--proof", "host"}} {
		t.Run(strings.Join(more, " "), func(t *testing.T) {
			file := r.path("alice.pfx")
			args := append([]string{"export", "alice", "-o", file, "--iterations", "1000", "--delete-key", "--allow-volatile", "--yes", "--json"}, more...)
			environment, args := r.args(t, "cbc-pad", args...)
			command := product(context.Background(), environment, args...)
			command.Path = program
			got := finish(t, command)
			if got.code != 1 || !strings.Contains(got.stderr, "could not be proven") || !strings.Contains(got.stderr, "1 certificates instead of 2") {
				t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			r.nothingCame(t, file)
		})
	}
}

// buildLosing builds the product so that the last certificate of a chain is not written.
func buildLosing(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	source, writes := filepath.Join(root, "bridge", "export.go"), "for _, above := range chain {"
	text := string(mustRead(t, source))
	if strings.Count(text, writes) != 1 {
		t.Fatalf("bridge/export.go writes the chain in another way: %q is not there once", writes)
	}
	directory := t.TempDir()
	changed := write(t, directory, "export.go", []byte(strings.Replace(text, writes, "for _, above := range chain[:max(0, len(chain)-1)] {", 1)))
	return buildChanged(t, directory, map[string]string{source: changed})
}

// TestFileThatCameMeanwhile has somebody make a file of the wanted name, after it was looked for and before the rename. It
// stays as it is.
func TestFileThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, deletable)
	file, other := r.path("alice.pfx"), []byte("somebody's own\n")
	otherFile := write(t, r.directory, "stranger", other)
	got := r.meanwhile(t, "renameat2", "cp '"+otherFile+"' '"+file+"'", "export", "alice", "-o", file, "--iterations", "1000", "--delete-key", "--allow-volatile", "--yes", "--json")
	if got.code == 0 || !strings.Contains(got.stderr, "alice.pfx exists already and is left as it is") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if kept := mustRead(t, file); !bytes.Equal(kept, other) {
		t.Errorf("the file that came is now %q", kept)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r.nothingCame(t, file)
}

// TestHandleOfAnotherKey deletes a key whose handle stands for another one in the second session. The keys may not sign, so
// that no signature tells them apart; what the objects tell of themselves does.
func TestHandleOfAnotherKey(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, "")
	for i, name := range []string{"alice", "mallory"} {
		mustForeign(t, r.directory, "openssl", "req", "-x509", "-key", write(t, r.directory, "key.pem", sharedKey(t, i)), "-out", "crt.pem", "-subj", "/CN="+name,
			"-addext", "keyUsage=critical,keyEncipherment")
		mustForeign(t, r.directory, "openssl", "pkcs12", "-export", "-inkey", "key.pem", "-in", "crt.pem", "-name", name, "-passout", "file:password.txt", "-out", name+"-given.pfx")
		if got := r.run(t, "", "restore", r.path(name+"-given.pfx"), "--exportable", "--json"); got.code != 0 {
			t.Fatal(got.stderr)
		}
	}
	file := r.path("alice.pfx")
	got := r.run(t, "swapped:C_OpenSession@2", "export", "alice", "-o", file, "--iterations", "1000", "--delete-key", "--allow-volatile", "--yes", "--json")
	if got.code != 1 || !strings.Contains(got.stderr, "Nothing was done to the key") || !strings.Contains(got.stderr, "the object is no longer the key that was meant") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	listed := r.run(t, "", "list", "--json")
	for _, name := range []string{"alice", "mallory"} {
		if listed.identity(t, name).PrivateKey == nil {
			t.Errorf("the key of %s is gone", name)
		}
	}
}

// TestProofComparesRSA has a token that spoils d of an RSA key in what it unwraps: the signature is right all the same, by the Chinese
// remainder theorem, and only the comparison of the ciphertexts shows that the token cannot prove the file.
func TestProofComparesRSA(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, "")
	given := r.singleRSA(t, "alice")
	if got := r.run(t, "", "restore", given, "--token", "test", "--exportable"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	file := r.path("proven.pfx")
	args := []string{"export", "alice", "-o", file, "--iterations", "1000", "--require-shroud", "--delete-key", "--allow-volatile", "--yes", "--json"}
	got := r.run(t, "cbc-pad,corrupt-unwrap", args...)
	if got.code != 1 || !strings.Contains(got.stderr, "could not be proven") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	r.nothingCame(t, file)
	if got := r.run(t, "cbc-pad", args...); got.code != 0 || !strings.Contains(got.stdout, `"proof": "token-signature"`) {
		t.Errorf("without the fault: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}
