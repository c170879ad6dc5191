package softhsmtests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKilledBetweenNames kills a run right before each of the names that it gives: to a sealed password, to its PFX file and to their record.
// Once everybody is killed, and once the worker alone. The next run, which has no recipient's key, finishes the record of a file that stands,
// makes everything else anew, and is never kept from that by what the other one left.
func TestKilledBetweenNames(t *testing.T) {
	t.Parallel()
	const dead = `; while grep -q '^State:.[^ZX]' /proc/$2/status 2>/dev/null; do sleep 0.02; done` // else the call might be made all the same
	const worker, everybody = `kill -9 $2` + dead, `kill -9 $(sed -n 's/^PPid:[[:space:]]*//p' /proc/$2/status) $2` + dead
	moments := []namingMoment{
		{name: "the password", call: "renameat2@1"},
		{name: "the file", call: "renameat2@2"},
		{name: "the record", call: "renameat2@3", stands: true},
		{name: "the copy of an older password", call: "renameat2@1", again: true, stands: true},
		{name: "the password in place of an older one", call: "renameat2@2", again: true, stands: true},
		{name: "the file in place of an older one", call: "renameat2@3", again: true},
		{name: "the removal of the older password's copy", call: "unlinkat@1", again: true, stands: true},
		{name: "the record in place of an older one", call: "renameat2@4", again: true, stands: true},
	}
	type strike struct {
		namingMoment
		who, deed string
	}
	var strikes []strike
	for who, deed := range []string{worker, everybody} {
		for _, moment := range moments {
			strikes = append(strikes, strike{moment, []string{"the worker", "everybody"}[who], deed})
		}
	}
	for _, s := range sampled(t, 5, strikes) {
		t.Run(s.who+" before "+s.name, func(t *testing.T) {
			t.Parallel()
			killedNaming(t, s.namingMoment, s.deed)
		})
	}
}

// TestKilledBetweenNamesLong kills it at the other moments.
func TestKilledBetweenNamesLong(t *testing.T) { TestKilledBetweenNames(t) }

// namingMoment is when a run is killed.
type namingMoment struct {
	name, call string
	again      bool // the run replaces an older backup
	stands     bool // the PFX file is whole then, and nothing has to be made anew
}

// killedNaming kills a run at a moment, and has two others follow.
func killedNaming(t *testing.T, moment namingMoment, deed string) {
	t.Helper()
	r := newRestorable(t, deletable)
	r.sealTo(t)
	all := []string{"export", "--all", "--dir", r.path("backups"), "--seal-to", r.path("officer.pem"), "--force"}
	if moment.again {
		if got := r.sealed(t, all...); got.code != 0 {
			t.Fatal(got.stderr)
		}
	}
	if got := r.failingWith(t, r.environment, moment.call, "do:"+deed, r.sealedArgs(all)...); got.code != 137 && got.code != 1 {
		t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	until(t, "nobody holds the directory", func() bool { // who was killed may take a moment to be gone
		directory, err := os.Open(r.path("backups"))
		if err != nil {
			t.Fatal(err)
		}
		defer directory.Close()
		return unix.Flock(int(directory.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
	})
	files, err := filepath.Glob(r.path("backups/*.pfx"))
	if err != nil || (moment.again || moment.stands) != (len(files) == 1) {
		t.Fatalf("%q, %v", files, err)
	}
	var earlier string
	if len(files) > 0 {
		earlier = string(mustRead(t, files[0]))
	}
	got := r.sealed(t, all[:len(all)-1]...)
	if got.code != 0 {
		t.Fatalf("the next run: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if files, err = filepath.Glob(r.path("backups/*.pfx")); err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	if moment.stands != (string(mustRead(t, files[0])) == earlier) || moment.stands != strings.Contains(got.stdout, "1 up to date") {
		t.Errorf("the file that stands is made anew, or another one is not\n%s", got.stdout)
	}
	if left, err := filepath.Glob(r.path("backups/.p11bridge-*")); err != nil || len(left) > 0 {
		t.Errorf("there is %q (%v)", left, err)
	}
	if status := r.status(t, ""); status.code != 0 {
		t.Errorf("exit code %d\n%s%s", status.code, status.stdout, status.stderr)
	}
	verify := []string{"verify", files[0], "--password-source", "sealed", "--unseal-with", r.path("officer.key")}
	if got := p11bridge(t, r.environment, verify...); got.code != 0 {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := r.sealed(t, all...); got.code != 0 { // nor does anything keep the one after that from replacing it
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// sealTo makes a recipient.
func (r *restorable) sealTo(t *testing.T) {
	t.Helper()
	write(t, r.directory, "officer.key", sharedKey(t, 0))
	_, err := foreign(r.directory, nil, "openssl", "req", "-x509", "-key", "officer.key", "-out", "officer.pem", "-days", "30",
		"-subj", "/CN=officer", "-addext", "keyUsage=keyEncipherment")
	if err != nil {
		t.Fatal(err)
	}
}

// sealed is run without a password.
func (r *restorable) sealed(t *testing.T, args ...string) *result {
	t.Helper()
	return p11bridge(t, r.environment, r.sealedArgs(args)...)
}

func (r *restorable) sealedArgs(args []string) []string {
	return append(slices.Clone(args), "--module", r.module, "--pin-source", "file:"+r.path("token/pin.txt"))
}
