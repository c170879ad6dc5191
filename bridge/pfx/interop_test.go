package pfx

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// run executes a foreign tool. A tool that is missing is a failure: a green run must have seen it.
func run(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is needed (Debian: openssl, openjdk-17-jre-headless, libnss3-tools, gnutls-bin): %v", name, err)
	}
	command := exec.Command(path, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "JAVA_TOOL_OPTIONS=-Dfile.encoding=UTF-8 -Dsun.jnu.encoding=UTF-8 -XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
	output, err := command.CombinedOutput()
	if err != nil {
		return string(output), fmt.Errorf("%s: %w: %s", name, err, output)
	}
	return string(output), nil
}

// foreignTool reads in.p12, which we wrote, and writes what it found to out.p12 in its own way.
type foreignTool func(t *testing.T, dir, password, name string) error

func throughOpenSSL(t *testing.T, dir, password, name string) error {
	text, err := run(t, dir, "openssl", "pkcs12", "-in", "in.p12", "-passin", "pass:"+password, "-nodes", "-legacy")
	if err != nil {
		return err
	}
	// OpenSSL 3.0 prints a friendlyName in Latin-1.
	var latin1 []byte
	for _, r := range name {
		latin1 = append(latin1, byte(r))
	}
	if !strings.Contains(text, "friendlyName: "+string(latin1)+"\n") {
		return fmt.Errorf("no friendly name in %q", text)
	}
	must(t, os.WriteFile(filepath.Join(dir, "all.pem"), []byte(text), 0o600))
	_, err = run(t, dir, "openssl", "pkcs12", "-export", "-in", "all.pem", "-name", name, "-passout", "pass:"+password, "-out", "out.p12")
	return err
}

func throughKeytool(t *testing.T, dir, password, name string) error {
	_, err := run(t, dir, "keytool", "-importkeystore", "-noprompt", "-srckeystore", "in.p12", "-srcstoretype", "PKCS12", "-srcstorepass", password,
		"-srcalias", name, "-destkeystore", "out.p12", "-deststoretype", "PKCS12", "-deststorepass", password)
	return err
}

func throughNSS(t *testing.T, dir, password, name string) error {
	must(t, os.Mkdir(filepath.Join(dir, "db"), 0o700))
	_, err := run(t, dir, "certutil", "-N", "-d", "sql:db", "--empty-password")
	must(t, err)
	if _, err := run(t, dir, "pk12util", "-i", "in.p12", "-d", "sql:db", "-W", password); err != nil {
		return err
	}
	_, err = run(t, dir, "pk12util", "-o", "out.p12", "-n", name, "-d", "sql:db", "-W", password)
	return err
}

func throughGnuTLS(t *testing.T, dir, password, name string) error {
	text, err := run(t, dir, "certtool", "--p12-info", "--inder", "--infile", "in.p12", "--password", password)
	if err != nil {
		return err
	}
	if !strings.Contains(text, "Friendly name: "+name) {
		return fmt.Errorf("no friendly name in %q", text)
	}
	var keys, certificates []byte
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			certificates = append(certificates, pem.EncodeToMemory(block)...)
		} else {
			keys = append(keys, pem.EncodeToMemory(block)...)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "key.pem"), keys, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "chain.pem"), certificates, 0o600))
	_, err = run(t, dir, "certtool", "--to-p12", "--load-privkey", "key.pem", "--load-certificate", "chain.pem", "--p12-name", name,
		"--password", password, "--outder", "--outfile", "out.p12")
	return err
}

// One cell in six goes both ways, of every tool: we write, the tool reads and writes again, we read that.
func TestForeignToolsBothWays(t *testing.T) { testForeignTools(t, 6) }

// Every cell goes both ways.
func TestForeignToolsBothWaysLong(t *testing.T) { testForeignTools(t, 1) }

// foreignTools are the programs that read a file and write it anew.
var foreignTools = map[string]foreignTool{"openssl": throughOpenSSL, "keytool": throughKeytool, "pk12util": throughNSS, "certtool": throughGnuTLS}

// foreignCell is one file that goes through one program.
type foreignCell struct {
	tool     string
	profile  Profile
	kind     string
	password string
	// fails says why the tool cannot read the file; the run must fail then.
	fails string
	// mayFail says from which version on the tool reads the file. Which versions do is measured by the command line
	// (docs/interop.md).
	mayFail string
}

func foreignCells() []foreignCell {
	var cells []foreignCell
	for _, tool := range slices.Sorted(maps.Keys(foreignTools)) {
		for _, kind := range []string{"RSA", "P-256", "P-384", "Ed25519"} {
			fails := ""
			if tool == "pk12util" && kind == "Ed25519" {
				fails = "NSS imports no Ed25519 keys"
			}
			cells = append(cells, foreignCell{tool, Modern, kind, "test123", fails, ""})
		}
		recent := map[string]string{"openssl": "OpenSSL 3.4", "keytool": "Java 26", "pk12util": "NSS 3.110", "certtool": "GnuTLS 3.8.8"}
		cells = append(cells,
			foreignCell{tool, Legacy, "RSA", "test123", "", ""},
			foreignCell{tool, Legacy, "P-256", "test123", "", ""},
			foreignCell{tool, PBMAC1, "P-256", "test123", "", recent[tool]},
			foreignCell{tool, Modern, "P-256", "pässwörd €", map[string]string{"keytool": "Java takes ASCII passwords only for PBES2"}[tool], ""},
		)
	}
	return cells
}

func testForeignTools(t *testing.T, every int) {
	t.Helper()
	cells := foreignCells()
	for i := 0; i < len(cells); i += every {
		c := cells[i]
		t.Run(fmt.Sprintf("%s %s %s %s", c.tool, c.profile, c.kind, c.password), func(t *testing.T) {
			t.Parallel()
			c.test(t)
		})
	}
}

func (c foreignCell) test(t *testing.T) {
	t.Helper()
	const name = "schlüssel"
	dir := t.TempDir()
	id := newIdentity(t, c.kind)
	must(t, os.WriteFile(filepath.Join(dir, "in.p12"), encode(t, id.contents(name), c.password, c.profile), 0o600))
	err := foreignTools[c.tool](t, dir, c.password, name)
	if c.fails != "" {
		if err == nil {
			t.Errorf("works, although %s", c.fails)
		}
		return
	}
	if c.mayFail != "" && err != nil {
		t.Logf("read from %s on: %v", c.mayFail, err)
		return
	}
	must(t, err)
	file, err := os.ReadFile(filepath.Join(dir, "out.p12"))
	must(t, err)
	returned := name
	if c.tool == "certtool" {
		returned = "schl\u00c3\u00bcssel" // GnuTLS 3.7 takes the bytes of UTF-8 for characters
	}
	checkReturned(t, decode(t, file, c.password), id, returned)
}

// checkReturned checks key, chain, alias and localKeyID of what came back.
func checkReturned(t *testing.T, got *Contents, id identity, name string) {
	t.Helper()
	if len(got.Keys) != 1 || !samePKCS8(t, got.Keys[0].PKCS8, id.pkcs8) {
		t.Fatalf("keys: %d", len(got.Keys))
	}
	pair := Match(got, comparer(got))[0]
	if pair.LinkedBy != LinkedByPublicKey || len(got.Certificates) != 2 {
		t.Fatalf("pair %+v among %d certificates", pair, len(got.Certificates))
	}
	leaf, authority := got.Certificates[pair.Certificate], got.Certificates[1-pair.Certificate]
	if !bytes.Equal(leaf.DER, id.leaf) || !bytes.Equal(authority.DER, id.authority) {
		t.Error("other certificates")
	}
	if got.Keys[0].FriendlyName != name || leaf.FriendlyName != name {
		t.Errorf("names %q and %q", got.Keys[0].FriendlyName, leaf.FriendlyName)
	}
	if len(leaf.LocalKeyID) == 0 || !bytes.Equal(leaf.LocalKeyID, got.Keys[0].LocalKeyID) {
		t.Errorf("local key ids %x and %x", leaf.LocalKeyID, got.Keys[0].LocalKeyID)
	}
}

// NSS writes 600,000 iterations. NSS 3.87 was seen to import 10,000,000, so that nothing keeps us below its own count.
func TestNSSReadsMoreIterationsThanItWritesLong(t *testing.T) {
	dir := t.TempDir()
	contents := newIdentity(t, "P-256").contents("name")
	file, err := Encode(context.Background(), seeded(1), contents, []byte("test"), Options{Profile: Modern, Iterations: DefaultIterations + 1})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "in.p12"), file, 0o600))
	must(t, throughNSS(t, dir, "test", "name"))
}

// OpenSSL prints the localKeyID that we wrote, and knows a wrong password for what it is.
func TestOpenSSLSeesTheLocalKeyID(t *testing.T) {
	dir := t.TempDir()
	id := newIdentity(t, "P-256")
	must(t, os.WriteFile(filepath.Join(dir, "in.p12"), encode(t, id.contents("name"), "test", Modern), 0o600))
	text, err := run(t, dir, "openssl", "pkcs12", "-in", "in.p12", "-passin", "pass:test", "-nodes")
	must(t, err)
	spaced := strings.ToUpper(strings.TrimSpace(spaces(hex.EncodeToString(id.localKeyID))))
	if strings.Count(text, "localKeyID: "+spaced) != 2 {
		t.Errorf("not %s twice in %s", spaced, text)
	}
	if _, err := run(t, dir, "openssl", "pkcs12", "-in", "in.p12", "-passin", "pass:wrong", "-nodes"); err == nil {
		t.Error("a wrong password opens the file")
	}
}

func spaces(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i += 2 {
		b.WriteString(text[i:i+2] + " ")
	}
	return b.String()
}

// OpenSSL shrouds a key in every way it knows, and reads what we shroud in every way that we can.
func TestShroudedByOpenSSL(t *testing.T) {
	dir := t.TempDir()
	id := newIdentity(t, "P-256")
	must(t, os.WriteFile(filepath.Join(dir, "key.der"), id.pkcs8, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "password"), []byte("pass word"), 0o600))
	type scheme struct {
		args []string
		name string
	}
	var schemes []scheme
	for _, prf := range digests {
		if prf.name == "MD5" || strings.HasPrefix(prf.name, "SHA3") {
			continue
		}
		for _, c := range append(slices.Clone(pbes2Ciphers), *rc2CBC(16, 128)) {
			option, is := map[string]string{"DES-EDE3-CBC": "des3", "DES-CBC": "des", "RC2-CBC": "rc2-cbc"}[c.name]
			if !is {
				option = strings.ToLower(c.name)
			}
			schemes = append(schemes, scheme{
				[]string{"-v2", option, "-v2prf", "hmacWith" + strings.NewReplacer("SHA-", "SHA", "/", "-").Replace(prf.name)},
				"PBES2 PBKDF2-HMAC-" + prf.name + " " + c.name,
			})
		}
	}
	for option, name := range map[string]string{
		"PBE-SHA1-3DES": tripleDES, "PBE-SHA1-2DES": doubleDES, "PBE-SHA1-RC2-128": rc2With128, "PBE-SHA1-RC2-40": rc2With40,
		"PBE-SHA1-RC4-128": "pbeWithSHAAnd128BitRC4", "PBE-SHA1-RC4-40": "pbeWithSHAAnd40BitRC4",
		"PBE-MD5-DES": "pbeWithMD5AndDES-CBC", "PBE-SHA1-DES": "pbeWithSHA1AndDES-CBC",
		"PBE-MD5-RC2-64": "pbeWithMD5AndRC2-CBC", "PBE-SHA1-RC2-64": "pbeWithSHA1AndRC2-CBC",
	} {
		schemes = append(schemes, scheme{[]string{"-v1", option}, name})
	}
	schemes = append(schemes, scheme{[]string{"-scrypt"}, "PBES2 scrypt AES-256-CBC"})
	for _, s := range schemes {
		args := append([]string{"pkcs8", "-topk8", "-inform", "DER", "-in", "key.der", "-outform", "DER", "-out", "shrouded.der",
			"-passout", "file:password", "-provider", "default", "-provider", "legacy", "-iter", "77"}, s.args...)
		if s.args[0] == "-scrypt" {
			args = append(args[:len(args)-3], "-scrypt")
		}
		_, err := run(t, dir, "openssl", args...)
		must(t, err)
		shrouded, err := os.ReadFile(filepath.Join(dir, "shrouded.der"))
		must(t, err)
		file := encode(t, Contents{Keys: []Key{{Shrouded: shrouded}}}, "pass word", Modern)
		got, err := Decode(context.Background(), file, []byte("pass word"), DecodeOptions{})
		if err != nil {
			t.Errorf("%v: %v", s.args, err)
			continue
		}
		iterations := 77
		if s.args[0] == "-scrypt" {
			iterations = 0
		}
		if !bytes.Equal(got.Keys[0].PKCS8, id.pkcs8) || got.Facts.KeyBags[0] != (Protection{s.name, iterations}) {
			t.Errorf("%v: %+v", s.args, got.Facts)
		}
	}
}
