package softhsmtests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
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
