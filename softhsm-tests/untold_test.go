package softhsmtests

import (
	"strings"
	"testing"

	"p11bridge/bridge/pfx"
)

// TestUntoldChangesAreNamed has the process that does the work die before it has told what it did. Whatever it changed on the token until
// then is named, and "Nothing was left behind" is said of no run that left something.
func TestUntoldChangesAreNamed(t *testing.T) {
	t.Parallel()
	const nothing = "Nothing was left behind"
	for _, row := range []struct {
		name, faults string
		code         int
		there        []string // keys that the run left on the token
		says         []string
		not          []string
	}{
		{"the second key is not there yet", "cbc-pad,crash:C_UnwrapKey@2", 1, []string{"alice"}, []string{"It is still there", "object=alice;type=private", "object=alice;type=cert"}, []string{"object=bob", nothing}},
		{"the second key is there", "cbc-pad,kill-after:C_UnwrapKey@2", 1, []string{"alice", "bob"}, []string{"It is still there", "object=alice;type=private", "object=alice;type=cert", "object=bob;type=private"}, []string{"object=bob;type=cert", nothing}},
		{"the first key is not there yet", "cbc-pad,crash:C_UnwrapKey@1", 1, nil, []string{"nothing of what was being put there is left"}, []string{"object="}},
		{"the result was told", "cbc-pad,kill-after:C_Finalize", 0, []string{"alice", "bob"}, []string{"crashed", "C_Finalize"}, []string{"It is still there", "To remove", nothing}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, "")
			got := r.run(t, row.faults, "restore", r.two(t), "--all", "--token", "test", "--json")
			if got.code != row.code {
				t.Errorf("exit code %d instead of %d", got.code, row.code)
			}
			checkSaid(t, got, row.says, row.not)
			if there := strings.Count(r.objects(t), `"private_key":{`); there != len(row.there) {
				t.Errorf("%d keys are on the token, and not %d", there, len(row.there))
			}
		})
	}
}

// TestReportedChangesAreNotNamedAgain has it die when the first of two keys was told.
func TestReportedChangesAreNotNamedAgain(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, "")
	got := r.run(t, "cbc-pad,kill-after:C_UnwrapKey@2", "restore", r.two(t), "--all", "--token", "test")
	if got.code != 1 || !strings.Contains(got.stdout, "alice") {
		t.Errorf("exit code %d, or the first key was not told", got.code)
	}
	checkSaid(t, got, []string{"It is still there", "object=bob;type=private"}, []string{"alice", "Nothing was left behind"})
}

// two is a file with two keys and their certificates.
func (r *restorable) two(t *testing.T) string {
	t.Helper()
	var contents pfx.Contents
	for _, name := range []string{"alice", "bob"} {
		key, certificate := pair(t, name)
		contents.Keys = append(contents.Keys, pfx.Key{PKCS8: key, FriendlyName: name, LocalKeyID: []byte(name)})
		contents.Certificates = append(contents.Certificates, pfx.Certificate{DER: certificate, FriendlyName: name, LocalKeyID: []byte(name)})
	}
	return r.file(t, "two.pfx", contents)
}

// TestUntoldDestructionIsNamed has it die while it destroys a key.
func TestUntoldDestructionIsNamed(t *testing.T) {
	t.Parallel()
	const gone, kept = "These keys were removed from the token:", "These keys are still on the token:"
	for _, row := range []struct {
		name, faults string
		there        bool
		says, not    []string
	}{
		{"before the key is gone", "crash:C_DestroyObject", true, []string{kept, "object=alice;type=private"}, []string{gone}},
		{"right after", "kill-after:C_DestroyObject", false, []string{gone, "object=alice;type=private"}, []string{kept, "Nothing was left behind"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, "")
			file := r.single(t, "alice")
			if got := r.run(t, "", "restore", file, "--token", "test"); got.code != 0 {
				t.Fatal(got.stderr)
			}
			got := r.run(t, row.faults, "delete", "alice", "--copy", file, "--allow-volatile", "--yes")
			if got.code != 1 {
				t.Errorf("exit code %d instead of 1", got.code)
			}
			checkSaid(t, got, row.says, row.not)
			if there := strings.Contains(r.objects(t), `"private_key":{`); there != row.there {
				t.Errorf("the key is there: %v", there)
			}
		})
	}
}

func checkSaid(t *testing.T, got *result, says, not []string) {
	t.Helper()
	for _, words := range says {
		if !strings.Contains(got.stderr, words) {
			t.Errorf("%q is not said", words)
		}
	}
	for _, words := range not {
		if strings.Contains(got.stderr, words) {
			t.Errorf("%q is said", words)
		}
	}
	if t.Failed() {
		t.Logf("[stdout]\n%s[stderr]\n%s", got.stdout, got.stderr)
	}
}
