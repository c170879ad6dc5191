package softhsmtests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHiddenNewObject has the file of a new private key taken from SoftHSM as soon as it is there, as a write that fails half-way does: the token
// has answered CKR_OK, knows nothing of the key, and shows it again when it is started anew. The key is named, and no other way is tried.
func TestHiddenNewObject(t *testing.T) {
	t.Parallel()
	for _, row := range [][2]string{{"request", "C_GetAttributeValue"}, {"request", "C_SetAttributeValue"}, {"restore", "C_GetAttributeValue"}} {
		command, call := row[0], row[1] // a new key gets its CKA_ID by C_SetAttributeValue
		t.Run(command+" "+call, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, deletable)
			environment, all := r.args(t, "deed:"+call, "list")
			if err := os.WriteFile(r.path("was"), []byte(objectFiles(t, r)), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"request", "alice", "-o", r.path("new.csr")}
			if command == "restore" {
				file := r.path("alice.pfx")
				if got := r.run(t, "", "export", "alice", "-o", file, "--iterations", "1000", "--delete-key", "--allow-volatile", "--yes"); got.code != 0 {
					t.Fatal(got.stderr)
				}
				args = []string{"restore", file, "--token", "test", "--password-source", "file:" + r.path("password.txt")}
			}
			environment = append(environment, `P11FAULT_DEED=cd '`+r.path("token/tokens")+`'/* && for f in *.object; do grep -qx "$f" '`+r.path("was")+`' || mv "$f" "$f.hidden"; done; true`)
			got := p11bridge(t, environment, append(args, all[1:]...)...)
			if got.code != 1 || !strings.Contains(got.stderr, "Whether this is on the token could not be found out") ||
				!strings.Contains(got.stderr, "CKO_PRIVATE_KEY, CKA_ID ") || !strings.Contains(got.stderr, "CKR_OBJECT_HANDLE_INVALID") {
				t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
		})
	}
}

// objectFiles are the names of SoftHSM's files, one a line.
func objectFiles(t *testing.T, r *restorable) string {
	t.Helper()
	paths, err := filepath.Glob(r.path("token/tokens/*/*.object"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%q, %v", paths, err)
	}
	var names strings.Builder
	for _, path := range paths {
		names.WriteString(filepath.Base(path) + "\n")
	}
	return names.String()
}
