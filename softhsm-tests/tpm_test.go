package softhsmtests

import (
	"crypto/elliptic"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// tpm is a TPM 2.0 simulator behind tpm2-pkcs11, with a resource manager on a D-Bus of its own, without which the TPM is
// full after three objects.
type tpm struct {
	directory   string
	module      string
	environment []string
}

const tpmPIN = "Rosenkavalier-1911"

func newTPM(t *testing.T) *tpm {
	t.Helper()
	p := &tpm{directory: t.TempDir(), module: library(t, "libtpm2_pkcs11.so.1")}
	for _, name := range []string{"state", "store"} {
		if err := os.Mkdir(filepath.Join(p.directory, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	port := freePorts(t, 2) // one for commands and the next one for control
	address := func(p int) string { return fmt.Sprintf("type=tcp,port=%d,bindaddr=127.0.0.1", p) }
	server(t, nil, "swtpm", "socket", "--tpm2", "--tpmstate", "dir="+p.path("state"), "--server", address(port), "--ctrl", address(port+1),
		"--flags", "not-need-init,startup-clear")
	bus := filepath.Join(socketDirectory(t), "bus")
	server(t, nil, "dbus-daemon", "--session", "--nofork", "--address=unix:path="+bus)
	eventually(t, "swtpm", func() error {
		// The control port: a connection to the other one would count as the TPM's only user.
		connection, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1)))
		if err != nil {
			return err
		}
		return connection.Close()
	})
	eventually(t, "dbus-daemon", exists(bus))
	const tcti = "tabrmd:bus_type=session"
	p.environment = []string{
		"DBUS_SESSION_BUS_ADDRESS=unix:path=" + bus, "TPM2TOOLS_TCTI=" + tcti, "TPM2_PKCS11_TCTI=" + tcti, "TPM2_PKCS11_STORE=" + p.path("store"),
		"TSS2_LOG=all+NONE", "TPM2_PKCS11_LOG_LEVEL=0",
	}
	server(t, p.environment, "tpm2-abrmd", "--allow-root", "--session", fmt.Sprintf("--tcti=swtpm:host=127.0.0.1,port=%d", port))
	eventually(t, "tpm2-abrmd", func() error {
		_, err := foreign(p.directory, p.environment, "tpm2_getcap", "properties-fixed")
		return err
	})
	p.ptool(t, "init")
	p.ptool(t, "addtoken", "--pid", "1", "--label", "tpm", "--sopin", "so-"+tpmPIN, "--userpin", tpmPIN)
	return p
}

func (p *tpm) path(name string) string { return filepath.Join(p.directory, name) }

func (p *tpm) ptool(t *testing.T, command string, args ...string) {
	t.Helper()
	if _, err := foreign(p.directory, p.environment, "tpm2_ptool", append(append([]string{command}, args...), "--path", p.path("store"))...); err != nil {
		t.Fatal(err)
	}
}

// TestNothingLeavesATPMLong is about keys that cannot leave for two different reasons: one says so itself, the other was
// imported, says CKA_EXTRACTABLE=true, and the module has nothing that would carry it out.
func TestNothingLeavesATPMLong(t *testing.T) {
	t.Parallel()
	p := newTPM(t)
	pin, password := write(t, p.directory, "pin.txt", []byte(tpmPIN+"\n")), write(t, p.directory, "password.txt", []byte(testPassword+"\n"))
	p.ptool(t, "addkey", "--label", "tpm", "--userpin", tpmPIN, "--algorithm", "rsa2048", "--key-label", "generated", "--id", "01")
	rsaKey, ecKey := issue(t, p.directory, "imported rsa", newRSA(t)), issue(t, p.directory, "imported ec", newEC(t, elliptic.P256()))
	p.ptool(t, "import", "--label", "tpm", "--userpin", tpmPIN, "--algorithm", "rsa", "--privkey", rsaKey.keyPEM, "--key-label", rsaKey.name, "--id", "02")
	p.ptool(t, "import", "--label", "tpm", "--userpin", tpmPIN, "--algorithm", "ecc", "--privkey", ecKey.keyPEM, "--key-label", ecKey.name, "--id", "03")
	for _, key := range []*issued{rsaKey, ecKey} {
		p.ptool(t, "addcert", "--label", "tpm", "--key-label", key.name, key.certificatePEM)
	}
	common := []string{"--module", p.module, "--token", "tpm", "--json", "--pin-source", "file:" + pin}
	listed := p11bridge(t, p.environment, append([]string{"list"}, common...)...)
	for label, want := range map[string]struct {
		reason      string
		extractable bool
	}{
		"generated": {"key-not-extractable", false}, "imported rsa": {"no-wrapping-mechanism", true}, "imported ec": {"no-wrapping-mechanism", true},
	} {
		t.Run(label, func(t *testing.T) {
			identity := listed.identity(t, label)
			if said := identity.PrivateKey.Attributes["CKA_EXTRACTABLE"]; said == nil || *said != want.extractable {
				t.Fatalf("the token says CKA_EXTRACTABLE=%v of the key, so that this test proves something else", said)
			}
			if codes := codesOf(identity.Verdict.Reasons); identity.Verdict.Exportable || len(codes) == 0 || codes[0] != want.reason {
				t.Errorf("the verdict is %+v", identity.Verdict)
			}
			for _, args := range [][]string{nil, {"--require-shroud"}, {"--method", "wrap"}} {
				file, trace := p.path("copy.pfx"), p.path("trace")
				r := p11bridge(t, p.environment, append(append([]string{"export", label, "-o", file, "--password-source", "file:" + password, "--trace", trace}, common...), args...)...)
				r.refused(t, want.reason, file)
				calls, err := os.ReadFile(trace)
				if err != nil {
					t.Fatal(err)
				}
				if err := closed(string(calls)); err != nil {
					t.Error(err)
				}
				if tried := strings.Contains(string(calls), "C_CreateObject") || strings.Contains(string(calls), "C_WrapKey"); tried != want.extractable {
					t.Errorf("%v: whether a way out was tried: %v", args, tried)
				}
				// What the token answered is the evidence.
				if answers, _ := r.document.Reasons[0].Evidence["answers"].([]any); want.extractable && (len(answers) == 0 || !strings.Contains(fmt.Sprint(answers), "CKR_")) {
					t.Errorf("the evidence is %v", r.document.Reasons[0].Evidence)
				}
			}
		})
	}
	t.Run("request", func(t *testing.T) { p.testRequest(t, "imported rsa", pin) })
}

// testRequest has the TPM make a key, which is asked for in the way that it takes, and promises no backup of one that it would not let
// go either.
func (p *tpm) testRequest(t *testing.T, label, pin string) {
	t.Helper()
	request := func(args ...string) *result {
		return p11bridge(t, p.environment, append([]string{"request", label, "--module", p.module, "--token", "tpm", "--pin-source", "file:" + pin}, args...)...)
	}
	const noPromise = "a key made with --exportable could not leave it either"
	for name, args := range map[string][]string{"dry run": {"--dry-run"}, "same key": {"--same-key", "-o", p.path("same.csr")}, "new key": {"-o", p.path("new.csr"), "--label", "new"}} {
		r := request(args...)
		if promised := strings.Contains(r.stdout, "with --exportable."); r.code != 0 || promised || name != "same key" && !strings.Contains(r.stdout, noPromise) {
			t.Errorf("%s: exit code %d\n%s%s", name, r.code, r.stdout, r.stderr)
		}
	}
	if _, err := openssl("", "req", "-in", p.path("new.csr"), "-noout", "-verify"); err != nil {
		t.Error(err)
	}
	if r := request("--exportable", "-o", p.path("no.csr"), "--label", "no"); r.code != 1 || !strings.Contains(r.stderr, "Leave --exportable out") {
		t.Errorf("--exportable: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	absent(t, p.path("no.csr"))
}
