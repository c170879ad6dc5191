package softhsmtests

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// printingCommands are the commands that open a module, each with arguments that make it say something. FILE is the directory of the test.
var printingCommands = []string{
	"list",
	"diagnose",
	"snapshot -o FILE/token.json --force",
	"status --dir FILE/backups",
	"export alice -o FILE/again.pfx --force --iterations 1000",
	"export --all --dir FILE/all --force --iterations 1000",
	"export alice -o FILE/gone.pfx --force --iterations 1000 --delete-key --allow-volatile --yes",
	"verify FILE/alice.pfx --against alice",
	"request alice --dry-run",
	"request alice -o FILE/alice.csr --force",
	"delete alice --dry-run --yes",
	"delete alice --yes",
	"restore FILE/bob.pfx --dry-run",
	"restore FILE/bob.pfx --exportable",
	"install FILE/paul.pem --dry-run",
	"install FILE/paul.pem",
}

// otherCommands open no module that could end badly under them, and why.
var otherCommands = map[string]string{
	"doctor":     "looks into each module in a child process of its own, and says how C_Finalize ended: TestDoctorNames",
	"demo":       "makes its own token with SoftHSM2, and runs the commands above on it",
	"drill":      "takes SoftHSM2 itself and tokens of its own, no module that is named",
	"reseal":     "opens a module for the key of a recipient alone, as verify does",
	"guide":      "fills the options of the commands above",
	"explain":    "opens no module",
	"report":     "opens no module",
	"completion": "opens no module",
	"version":    "opens no module",
}

// TestEveryCommandPrintsFirst: a new command belongs to one of the two lists.
func TestEveryCommandPrintsFirst(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		name, below := strings.CutPrefix(s.directory, "cmd/")
		if !below || seen[name] || slices.Contains(floors, name) || strings.Contains(name, "/") {
			continue
		}
		seen[name] = true
		listed := slices.ContainsFunc(printingCommands, func(args string) bool { return strings.Fields(args)[0] == name })
		if _, other := otherCommands[name]; listed == other {
			t.Errorf("%s is in none of the lists of this test, or in both", name)
		}
	}
	if len(seen) < 13 {
		t.Errorf("only %d commands", len(seen))
	}
}

// newPrinting is a token, and beside it the files that the commands need: a backup of alice, one of bob, who is not on the token,
// and a certificate of paul, whose key is there without one.
func newPrinting(t *testing.T) *restorable {
	t.Helper()
	r := newRestorable(t, deletable+"\n"+`label="paul" id=02 key=p256 policy=wrappable`)
	for _, args := range []string{"export alice -o FILE/alice.pfx --iterations 1000", "request paul --same-key --subject CN=paul -o FILE/paul.csr"} {
		if got := r.printing(t, "", args); got.code != 0 {
			t.Fatalf("%s: exit code %d\n%s", args, got.code, got.stderr)
		}
	}
	r.single(t, "bob")
	mustForeign(t, r.directory, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=CA", "-days", "30")
	mustForeign(t, r.directory, "openssl", "x509", "-req", "-in", "paul.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "10", "-out", "paul.pem")
	if err := os.Mkdir(r.path("backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustForeign(t, r.directory, "cp", "-a", "token", "token.first")
	return r
}

// on runs a command on the token as it was at first.
func (r *restorable) on(t *testing.T, faults, args string) *result {
	t.Helper()
	mustForeign(t, r.directory, "sh", "-c", "rm -rf token && cp -a token.first token")
	return r.printing(t, faults, args)
}

func (r *restorable) printing(t *testing.T, faults, args string) *result {
	t.Helper()
	given := strings.Fields(strings.ReplaceAll(args, "FILE/", r.directory+"/"))
	environment, all := r.args(t, faults, "list", "--timeout", "2s")
	all = append(given, all[1:]...)
	if given[0] != "snapshot" { // its count of tokens is no list, as the test's reader of documents has it
		all = append(all, "--json")
	}
	if slices.Contains([]string{"export", "verify", "restore"}, given[0]) {
		all = append(all, "--password-source", "file:"+r.path("password.txt"))
	}
	return p11bridge(t, environment, all...)
}

// TestResultIsPrintedFirstLong has the module crash, hang or end the process in C_Finalize: every command that opens one has
// printed its whole result by then, and its exit code stands.
func TestResultIsPrintedFirstLong(t *testing.T) {
	t.Parallel()
	r := newPrinting(t)
	for _, args := range printingCommands {
		sound := r.on(t, "", args)
		if strings.Contains(sound.stdout, "p11bridge.error/1") {
			t.Fatalf("%s: %s", args, sound.stderr)
		}
		for _, fault := range []string{"crash", "exit", "hang"} {
			at := ":C_Finalize"
			if strings.HasPrefix(args, "request") && !strings.Contains(args, "--dry-run") {
				at += "@2" // the first one lets crypto11 initialise the module in our place, before anything is done
			}
			got := r.on(t, fault+at, args)
			schema, _, _ := strings.Cut(sound.stdout, ",")
			if schema == "" {
				t.Fatalf("%s says nothing", args)
			}
			if got.code != sound.code || !strings.HasPrefix(got.stdout, schema) || strings.Contains(got.stdout, "p11bridge.error/1") || strings.Count(got.stdout, "\n") != strings.Count(sound.stdout, "\n") {
				t.Errorf("%s, %s: exit code %d instead of %d\n%s%s", args, fault, got.code, sound.code, got.stdout, got.stderr)
			}
		}
	}
}
