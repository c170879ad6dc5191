package softhsmtests

import (
	"crypto"
	"crypto/elliptic"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openCryptoki is the software token of openCryptoki. It wraps RSA keys with CKM_AES_CBC_PAD and signs with CKM_RSA_PKCS alone;
// old releases know no elliptic curves, and keep such keys all the same.
type openCryptoki struct {
	directory string
	module    string
	pin       string // a file
	password  string // a file, for PFX files
}

// The token takes PINs of four to eight characters.
const (
	openCryptokiPIN   = "42161780"
	openCryptokiSOPIN = "76543210"
)

// withOpenCryptoki runs the test in namespaces with a slot daemon of its own: pkcsslotd is one for the whole machine, has its
// files in fixed places, and serves the group pkcs11 and root.
func withOpenCryptoki(t *testing.T, work func(*openCryptoki)) {
	t.Helper()
	if os.Getenv(namespaced) != t.Name() {
		passesWithin(t, unix.CLONE_NEWNS|unix.CLONE_NEWIPC,
			"mount --make-rprivate /",
			"mount -t tmpfs -o mode=0755 run /run",
			"mount -t tmpfs -o mode=1777 shm /dev/shm",
			"mount -t tmpfs -o mode=0770 tokens /var/lib/opencryptoki",
			"test ! -d /var/log/opencryptoki || mount -t tmpfs -o mode=0770 log /var/log/opencryptoki",
			"mkdir -p /run/lock/opencryptoki/swtok /run/opencryptoki /var/lib/opencryptoki/swtok/TOK_OBJ",
			// Who owns what openCryptoki works with is this namespace's root, the only user that it has.
			"sed 's/^pkcs11:x:[0-9]*:/pkcs11:x:0:/' /etc/group > /dev/shm/group",
			"sed 's/^pkcsslotd:x:[0-9]*:[0-9]*:/pkcsslotd:x:0:0:/' /etc/passwd > /dev/shm/passwd",
			"mkdir /dev/shm/etc",
			"cp /etc/opencryptoki/opencryptoki.conf /dev/shm/etc",
			"echo 'version strength-0\nstrength 112 { MOD_EXP = 2048 ECC = 224 SYMMETRIC = 112 digest = 224 signature = 112 }' > /dev/shm/etc/strength.conf",
			"chmod 0640 /dev/shm/etc/strength.conf",
			"mount --bind /dev/shm/group /etc/group",
			"mount --bind /dev/shm/passwd /etc/passwd",
			"mount --bind /dev/shm/etc /etc/opencryptoki",
		)
		return
	}
	work(newOpenCryptoki(t))
}

func newOpenCryptoki(t *testing.T) *openCryptoki {
	t.Helper()
	directory := t.TempDir()
	o := &openCryptoki{
		directory: directory, module: library(t, "opencryptoki/libopencryptoki.so.0"),
		pin: write(t, directory, "pin.txt", []byte(openCryptokiPIN+"\n")), password: write(t, directory, "password.txt", []byte(testPassword+"\n")),
	}
	server(t, []string{"LD_PRELOAD=" + compile(t, "pkcsslotd.c", "pkcsslotd.so", "-shared", "-fPIC", "-ldl")}, "pkcsslotd", "-f")
	eventually(t, "pkcsslotd", func() error {
		_, err := foreign(directory, nil, "pkcsconf", "-t", "-c", "3")
		return err
	})
	const born = "87654321" // the SO PIN of every new token
	initialize := exec.Command("pkcsconf", "-I", "-c", "3")
	initialize.Stdin = strings.NewReader(born + "\ntest\n")
	if out, err := initialize.CombinedOutput(); err != nil {
		t.Fatalf("pkcsconf -I: %v\n%s", err, out)
	}
	mustForeign(t, directory, "pkcsconf", "-c", "3", "-P", "-S", born, "-n", openCryptokiSOPIN)
	mustForeign(t, directory, "pkcsconf", "-c", "3", "-u", "-S", openCryptokiSOPIN, "-n", openCryptokiPIN)
	return o
}

func (o *openCryptoki) file(name string) string { return filepath.Join(o.directory, name) }

// run runs a command of the product on the token.
func (o *openCryptoki) run(t *testing.T, command string, args ...string) *result {
	t.Helper()
	return p11bridge(t, nil, append([]string{command, "--module", o.module, "--token", "test", "--json", "--pin-source", "file:" + o.pin}, args...)...)
}

func (o *openCryptoki) passwordSource() []string {
	return []string{"--password-source", "file:" + o.password, "--iterations", "1000"}
}

// knowsEC reports whether the token signs with elliptic curves, which depends on its release.
func (o *openCryptoki) knowsEC(t *testing.T) bool {
	t.Helper()
	return strings.Contains(mustForeign(t, o.directory, "pkcs11-tool", "--module", o.module, "--list-mechanisms"), "ECDSA")
}

// TestOpenCryptoki has the main commands work on a token that hashes nothing itself and invents where its keys come from.
func TestOpenCryptoki(t *testing.T) {
	t.Parallel()
	withOpenCryptoki(t, func(o *openCryptoki) {
		for label, key := range map[string]crypto.Signer{"rsa": newRSA(t), "locked": newRSA(t)} {
			file := issue(t, o.directory, label, key).pkcs12(t)
			policy := []string{"--exportable"}
			if label == "locked" {
				policy = nil
			}
			r := p11bridge(t, nil, append([]string{"restore", file, "--module", o.module, "--token", "test", "--json", "--pin-source", "file:" + o.pin, "--password-source", "file:" + o.password}, policy...)...)
			if r.code != 0 {
				t.Fatalf("restore %s: exit code %d\n%s%s", label, r.code, r.stdout, r.stderr)
			}
		}
		t.Run("rsa", o.testRSA)
		t.Run("locked", o.testLocked)
		t.Run("request", o.testRequest)
		t.Run("ec", o.testEC)
	})
}

// testRSA takes a key out, holds the copy against the token, destroys the key, and puts it back.
func (o *openCryptoki) testRSA(t *testing.T) {
	if v := o.run(t, "list").identity(t, "rsa").Verdict; !v.Exportable || v.Method != "shroud" {
		t.Errorf("the verdict is %+v", v)
	}
	file := o.file("rsa-copy.pfx")
	o.run(t, "export", append(o.passwordSource(), "rsa", "-o", file)...).exported(t, "shroud", "token-signature")
	if err := opensslOpens(file, o.password, false); err != nil {
		t.Error(err)
	}
	if r := o.run(t, "verify", file, "--against", "rsa", "--password-source", "file:"+o.password); r.code != 0 || !r.document.Valid {
		t.Errorf("verify --against: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	backups := o.disk(t)
	if r := o.run(t, "export", append(o.passwordSource(), "--all", "--dir", backups)...); r.code != 0 {
		t.Errorf("export --all: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := o.run(t, "status", "--dir", backups); r.code != 0 {
		t.Errorf("status: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	kept := filepath.Join(backups, "last.pfx")
	o.run(t, "export", append(o.passwordSource(), "rsa", "-o", kept, "--delete-key", "--yes")...).exported(t, "shroud", "token-signature")
	if o.run(t, "list").identity(t, "rsa").PrivateKey != nil {
		t.Error("the key is still there")
	}
	if r := o.run(t, "restore", kept, "--exportable", "--password-source", "file:"+o.password); r.code != 0 {
		t.Errorf("restore: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if o.run(t, "list").identity(t, "rsa").PrivateKey == nil {
		t.Error("the key is not there again")
	}
}

// disk is a directory on a real medium: a backup counts only there.
func (o *openCryptoki) disk(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp(disk, "p11bridge-opencryptoki-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	return directory
}

// testLocked is about a key that was imported. What this token says of a key's origin depends on the call that brought it.
func (o *openCryptoki) testLocked(t *testing.T) {
	identity := o.run(t, "list").identity(t, "locked")
	codes := codesOf(identity.Verdict.Reasons)
	if identity.Verdict.Exportable || codes[0] != "key-not-extractable" || !slices.Contains(codes, "origin-unknown") || slices.Contains(codes, "key-generated-on-token") {
		t.Errorf("the verdict is %+v", identity.Verdict)
	}
	file := o.file("locked-copy.pfx")
	o.run(t, "export", append(o.passwordSource(), "locked", "-o", file)...).refused(t, "key-not-extractable", file)
}

// testRequest has the token generate a key and sign with it, and sign with the one that is there.
func (o *openCryptoki) testRequest(t *testing.T) {
	for name, args := range map[string][]string{"new": {"--exportable", "--label", "renewed"}, "same": {"--same-key"}} {
		file := o.file(name + ".csr")
		if r := o.run(t, "request", append([]string{"rsa", "-o", file}, args...)...); r.code != 0 {
			t.Errorf("request %v: exit code %d\n%s%s", args, r.code, r.stdout, r.stderr)
			continue
		}
		if _, err := openssl("", "req", "-in", file, "-noout", "-verify"); err != nil {
			t.Error(err)
		}
	}
}

// testEC is about a key that the token stores, and in some releases cannot use.
func (o *openCryptoki) testEC(t *testing.T) {
	file := issue(t, o.directory, "ec", newEC(t, elliptic.P256())).pkcs12(t)
	rehearsed := o.run(t, "restore", file, "--exportable", "--dry-run", "--password-source", "file:"+o.password)
	r := o.run(t, "restore", file, "--exportable", "--password-source", "file:"+o.password)
	if !o.knowsEC(t) && rehearsed.document.Method != r.document.Method {
		t.Errorf("a dry run has %q, and the restore %q", rehearsed.document.Method, r.document.Method)
	}
	copied := o.file("ec-copy.pfx")
	export := o.run(t, "export", append(o.passwordSource(), "ec", "-o", copied)...)
	verdict := o.run(t, "list").identity(t, "ec").Verdict
	if o.knowsEC(t) {
		if r.code != 0 {
			t.Errorf("restore: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		export.exported(t, "shroud", "token-signature")
		if !verdict.Exportable {
			t.Errorf("the verdict is %+v", verdict)
		}
		return
	}
	if codes := codesOf(r.document.Reasons); r.code != 5 || !slices.Contains(codes, "restored-unproven") { // the token will not sign with it
		t.Errorf("restore: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	export.refused(t, "wrap-refused", copied)
	if !strings.Contains(export.stderr, "p11bridge request ec -o ec.csr --key-type rsa2048") { // of its own kind the token makes none
		t.Errorf("the command that comes next:\n%s", export.stderr)
	}
	if verdict.Exportable || codesOf(verdict.Reasons)[0] != "wrap-refused" {
		t.Errorf("the verdict is %+v, and the export is refused", verdict)
	}
	if against := o.run(t, "verify", file, "--against", "ec", "--password-source", "file:"+o.password); against.code != 5 {
		t.Errorf("verify --against: exit code %d\n%s%s", against.code, against.stdout, against.stderr)
	}
}
