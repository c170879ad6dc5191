package softhsmtests

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// peer is another program that is asked for the key of alice, which may leave the token, but only encrypted.
type peer struct {
	name    string // as README.md names it
	command []string
	code    int
	says    string
	file    string
	exists  bool
}

// TestPeers does what README.md says of other programs: none of them makes a file with the key, and two call that success.
func TestPeers(t *testing.T) {
	t.Parallel()
	p := newPlace(t, `label="alice" id=01 key=rsa2048 policy=wrappable certificate=valid`)
	module := softHSM(t)
	write(t, p.directory, "sun.cfg", []byte("name = test\nlibrary = "+module+"\nslotListIndex = 0\n"))
	write(t, p.directory, "nsspin", []byte(testPIN+"\n"))
	mustForeign(t, p.directory, "mkdir", "nss")
	mustForeign(t, p.directory, "certutil", "-N", "-d", "sql:nss", "--empty-password")
	for _, row := range []peer{
		{"pkcs11-tool", []string{"pkcs11-tool", "--module", module, "--login", "--pin", testPIN, "--read-object", "--type", "privkey", "--id", "01", "--output-file", "key.der"}, 0, "reading private keys not (yet) supported", "key.der", false},
		{"p11tool", []string{"p11tool", "--provider", module, "--login", "--set-pin", testPIN, "--export", "pkcs11:object=alice;type=private", "--outfile", "key.pem"}, 1, "Error", "key.pem", false},
		{"keytool", []string{"keytool", "-importkeystore", "-srckeystore", "NONE", "-srcstoretype", "PKCS11", "-providerClass", "sun.security.pkcs11.SunPKCS11", "-providerArg", "sun.cfg", "-srcstorepass", testPIN,
			"-destkeystore", "key.p12", "-deststoretype", "PKCS12", "-deststorepass", "secret1", "-noprompt"}, 0, "Entry for alias alice not imported.", "key.p12", true},
		{"pk12util", []string{"sh", "-c", `modutil -force -dbdir sql:nss -add soft -libfile "$0" > modutil.txt 2>&1 && exec pk12util -o nss.p12 -n test:alice -d sql:nss -k nsspin -W secret1`, module}, 28, "Unable to export", "nss.p12", false},
	} {
		t.Run(row.name, func(t *testing.T) { row.isAsDescribed(t, p) })
	}
}

// isAsDescribed asks the program, and wants README.md to say what comes of it.
func (row peer) isAsDescribed(t *testing.T, p *place) {
	t.Helper()
	command := exec.Command(row.command[0], row.command[1:]...)
	command.Dir, command.Env = p.directory, append(append(os.Environ(), "LC_ALL=C"), p.environment...)
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if code := command.ProcessState.ExitCode(); code != row.code || !strings.Contains(string(output), row.says) {
		t.Errorf("exit code %d instead of %d\n%s", code, row.code, output)
	}
	file := filepath.Join(p.directory, row.file)
	if _, err := os.Stat(file); (err == nil) != row.exists {
		t.Errorf("%s: %v", row.file, err)
	}
	if row.exists {
		opened, err := exec.Command("openssl", "pkcs12", "-in", file, "-passin", "pass:secret1", "-nodes", "-legacy").CombinedOutput()
		if strings.Contains(string(opened), "PRIVATE KEY") {
			t.Errorf("%s holds the key after all: %v\n%s", row.file, err, opened)
		}
	}
	if !regexp.MustCompile(fmt.Sprintf(`(?m)^\| [^|]*%s \|.* \| %d \| (none|without the key) \|$`, row.name, row.code)).Match(mustRead(t, readme)) {
		t.Errorf("%s has no row for %s with exit code %d", readme, row.name, row.code)
	}
}

// TestPeerXCALong holds what README.md says of XCA, which uses tokens in its window alone: its command line names none, and the program
// has the message for a token's key.
func TestPeerXCALong(t *testing.T) {
	t.Parallel()
	command := exec.Command("xca", "--help")
	command.Env = append(os.Environ(), "XCA_NO_GUI=1", "QT_QPA_PLATFORM=offscreen", "HOME="+t.TempDir())
	help, err := command.CombinedOutput()
	if err != nil || !bytes.Contains(help, []byte("--import")) || regexp.MustCompile(`(?i)token|pkcs.?11|smart ?card`).Match(help) {
		t.Errorf("%v\n%s", err, help)
	}
	path, err := exec.LookPath("xca")
	if err != nil {
		t.Fatal(err)
	}
	const says = "Not possible for a token key"
	program := mustRead(t, path)
	inUTF16 := make([]byte, 0, 2*len(says)) // as Qt may keep it
	for _, c := range []byte(says) {
		inUTF16 = append(inUTF16, c, 0)
	}
	if !bytes.Contains(program, []byte(says)) && !bytes.Contains(program, inUTF16) {
		t.Errorf("%s does not have %q", path, says)
	}
	if !bytes.Contains(mustRead(t, readme), []byte(says)) {
		t.Errorf("%s has no row with %q", readme, says)
	}
}
