package softhsmtests

import (
	"os/exec"
	"strings"
	"testing"
)

const (
	privateLeft, publicLeft, certificateLeft = "CKO_PRIVATE_KEY, CKA_ID ", "CKO_PUBLIC_KEY, CKA_ID ", "CKO_CERTIFICATE, CKA_ID "
	nothingLeft, unaskedLogin                = "nothing of what was being put there is left", "looked at again without a login"
)

// lookedAtAgain are restores that end in the middle of a call.
var lookedAtAgain = []struct {
	name, faults string
	says         []string
	left         bool // something is on the token
	logins       int
	pin          string // "" for a file
}{
	{"dies at the key before", "cbc-pad,abort:C_UnwrapKey@1", []string{"C_UnwrapKey", "SIGABRT", nothingLeft}, false, 2, ""},
	{"dies at the key", "cbc-pad,abort-after:C_UnwrapKey@1", []string{"C_UnwrapKey", "SIGABRT", privateLeft}, true, 2, ""},
	{"is killed at the key", "cbc-pad,kill-after:C_UnwrapKey@1", []string{"C_UnwrapKey", "SIGKILL", privateLeft}, true, 2, ""},
	{"hangs at the key", "cbc-pad,hang-after:C_UnwrapKey@1", []string{"did not return from C_UnwrapKey", privateLeft}, true, 2, ""},
	{"dies at the public key", "abort-after:C_CreateObject@3", []string{"C_CreateObject", privateLeft, publicLeft}, true, 2, ""},
	{"hangs at the public key", "hang-after:C_CreateObject@3", []string{"C_CreateObject", privateLeft, publicLeft}, true, 2, ""},
	{"is killed at the certificate", "kill-after:C_CreateObject@4", []string{"C_CreateObject", privateLeft, publicLeft, certificateLeft, "SHA-256"}, true, 2, ""},
	{"dies at the certificate before", "abort:C_CreateObject@4", []string{"C_CreateObject", privateLeft, publicLeft}, true, 2, ""},
	{"a PIN that was in a variable", "abort-after:C_CreateObject@3", []string{"C_CreateObject", unaskedLogin, privateLeft, publicLeft}, true, 1, "env:LOOK_PIN"},
	{"a PIN's file that changed", "abort-after:C_CreateObject@3,deed:C_CreateObject@2", []string{unaskedLogin, privateLeft, publicLeft}, true, 1, ""},
	{"a token that counts a wrong PIN", "abort-after:C_CreateObject@3,flags:+0x10000", []string{unaskedLogin, privateLeft, publicLeft}, true, 1, ""},
}

// TestTokenIsLookedAtAgain has the module take the worker along while that puts something on the token, after the call took effect or
// before it. Another worker names what is there, and only that. It logs in again only where the PIN comes from a file that has not
// changed, and the token counts no wrong PIN.
func TestTokenIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	for _, row := range lookedAtAgain {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, "")
			file := r.single(t, "alice")
			original := r.objects(t)
			environment, args := r.args(t, row.faults+",log", "restore", file, "--token", "test", "--timeout", "4s", "--json")
			environment = append(environment, "P11FAULT_LOG="+r.path("log"), "LOOK_PIN="+testPIN, "P11FAULT_DEED=echo 99999 >'"+r.path("other.pin")+"'; mv '"+r.path("other.pin")+"' '"+r.path("used.pin")+"'")
			args[len(args)-1] = "file:" + write(t, r.directory, "used.pin", []byte(testPIN+"\n"))
			if row.pin != "" {
				args[len(args)-1] = row.pin
			}
			got := p11bridge(t, environment, args...)
			if got.code != 1 {
				t.Errorf("exit code %d", got.code)
			}
			for _, text := range row.says {
				if !strings.Contains(got.stderr, text) {
					t.Errorf("%q is missing", text)
				}
			}
			for _, text := range []string{privateLeft, publicLeft, certificateLeft, nothingLeft, unaskedLogin} {
				if strings.Contains(got.stderr, text) != strings.Contains(strings.Join(row.says, " "), text) {
					t.Errorf("whether %q is said", text)
				}
			}
			if changed := r.objects(t) != original; changed != row.left || row.left != strings.Contains(got.stderr, "To remove the private key: p11bridge delete") {
				t.Errorf("the token was changed: %v", changed)
			}
			if logins := strings.Count(string(mustRead(t, r.path("log"))), "C_Login\n"); logins != row.logins {
				t.Errorf("%d logins instead of %d", logins, row.logins)
			}
			if t.Failed() {
				t.Logf("[stdout]\n%s[stderr]\n%s", got.stdout, got.stderr)
			}
		})
	}
}

// TestTokenIsNotLookedAtAgain has the module take the worker along once its result is told: nothing is asked of the token any more.
func TestTokenIsNotLookedAtAgain(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, "")
	environment, args := r.args(t, "kill-after:C_Finalize,log", "restore", r.single(t, "alice"), "--token", "test")
	got := p11bridge(t, append(environment, "P11FAULT_LOG="+r.path("log")), args...)
	if got.code != 0 || strings.Contains(got.stderr, "left behind") || strings.Contains(got.stderr, "still there") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
	if logins := strings.Count(string(mustRead(t, r.path("log"))), "C_Login\n"); logins != 1 {
		t.Errorf("%d logins", logins)
	}
}

// TestKeyGenerationThatHangsLong has the module hang once it has made a key pair. That call has a limit of its own, which --timeout does not
// lower: the program that is tested has a shorter one. Another worker names the pair.
func TestKeyGenerationThatHangsLong(t *testing.T) {
	t.Parallel()
	p := newRequestPlace(t)
	p.program = p.path("p11bridge")
	build := exec.Command("go", "build", "-ldflags=-s -X p11bridge/cmd/supervise.keyGenerationLimit=6s", "-o", p.program, "../cmd/p11bridge")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	code, printed := p.run("hang-after:C_GenerateKeyPair", "request", "rita", "-o", "new.csr", "--timeout", "1s")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, text := range []string{"did not return from C_GenerateKeyPair within 6", privateLeft, publicLeft, "To remove the private key: p11bridge delete"} {
		if !strings.Contains(printed, text) {
			t.Errorf("%q is missing:\n%s", text, printed)
		}
	}
	absent(t, p.path("new.csr"))
}

// TestLookAfterRequestAndInstall does the same for a new key pair and a certificate. The old certificate has the new one's CKA_ID and
// label, and is not called a thing that is left.
func TestLookAfterRequestAndInstall(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, faults string
		args         []string
		says, not    []string
	}{
		{"a key pair", "abort-after:C_GenerateKeyPair", []string{"request", "rita", "-o", "new.csr"}, []string{"C_GenerateKeyPair", "CKO_PRIVATE_KEY, CKA_ID ", "CKO_PUBLIC_KEY, CKA_ID ", "p11bridge delete"}, []string{"CKO_CERTIFICATE"}},
		{"a key pair, killed", "kill-after:C_GenerateKeyPair", []string{"request", "paul", "--subject", "CN=Paul", "-o", "new.csr"}, []string{"C_GenerateKeyPair", "CKO_PRIVATE_KEY, CKA_ID "}, nil},
		{"no key pair", "abort:C_GenerateKeyPair", []string{"request", "rita", "-o", "new.csr"}, []string{"C_GenerateKeyPair", "nothing of what was being put there is left"}, []string{"p11bridge delete"}},
		{"a signature in crypto11", "abort:C_Sign@4", []string{"request", "rita", "-o", "new.csr"}, []string{"CKO_PRIVATE_KEY, CKA_ID "}, nil},
		{"a certificate", "abort-after:C_CreateObject@2", []string{"install", "file.pem", "--with-chain"}, []string{"C_CreateObject", "CN=Paul, ", "CN=Test CA, "}, []string{"CKO_PRIVATE_KEY", "CN=rita"}},
		{"no certificate beside the old one", "abort:C_CreateObject@1", []string{"install", "renewed.pem"}, []string{"C_CreateObject", "nothing of what was being put there is left"}, []string{"CKO_CERTIFICATE"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := newRequestPlace(t)
			if row.args[0] == "install" {
				p.issue()
				if row.args[1] == "renewed.pem" {
					if code, printed := p.run("", "install", "file.pem"); code != 0 {
						t.Fatal(printed)
					}
				}
				if _, err := openssl("", "x509", "-req", "-in", p.path("paul.csr"), "-CA", p.path("ca.pem"), "-CAkey", p.path("ca.key"), "-days", "20", "-out", p.path("renewed.pem")); err != nil {
					t.Fatal(err)
				}
			}
			code, printed := p.run(row.faults, row.args...)
			if code != 1 {
				t.Errorf("exit code %d", code)
			}
			for _, text := range row.says {
				if !strings.Contains(printed, text) {
					t.Errorf("%q is missing:\n%s", text, printed)
				}
			}
			for _, text := range row.not {
				if strings.Contains(printed, text) {
					t.Errorf("%q is said:\n%s", text, printed)
				}
			}
		})
	}
}
