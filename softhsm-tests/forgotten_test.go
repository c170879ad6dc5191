package softhsmtests

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// The claim under test: where a key was in clear in p11bridge's memory, nothing of it is left there once the file is proven, in
// a build with GOEXPERIMENT=runtimesecret, which make build makes. Nothing else of what a run allocates is used anew (GOGC=off),
// so that only what was erased is gone.

// buildForgetful builds the product as make build does.
func buildForgetful(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "p11bridge")
	mustForeign(t, root, "env", "GOEXPERIMENT=runtimesecret", "go", "build", "-trimpath", "-buildvcs=false", "-o", program, "./cmd/p11bridge")
	return program
}

// forgottenLooks are the looks after the proof for each way and kind of key.
const forgottenLooks = 50

func TestKeyIsForgottenLong(t *testing.T) {
	t.Parallel()
	if passesAsRoot(t) {
		return
	}
	program := buildForgetful(t)
	directory := t.TempDir()
	specimens := write(t, directory, "specimens", []byte(`label="rsa" id=01 key=rsa2048 policy=readable certificate=valid
label="ec" id=02 key=p256 policy=readable certificate=valid
`))
	place := filepath.Join(directory, "token")
	if err := runMktoken(specimens, place); err != nil {
		t.Fatal(err)
	}
	module := softHSM(t)
	password := write(t, directory, "password.txt", []byte(testPassword+"\n"))
	token := newApart(t, []string{"SOFTHSM2_CONF=" + filepath.Join(place, "softhsm2.conf")}, module, "")
	access := []string{"--module", token.module, "--token", "test", "--json", "--pin-source", "file:" + filepath.Join(place, "pin.txt"), "--password-source", "file:" + password}
	for _, label := range []string{"rsa", "ec"} {
		first := filepath.Join(directory, label+".pfx") // tells the test which key to look for
		export := append([]string{"export", label, "--iterations", "1000"}, access...)
		p11bridge(t, token.environment(), slices.Concat(export, []string{"--method", "wrap", "-o", first})...).exported(t, "wrap", "independent-reader")
		key, certificate := openedBy(t, first, password)
		s := newSearch(t, certificate.Signature, secretsOf(t, key))
		for way, args := range map[string][]string{
			"wrap": slices.Concat(export, []string{"--method", "wrap"}), "attributes": slices.Concat(export, []string{"--method", "attributes"}),
			"all":    slices.Concat([]string{"export", "--all", "--iterations", "1000"}, access),
			"verify": slices.Concat([]string{"verify", first, "--against", label}, access),
		} {
			t.Run(way+" "+label, func(t *testing.T) { forgotten(t, token, s, program, filepath.Join(directory, way+label+".pfx"), args) })
		}
	}
}

// forgotten runs the product until there were enough looks at it after the proof, and wants nothing of the key in any of them.
func forgotten(t *testing.T, token *apart, s *search, program, target string, args []string) {
	t.Helper()
	proven := []string{"C_CloseSession", "C_Finalize"}
	looks, seen := 0, 0
	for looks < forgottenLooks {
		run := args
		if args[0] == "export" {
			to := "-o"
			if slices.Contains(args, "--all") {
				to = "--dir"
			}
			run = append(slices.Clone(args), to, target)
		}
		g, r := runWatched(t, token, s, program, run...)
		if r.code != 0 {
			t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		if at := slices.Index(args, "--method"); at >= 0 {
			r.exported(t, args[at+1], "independent-reader")
		}
		if args[0] == "export" {
			if _, err := os.Stat(target); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(target); err != nil {
				t.Fatal(err)
			}
		}
		for _, call := range proven {
			looks += g.looks[call] / 2 // the parent has never had the key
			if g.last[call].bytes == 0 {
				t.Fatalf("no look at the working process at %s", call)
			}
		}
		for _, sighting := range g.sightings {
			if sighting.pid == g.parent {
				t.Errorf("in the parent, %s: %v", sighting.where, sighting.secrets)
			} else if slices.Contains(proven, sighting.where) {
				t.Fatalf("left after the proof, %s: %v", sighting.where, sighting.secrets)
			} else {
				seen++
			}
		}
	}
	t.Log("nothing left in " + strconv.Itoa(looks) + " looks; the key was seen " + strconv.Itoa(seen) + " times before")
}
