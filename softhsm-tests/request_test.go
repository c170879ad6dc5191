package softhsmtests

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// requestPlace is a fresh token behind the faulty module, for runs that change it.
type requestPlace struct {
	t         *testing.T
	directory string
	module    string
	program   string // in place of the one that all tests run
}

func newRequestPlace(t *testing.T) *requestPlace {
	t.Helper()
	p := &requestPlace{t: t, directory: t.TempDir(), module: faultyModule(t)}
	specimens := filepath.Join(p.directory, "specimens")
	text := "label=\"rita\" id=01 key=rsa2048 policy=locked certificate=valid\nlabel=\"edda\" id=02 key=ed25519 policy=locked certificate=valid\nlabel=\"paul\" id=03 key=p256 policy=wrappable\n"
	if err := os.WriteFile(specimens, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := runMktoken(specimens, filepath.Join(p.directory, "token")); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *requestPlace) path(name string) string { return filepath.Join(p.directory, name) }

// run runs p11bridge on the token with the faults and gives its exit code and all that it printed.
func (p *requestPlace) run(faults string, args ...string) (code int, printed string) {
	p.t.Helper()
	command := exec.Command(cmp.Or(p.program, "p11bridge"), append(args, "--pin-source", "file:"+p.path("token/pin.txt"))...)
	module := p.module
	if faults == "" {
		module = softHSM(p.t)
	}
	command.Env = append(os.Environ(), "SOFTHSM2_CONF="+p.path("token/softhsm2.conf"), "P11BRIDGE_MODULE="+module, "P11FAULT="+faults, "LC_ALL=C")
	command.Dir = p.directory
	out, err := command.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode(), string(out)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return 0, string(out)
}

// listed is the token's list, as a person sees it.
func (p *requestPlace) listed() string {
	p.t.Helper()
	code, list := p.run("", "list")
	if code != 0 {
		p.t.Fatalf("list: exit code %d\n%s", code, list)
	}
	return list
}

// TestRequestOnFaultyModules breaks the module in one call at a time. Whatever it does inside crypto11 too is named; a new
// key is gone afterwards, or said to be there; no file is left. The first two signatures are those of the keys that do not tell
// whose they are.
func TestRequestOnFaultyModules(t *testing.T) {
	t.Parallel()
	for _, row := range sampled(t, 3, []struct {
		name, faults, object string
		args                 []string
		code                 int
		says                 []string
		stays                bool // the new key could not be removed
	}{
		{"answers", "error:C_Sign:0x5", "rita", nil, 1, []string{"C_Sign answered CKR_GENERAL_ERROR"}, false},
		{"answers the first", "error:C_Sign@4:0x5", "rita", nil, 0, []string{"by p11bridge"}, false},
		{"says that a signature is longer", "longer:C_Sign", "rita", []string{"--same-key"}, 1, []string{"C_Sign"}, false},
		{"crashes", "crash:C_Sign@4", "rita", []string{"--same-key"}, 1, []string{"crashed", "SIGSEGV", "in crypto11 Sign"}, false},
		{"hangs", "hang:C_Sign@4", "rita", []string{"--same-key", "--timeout", "2s"}, 1, []string{"did not return from crypto11 Sign (C_OpenSession, C_SignInit, C_Sign) within 2"}, false},
		{"hangs in C_Sign", "hang:C_Sign", "edda", []string{"--same-key", "--timeout", "2s"}, 1, []string{"did not return from C_Sign within 2"}, false},
		{"crashes in another initialisation", "crash:C_Initialize@2", "rita", []string{"--same-key"}, 1, []string{"in crypto11 Configure"}, false},
		{"initialises once", "error:C_Initialize@2:0x5", "rita", []string{"--same-key"}, 0, []string{"by p11bridge"}, false},
		{"finds nothing for crypto11", "error:C_OpenSession@1:0x5", "rita", []string{"--same-key"}, 0, []string{"by p11bridge"}, false},
		{"will not destroy", "error:C_Sign:0x5,error:C_DestroyObject:0x5", "rita", nil, 1, []string{"C_Sign answered", "was not removed again", "CKO_PRIVATE_KEY, CKA_ID ", "p11bridge delete"}, true},
		{"lies about destroying", "error:C_Sign:0x5,destroy-lies", "rita", nil, 1, []string{"C_Sign answered", "was not removed again"}, true},
		{"crashes at the CKA_ID", "crash:C_SetAttributeValue@2", "rita", nil, 1, []string{"in C_SetAttributeValue", "To remove the private key: p11bridge delete"}, true},
		{"is write-protected", "flags:+0x2", "rita", nil, 1, []string{"The token is write-protected", "request --same-key"}, false},
		{"is write-protected, same key", "flags:+0x2", "rita", []string{"--same-key"}, 0, []string{"by p11bridge"}, false},
		{"opens no read-write session", "error:C_OpenSession:0xE2", "rita", nil, 1, []string{"The token is write-protected"}, false},
		{"generates nothing", "error:C_GenerateKeyPair:0x54", "rita", nil, 1, []string{"would not make a key pair (RSA 2048)", "CKR_FUNCTION_NOT_SUPPORTED", "Try another --key-type"}, false},
		{"gives no handle", "no-handle:C_GenerateKeyPair", "rita", nil, 1, []string{"C_GenerateKeyPair", "CK_INVALID_HANDLE"}, false},
		{"gives no handle and destroys nothing", "no-handle:C_GenerateKeyPair,destroy-lies", "rita", nil, 1, []string{"C_GenerateKeyPair", "CKA_ID "}, true},
		{"loses the connection", "error:C_SignInit:0x32", "rita", nil, 1, []string{"CKR_DEVICE_REMOVED"}, false},
		{"sets no attribute", "error:C_SetAttributeValue:0x10", "rita", nil, 0, []string{"by crypto11", "CKA_ID "}, false},
		{"sets one attribute", "error:C_SetAttributeValue@2:0x10", "rita", nil, 0, []string{"CKA_ID "}, false},
	}) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := newRequestPlace(t)
			original := p.listed()
			file := p.path("new.csr")
			code, printed := p.run(row.faults, append([]string{"request", row.object, "-o", file}, row.args...)...)
			if code != row.code {
				t.Errorf("exit code %d instead of %d\n%s", code, row.code, printed)
			}
			for _, text := range row.says {
				if !strings.Contains(printed, text) {
					t.Errorf("%q is missing:\n%s", text, printed)
				}
			}
			if _, err := os.Lstat(file); (err == nil) != (code == 0) {
				t.Errorf("the file: %v", err)
			}
			if code == 0 {
				return
			}
			if after := p.listed(); (after == original) == row.stays {
				t.Errorf("the list before:\n%s\nand after:\n%s", original, after)
			}
		})
	}
}

// TestRequestOnFaultyModulesLong has the other faults.
func TestRequestOnFaultyModulesLong(t *testing.T) { TestRequestOnFaultyModules(t) }

// TestLongSignatureForCrypto11 has the module claim more bytes than it wrote where crypto11's binding believes it: what was read beyond
// is no part of a signature, and the call is named.
func TestLongSignatureForCrypto11(t *testing.T) {
	t.Parallel()
	for object, claim := range map[string]string{"rita": "272 bytes are no signature of this key, which has 256", "paul": " bytes are no signature of this key, which has 73"} {
		t.Run(object, func(t *testing.T) {
			t.Parallel()
			p := newRequestPlace(t)
			code, printed := p.run("longer:C_Sign@5:16", "request", object, "--same-key", "--subject", "CN=x", "-o", "new.csr", "--trace", "trace")
			if code != 0 || !strings.Contains(printed, "by p11bridge") {
				t.Errorf("exit code %d\n%s", code, printed)
			}
			if trace := string(mustRead(t, p.path("trace"))); !strings.Contains(trace, "crypto11 Sign") || !strings.Contains(trace, claim) {
				t.Errorf("%q is not in\n%s", claim, trace)
			}
			code, printed = p.run("longer:C_Sign:16", "request", object, "--same-key", "--subject", "CN=x", "-o", "never.csr", "--trace", "always")
			if trace := string(mustRead(t, p.path("always"))); code != 1 || !strings.Contains(printed, "C_Sign") || strings.Contains(trace, "crypto11 Sign") || strings.Contains(trace, "crypto11 Find") {
				t.Errorf("where it always claims more: exit code %d\n%s\n%s", code, printed, trace)
			}
		})
	}
}

// TestInstallOnFaultyModules holds that a failure half-way leaves nothing, and that the token is not believed.
func TestInstallOnFaultyModules(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, faults string
		code         int
		says         []string
		stays        bool
	}{
		{"full at the second", "error:C_CreateObject@2:0x31", 1, []string{"C_CreateObject answered CKR_DEVICE_MEMORY"}, false},
		{"takes the second back badly", "error:C_CreateObject@2:0x5,destroy-lies", 1, []string{"was not removed again", "CN=Paul", "CKA_ID 03"}, true},
		{"write-protected", "flags:+0x2", 1, []string{"The token is write-protected"}, false},
		{"crashes", "crash:C_CreateObject", 1, []string{"in C_CreateObject"}, false},
		{"sound", "no-wrap", 0, []string{"Issuer stored: CN=Test CA"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := newRequestPlace(t)
			p.issue()
			original := p.listed()
			code, printed := p.run(row.faults, "install", p.path("file.pem"), "--with-chain")
			if code != row.code {
				t.Errorf("exit code %d instead of %d\n%s", code, row.code, printed)
			}
			for _, text := range row.says {
				if !strings.Contains(printed, text) {
					t.Errorf("%q is missing:\n%s", text, printed)
				}
			}
			if after := p.listed(); (after == original) == (row.stays || code == 0) {
				t.Errorf("the list before:\n%s\nand after:\n%s", original, after)
			}
		})
	}
}

// issue makes file.pem, the certificate of paul's key with its issuer's.
func (p *requestPlace) issue() {
	p.t.Helper()
	if code, printed := p.run("", "request", "paul", "--same-key", "--subject", "CN=Paul", "-o", p.path("paul.csr")); code != 0 {
		p.t.Fatal(printed)
	}
	key, ca, leaf := p.path("ca.key"), p.path("ca.pem"), p.path("paul.pem")
	for _, args := range [][]string{
		{"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", ca, "-subj", "/CN=Test CA", "-days", "30"},
		{"x509", "-req", "-in", p.path("paul.csr"), "-CA", ca, "-CAkey", key, "-days", "10", "-out", leaf},
	} {
		if _, err := openssl("", args...); err != nil {
			p.t.Fatal(err)
		}
	}
	var file []byte
	for _, path := range []string{leaf, ca} {
		text, err := os.ReadFile(path)
		if err != nil {
			p.t.Fatal(err)
		}
		file = fmt.Append(file, string(text))
	}
	if err := os.WriteFile(p.path("file.pem"), file, 0o600); err != nil {
		p.t.Fatal(err)
	}
}
