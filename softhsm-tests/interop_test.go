package softhsmtests

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// interopTools are the programs of the table, in the order of its columns. Every one of them reads a file that
// p11bridge export wrote, checks what it shows of it, and writes a file of its own for p11bridge verify.
var interopTools = []interopTool{
	{"openssl", []string{"openssl", "version"}, regexp.MustCompile(`OpenSSL (\d+\.\d+)`), "key, chain, names, localKeyID", "", throughOpenSSL},
	{"keytool", []string{"keytool", "-J-version"}, regexp.MustCompile(`version "(\d+)`), "key, chain, alias", "plain words", throughKeytool},
	{"pk12util", []string{"dpkg-query", "-W", "-f", "${Version}", "libnss3"}, regexp.MustCompile(`2?:?(\d+\.\d+)`), "key, chain, names", "", throughNSS},
	{"certtool", []string{"certtool", "--version"}, regexp.MustCompile(`certtool (\d+\.\d+\.\d+)`), "key, chain, names, localKeyID", "", throughGnuTLS},
	{"go-pkcs12", nil, nil, "key, chain", "", throughGo},
}

type interopTool struct {
	name    string
	version []string
	number  *regexp.Regexp
	checked string
	// own is the password that the tool writes with; empty: the one of the file that it read.
	own string
	// through reads the file and gives one of the tool's own, with the same contents.
	through func(t *testing.T, c interopCase) (written string, err error)
}

// interopCase is one file of ours, in a directory for one tool.
type interopCase struct {
	directory string
	file      string
	password  string
	returned  string // the password that the tool writes with
	name      string // friendlyName of key and certificate
	authority string // friendlyName of the certificate above
	id        string // localKeyID, hexadecimal
	profile   string
}

var interopNames = map[string]string{"RSA": "schlüssel rsa", "P-256": "clé p-256", "P-384": "clau àèò", "Ed25519": "ñandú ed25519"}

const interopAuthority = "prüfstelle"

const interopSpecimens = `token "interop"
label="prüfstelle" id=CA certificate=ca nokey
label="schlüssel rsa" id=0A01 key=rsa2048 policy=wrappable certificate=valid
label="clé p-256" id=0A02 key=p256 policy=wrappable certificate=valid
label="clau àèò" id=0A03 key=p384 policy=readable certificate=valid
label="ñandú ed25519" id=0A04 key=ed25519 policy=readable certificate=valid
`

// knowsPBMAC1 is the first version of each program that is known to read the MAC of RFC 9579. Of NSS only 3.87, which does
// not, and 3.110, which does, were measured.
var knowsPBMAC1 = map[string]string{"openssl": "3.4", "keytool": "26", "pk12util": "3.110", "certtool": "3.8.8"}

// cannot says why a tool of this version cannot open a file. The run must then fail; that it works is a failure, too,
// because the table would no longer be true.
func cannot(tool, version, kind, profile, password string) string {
	first, later := knowsPBMAC1[tool]
	switch {
	case tool == "pk12util" && kind == "Ed25519":
		return "NSS imports no Ed25519 key"
	case profile == "pbmac1" && later && older(version, first):
		return map[string]string{
			"openssl": "RFC 9579 from OpenSSL 3.4 on", "keytool": "RFC 9579 from Java 26 on",
			"pk12util": "this NSS has no RFC 9579", "certtool": "this GnuTLS has no RFC 9579",
		}[tool]
	case tool == "keytool" && !isASCII(password):
		return "Java takes ASCII passwords only"
	}
	return ""
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > 0x7F })
}

// before compares two versions, number by number.
func older(version, other string) bool {
	numbers := func(text string) (list []int) {
		for part := range strings.SplitSeq(text, ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				return nil
			}
			list = append(list, n)
		}
		return list
	}
	return slices.Compare(numbers(version), numbers(other)) < 0
}

// measure asks the tool for its version.
func (tool interopTool) measure(t *testing.T) (version string) {
	t.Helper()
	if tool.version == nil {
		return ""
	}
	out := mustForeign(t, ".", tool.version[0], tool.version[1:]...)
	match := tool.number.FindStringSubmatch(out)
	if match == nil {
		t.Fatalf("%s has no version in %q", tool.name, out)
	}
	return match[1]
}

type interopRow struct{ kind, profile, password string }

// TestInteropLong writes files by the command line, has every other reader open them, and verifies what the others write. Its
// result is the table of docs/interop.md.
func TestInteropLong(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if err := runMktoken(write(t, directory, "specimens", []byte(interopSpecimens)), filepath.Join(directory, "token")); err != nil {
		t.Fatal(err)
	}
	const plain, other = "correct horse", "pässwörd €"
	var rows []interopRow
	for _, profile := range []string{"modern", "pbmac1", "legacy"} {
		for _, kind := range []string{"RSA", "P-256", "P-384", "Ed25519"} {
			rows = append(rows, interopRow{kind, profile, plain})
		}
	}
	rows = append(rows, interopRow{"P-256", "modern", other}, interopRow{"P-256", "legacy", other})
	columns := make([]interopColumn, len(interopTools))
	for n, tool := range interopTools {
		columns[n] = newInteropColumn(tool, tool.measure(t), len(rows))
	}
	t.Run("cells", func(t *testing.T) {
		for i, row := range rows {
			place := filepath.Join(directory, fmt.Sprint(i))
			if err := os.Mkdir(place, 0o700); err != nil {
				t.Fatal(err)
			}
			c := interopExport(t, directory, place, row)
			for n, tool := range interopTools {
				t.Run(fmt.Sprintf("%s %s %s %s", tool.name, row.kind, row.profile, row.password), func(t *testing.T) {
					t.Parallel()
					columns[n].read[i], columns[n].written[i] = tool.cells(t, c, row, columns[n].version)
				})
			}
		}
	})
	if t.Failed() {
		return
	}
	checkInteropDocument(t, rows, columns)
}

// interopExport writes the row's file by the command line.
func interopExport(t *testing.T, directory, place string, row interopRow) interopCase {
	t.Helper()
	c := interopCase{
		directory: place, file: filepath.Join(place, "ours.p12"), password: row.password, name: interopNames[row.kind], authority: interopAuthority, profile: row.profile,
	}
	token := filepath.Join(directory, "token")
	environment := []string{"SOFTHSM2_CONF=" + filepath.Join(token, "softhsm2.conf")}
	common := []string{"--module", softHSM(t), "--token", "interop", "--json", "--pin-source", "file:" + filepath.Join(token, "pin.txt")}
	c.id = p11bridge(t, environment, append([]string{"list"}, common...)...).identity(t, c.name).ID
	r := p11bridge(t, environment, append([]string{"export", c.name, "-o", c.file, "--profile", row.profile, "--iterations", "2000",
		"--password-source", "file:" + write(t, place, "password.txt", []byte(row.password+"\n"))}, common...)...)
	if d := r.document; r.code != 0 || !d.Verified || d.Name != c.name || d.ChainSize != 1 || c.id == "" {
		t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	return c
}

// cells are what the table says of one tool and one of our files: whether the tool reads it, and whether we read what the
// tool then writes.
func (tool interopTool) cells(t *testing.T, c interopCase, row interopRow, version string) (read, written string) {
	t.Helper()
	why := cannot(tool.name, version, row.kind, row.profile, row.password)
	c.directory, c.returned = filepath.Join(c.directory, tool.name), c.password
	if tool.own != "" {
		c.returned = tool.own
	}
	if err := os.Mkdir(c.directory, 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := tool.through(t, c)
	switch {
	case why != "" && err == nil:
		t.Fatalf("it works, although %q is to say why not", why)
	case why != "":
		return "no: " + why, "–"
	case err != nil:
		t.Fatal(err)
	}
	r := p11bridge(t, nil, "verify", file, "--json", "--password-source", "file:"+write(t, c.directory, "password.txt", []byte(c.returned+"\n")))
	if d := r.document; r.code != 0 || !d.Valid || !d.HasKey || d.KeyMatches == nil || !*d.KeyMatches || d.Others != 1 {
		t.Fatalf("verify: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	switch r.document.Name {
	case c.name:
		return "yes", "yes"
	case "":
		return "yes", "yes, without a name"
	case latin1AsUTF8(c.name):
		return "yes", "yes, the name as bytes of UTF-8"
	}
	t.Fatalf("the name has become %q", r.document.Name)
	return "", ""
}

// latin1AsUTF8 is what comes of a name when the bytes of its UTF-8 are taken for characters.
func latin1AsUTF8(name string) string {
	var runes []rune
	for _, b := range []byte(name) {
		runes = append(runes, rune(b))
	}
	return string(runes)
}

// found is what a tool shows of a file.
type found struct {
	key          any
	certificates []*x509.Certificate
}

// pemIn reads the PEM blocks in openssl's output.
func pemIn(text string) (f found, err error) {
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			f.key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "CERTIFICATE":
			var certificate *x509.Certificate
			certificate, err = x509.ParseCertificate(block.Bytes)
			f.certificates = append(f.certificates, certificate)
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// check wants the key with its certificate, and the one above it.
func (f found) check(c interopCase) error {
	signer, ok := f.key.(crypto.Signer)
	if !ok {
		return fmt.Errorf("a key of type %T", f.key)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || len(f.certificates) != 2 {
		return fmt.Errorf("%d certificates", len(f.certificates))
	}
	leaf, above := f.certificates[0], f.certificates[1]
	if leaf.IsCA {
		leaf, above = above, leaf
	}
	if !public.Equal(leaf.PublicKey) || leaf.Subject.CommonName != c.name {
		return fmt.Errorf("the key is not that of %s", leaf.Subject)
	}
	return leaf.CheckSignatureFrom(above)
}

// wants looks for lines in a tool's output, each as often as given.
func wants(text string, lines map[string]int) error {
	for line, times := range lines {
		if n := strings.Count(text, line); n != times {
			return fmt.Errorf("%d times %q instead of %d in\n%s", n, line, times, text)
		}
	}
	return nil
}

func (c interopCase) own(name string) string { return filepath.Join(c.directory, name) }

func throughOpenSSL(t *testing.T, c interopCase) (string, error) {
	t.Helper()
	text, err := foreign(c.directory, nil, "openssl", "pkcs12", "-in", c.file, "-passin", "pass:"+c.password, "-nodes")
	if err != nil {
		return "", err
	}
	f, err := pemIn(text)
	if err != nil {
		return "", err
	}
	var spaced []string
	for pair := range slices.Chunk([]byte(strings.ToUpper(c.id)), 2) {
		spaced = append(spaced, string(pair))
	}
	latin1 := func(name string) string {
		var b []byte
		for _, r := range name {
			b = append(b, byte(r))
		}
		return string(b)
	}
	if err := errors.Join(f.check(c), wants(text, map[string]int{
		"friendlyName: " + latin1(c.name) + "\n": 2, "friendlyName: " + latin1(c.authority) + "\n": 1, "localKeyID: " + strings.Join(spaced, " "): 2,
	})); err != nil {
		return "", err
	}
	_, err = foreign(c.directory, nil, "openssl", "pkcs12", "-export", "-in", write(t, c.directory, "all.pem", []byte(text)), "-name", c.name,
		"-passout", "pass:"+c.password, "-out", "theirs.p12")
	return c.own("theirs.p12"), err
}

func throughKeytool(t *testing.T, c interopCase) (string, error) {
	t.Helper()
	_, err := foreign(c.directory, []string{"JAVA_TOOL_OPTIONS=-Dfile.encoding=UTF-8 -Dsun.jnu.encoding=UTF-8 -XX:TieredStopAtLevel=1"}, "keytool", "-importkeystore", "-noprompt",
		"-srckeystore", c.file, "-srcstoretype", "PKCS12", "-srcstorepass", c.password, "-srcalias", c.name,
		"-destkeystore", "theirs.p12", "-deststoretype", "PKCS12", "-deststorepass", c.returned)
	if err != nil {
		return "", err
	}
	return c.own("theirs.p12"), c.checkCopy("theirs.p12")
}

// checkCopy opens with openssl what a tool wrote that prints no key.
func (c interopCase) checkCopy(file string) error {
	text, err := foreign(c.directory, nil, "openssl", "pkcs12", "-in", file, "-passin", "pass:"+c.returned, "-nodes")
	if err != nil {
		return err
	}
	f, err := pemIn(text)
	if err != nil {
		return err
	}
	return f.check(c)
}

func throughNSS(t *testing.T, c interopCase) (string, error) {
	t.Helper()
	if err := os.Mkdir(c.own("db"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := foreign(c.directory, nil, "certutil", "-N", "-d", "sql:db", "--empty-password"); err != nil {
		t.Fatal(err)
	}
	shown, err := foreign(c.directory, nil, "pk12util", "-l", c.file, "-W", c.password)
	if err != nil {
		return "", err
	}
	if err := wants(shown, map[string]int{"Friendly Name: " + c.name + "\n": 2, "Friendly Name: " + c.authority + "\n": 1}); err != nil {
		return "", err
	}
	if _, err := foreign(c.directory, nil, "pk12util", "-i", c.file, "-d", "sql:db", "-W", c.password); err != nil {
		return "", err
	}
	listed, err := foreign(c.directory, nil, "certutil", "-L", "-d", "sql:db")
	if err != nil {
		return "", err
	}
	if err := wants(listed, map[string]int{c.name + " ": 1, c.authority + " ": 1}); err != nil {
		return "", err
	}
	if _, err := foreign(c.directory, nil, "pk12util", "-o", "theirs.p12", "-n", c.name, "-d", "sql:db", "-W", c.password); err != nil {
		return "", err
	}
	return c.own("theirs.p12"), c.checkCopy("theirs.p12")
}

func throughGnuTLS(t *testing.T, c interopCase) (string, error) {
	t.Helper()
	text, err := foreign(c.directory, nil, "certtool", "--p12-info", "--inder", "--infile", c.file, "--password", c.password)
	if err != nil {
		return "", err
	}
	var colons []string
	for pair := range slices.Chunk([]byte(strings.ToUpper(c.id)), 2) {
		colons = append(colons, string(pair))
	}
	if err := wants(text, map[string]int{
		"Friendly name: " + c.name + "\n": 2, "Friendly name: " + c.authority + "\n": 1, "Key ID: " + strings.Join(colons, ":"): 2,
	}); err != nil {
		return "", err
	}
	var keys, certificates []byte // the key is as encrypted as in the file
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			certificates = append(certificates, pem.EncodeToMemory(block)...)
		} else {
			keys = append(keys, pem.EncodeToMemory(block)...)
		}
	}
	_, err = foreign(c.directory, nil, "certtool", "--to-p12", "--load-privkey", write(t, c.directory, "key.pem", keys), "--load-certificate",
		write(t, c.directory, "chain.pem", certificates), "--p12-name", c.name, "--password", c.password, "--outder", "--outfile", "theirs.p12")
	if err != nil {
		return "", err
	}
	return c.own("theirs.p12"), c.checkCopy("theirs.p12")
}

func throughGo(t *testing.T, c interopCase) (string, error) {
	t.Helper()
	file, err := os.ReadFile(c.file)
	if err != nil {
		t.Fatal(err)
	}
	key, leaf, above, err := pkcs12.DecodeChain(file, c.password)
	if err != nil {
		return "", err
	}
	if err := (found{key, append([]*x509.Certificate{leaf}, above...)}).check(c); err != nil {
		return "", err
	}
	again, err := pkcs12.Modern2023.WithRand(rand.Reader).Encode(key, leaf, above, c.password)
	if err != nil {
		return "", err
	}
	return write(t, c.directory, "theirs.p12", again), nil
}
