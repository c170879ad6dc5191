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
	"slices"
	"strings"
	"testing"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

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
	_, err := foreign(c.directory, []string{"JAVA_TOOL_OPTIONS=-Dfile.encoding=UTF-8 -Dsun.jnu.encoding=UTF-8 -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}, "keytool", "-importkeystore", "-noprompt",
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
