package softhsmtests

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// interopPrograms are what people give the file to, beside the readers that write files as well. Each says whether the program takes the file
// and has its key.
var interopPrograms = []interopProgram{
	{"gpgsm", "gpgsm", takenByGPGSM},
	{"curl", "curl", takenByCurl},
	{"OpenVPN", "openvpn", takenByOpenVPN},
	{"strongSwan pki", "strongswan-pki", takenByStrongSwan},
	{"Python cryptography", "python3-cryptography", takenByPython},
	{"nginx, through openssl", "nginx", takenByNginx},
}

type interopProgram struct {
	name, debian string // the package whose version counts
	takes        func(t *testing.T, c interopCase) error
}

var debianVersion = regexp.MustCompile(`^(?:\d+:)?(\d+\.\d+)`)

// programsHeading begins the part of the document that is this test's.
const programsHeading = "\n## Taken by the programs that use it\n"

// TestInteropProgramsLong gives each program a file of each profile and kind of key. Its result is a line of docs/interop.md.
func TestInteropProgramsLong(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if err := runMktoken(write(t, directory, "specimens", []byte(interopSpecimens)), filepath.Join(directory, "token")); err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(interopPrograms))
	for n, program := range interopPrograms {
		version := debianVersion.FindStringSubmatch(mustForeign(t, ".", "dpkg-query", "-W", "-f", "${Version}", program.debian))
		if version == nil {
			t.Fatalf("%s has no version", program.debian)
		}
		lines[n] = "| " + program.name + " " + version[1] + " |"
	}
	for _, profile := range []string{"modern", "pbmac1", "legacy"} {
		for _, kind := range []string{"RSA", "P-256", "Ed25519"} {
			place := filepath.Join(directory, kind+profile)
			if err := os.Mkdir(place, 0o700); err != nil {
				t.Fatal(err)
			}
			c := interopExport(t, directory, place, interopRow{kind, profile, "correct horse"})
			for n, program := range interopPrograms {
				c.directory = filepath.Join(place, fmt.Sprint(n))
				if err := os.Mkdir(c.directory, 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, c.directory, "password.txt", []byte(c.password+"\n"))
				err := program.takes(t, c)
				cell := " yes |"
				if err != nil {
					t.Logf("%s, %s, %s: %v", program.name, kind, profile, err)
					cell = " no |"
				}
				lines[n] += cell
			}
		}
	}
	if !t.Failed() {
		checkProgramLines(t, lines)
	}
}

// checkProgramLines wants the document to have the lines that were measured, or writes them. Lines of other versions stay.
func checkProgramLines(t *testing.T, lines []string) {
	t.Helper()
	kept, err := os.ReadFile(interopDocument)
	if err != nil {
		t.Fatal(err)
	}
	document := strings.Split(string(kept), "\n")
	for _, line := range lines {
		if !strings.Contains(line, " yes |") {
			t.Errorf("it takes nothing at all: %s", line)
		}
		title, _, _ := strings.Cut(line[2:], " |")
		i := slices.IndexFunc(document, func(other string) bool { return strings.HasPrefix(other, "| "+title+" |") })
		switch {
		case i < 0:
			t.Logf("%s has no line of %s: %s", interopDocument, title, line)
		case *update:
			document[i] = line
		case document[i] != line:
			t.Errorf("%s says\n%s\nand measured was\n%s", interopDocument, document[i], line)
		}
	}
	if *update {
		if err := os.WriteFile(interopDocument, []byte(strings.Join(document, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func takenByGPGSM(t *testing.T, c interopCase) error {
	t.Helper()
	home, err := os.MkdirTemp("", "g") // the path of the agent's socket is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(home)
	defer foreign(c.directory, nil, "gpgconf", "--homedir", home, "--kill", "gpg-agent") //nolint:errcheck // none is there where nothing was imported
	if _, err := foreign(c.directory, nil, "sh", "-c", `gpgsm --homedir "$0" --batch --disable-dirmngr --pinentry-mode loopback --passphrase-fd 0 --import "$1" < password.txt`, home, c.file); err != nil {
		return err
	}
	keys, err := foreign(c.directory, nil, "gpgsm", "--homedir", home, "--batch", "--with-colons", "--list-secret-keys")
	if err == nil && !strings.Contains("\n"+keys, "\ncrs:") {
		err = fmt.Errorf("no secret key in %q", keys)
	}
	return err
}

// takenByCurl has a server ask for the certificate.
func takenByCurl(t *testing.T, c interopCase) error {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	said, err := foreign(c.directory, nil, "curl", "--silent", "--show-error", "--insecure", "--cert-type", "P12", "--cert", c.file+":"+c.password, server.URL)
	if err == nil && said != c.name {
		err = fmt.Errorf("the server saw %q", said)
	}
	return err
}

// takenByOpenVPN reads the file before it looks for a server, of which there is none.
func takenByOpenVPN(t *testing.T, c interopCase) error {
	t.Helper()
	said, err := foreign(c.directory, nil, "openvpn", "--client", "--dev", "null", "--pkcs12", c.file, "--askpass", "password.txt", "--remote", "127.0.0.1", "1", "tcp-client",
		"--connect-retry-max", "1", "--connect-timeout", "1", "--log", "log")
	if err == nil {
		t.Errorf("there is a server: %s", said)
	}
	log, problem := os.ReadFile(c.own("log"))
	if problem != nil {
		t.Fatal(problem, err)
	}
	if !strings.Contains(string(log), "Attempting to establish TCP connection") {
		return fmt.Errorf("%s", log)
	}
	return nil
}

func takenByStrongSwan(t *testing.T, c interopCase) error {
	t.Helper()
	said, err := foreign(c.directory, nil, "sh", "-c", `setsid --wait pki --pkcs12 --list --in "$0" < password.txt`, c.file)
	if err == nil && !regexp.MustCompile(`Private keys:\n\[ ?\d+\] \w+`).MatchString(said) {
		err = fmt.Errorf("no key in %q", said)
	}
	return err
}

func takenByPython(t *testing.T, c interopCase) error {
	t.Helper()
	_, err := foreign(c.directory, nil, "/usr/bin/python3", "-c", `
import sys
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs12
key, certificate, more = pkcs12.load_key_and_certificates(open(sys.argv[1], "rb").read(), open("password.txt", "rb").read().strip())
public = lambda of: of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
assert public(key) == public(certificate) and len(more) == 1
`, c.file)
	return err
}

// takenByNginx turns the file into PEM, which is what nginx reads, and has nginx look at its configuration.
func takenByNginx(t *testing.T, c interopCase) error {
	t.Helper()
	if _, err := foreign(c.directory, nil, "openssl", "pkcs12", "-in", c.file, "-passin", "file:password.txt", "-nodes", "-out", "all.pem"); err != nil {
		return err
	}
	write(t, c.directory, "nginx.conf", []byte(`pid nginx.pid;
events {}
http {
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi; access_log off;
	server { listen unix:socket ssl; ssl_certificate all.pem; ssl_certificate_key all.pem; }
}
`))
	_, err := foreign(c.directory, nil, "/usr/sbin/nginx", "-t", "-p", c.directory, "-c", c.own("nginx.conf"), "-e", "stderr")
	return err
}
