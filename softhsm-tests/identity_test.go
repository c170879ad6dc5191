package softhsmtests

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"testing"
	"time"
)

// issued is a key with its certificate, signed by an authority of its own, in files.
type issued struct {
	directory string
	name      string

	keyPEM         string // PKCS#8
	certificatePEM string
	authorityPEM   string
	leaf           *x509.Certificate
	authority      *x509.Certificate
}

// issue makes a certificate for the key, with the name as its common name, and writes everything to files of that name.
func issue(t *testing.T, directory, name string, key crypto.Signer) *issued {
	t.Helper()
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	i := &issued{directory: directory, name: name}
	i.leaf, i.authority = certify(t, name, key.Public())
	asPEM := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	i.keyPEM, i.certificatePEM = write(t, directory, name+".key.pem", asPEM("PRIVATE KEY", keyDER)), write(t, directory, name+".pem", asPEM("CERTIFICATE", i.leaf.Raw))
	i.authorityPEM = write(t, directory, name+".ca.pem", asPEM("CERTIFICATE", i.authority.Raw))
	return i
}

// certify makes a certificate for a public key, and the one above it.
func certify(t *testing.T, name string, public crypto.PublicKey) (leaf, authority *x509.Certificate) {
	t.Helper()
	issuer := newEC(t, elliptic.P256())
	sign := func(template, parent *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
		t.Helper()
		template.NotBefore, template.NotAfter = time.Now().AddDate(0, -6, 0), time.Now().AddDate(1, 0, 0)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, issuer)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of " + name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authority = sign(root, root, issuer.Public())
	leaf = sign(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature}, authority, public)
	return leaf, authority
}

func newEC(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// openedBy lets openssl open a file of ours: the private key and its certificate.
func openedBy(t *testing.T, file, password string) (key any, certificate *x509.Certificate) {
	t.Helper()
	text, err := openssl("", "pkcs12", "-in", file, "-passin", "file:"+password, "-nodes", "-clcerts")
	if err != nil {
		t.Fatal(err)
	}
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "CERTIFICATE":
			certificate, err = x509.ParseCertificate(block.Bytes)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if key == nil || certificate == nil {
		t.Fatalf("openssl finds in %s:\n%s", file, text)
	}
	return key, certificate
}

// pkcs12 is a file of openssl's with the key, the certificate and its issuer; the password is testPassword.
func (i *issued) pkcs12(t *testing.T, args ...string) string {
	t.Helper()
	file := filepath.Join(i.directory, i.name+".p12")
	mustForeign(t, i.directory, "openssl", append([]string{"pkcs12", "-export", "-inkey", i.keyPEM, "-in", i.certificatePEM, "-certfile", i.authorityPEM,
		"-name", i.name, "-passout", "pass:" + testPassword, "-out", file}, args...)...)
	return file
}
