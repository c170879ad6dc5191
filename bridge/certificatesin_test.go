package bridge_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/token/pki"
)

// issuedCertificate makes a certificate for a name, in the name of an issuer that has the same key.
func issuedCertificate(t *testing.T, key *ecdsa.PrivateKey, subject, issuer string) *pki.Certificate {
	t.Helper()
	named := func(name string) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true}
	}
	der, err := x509.CreateCertificate(rand.Reader, named(subject), named(issuer), key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pki.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestCertificatesIn(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root, issuer, leaf := issuedCertificate(t, key, "root", "root"), issuedCertificate(t, key, "issuer", "root"), issuedCertificate(t, key, "leaf", "issuer")
	path := filepath.Join(t.TempDir(), "root.p7b")
	if _, err := bridge.WriteCertificate(bridge.CertificateRequest{Target: archive.Target{Path: path}, Certificate: leaf, Pool: []*pki.Certificate{root, issuer}}); err != nil {
		t.Fatal(err)
	}
	der, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	inOrder := slices.Concat(leaf.Raw, issuer.Raw, root.Raw)
	if !bytes.Contains(der, inOrder) {
		t.Fatal("the certificates do not stand there one behind the other")
	}
	broken := bytes.Clone(issuer.Raw)
	broken[4]++ // the tag of what is signed, behind the tag and the length of the whole
	for _, row := range []struct {
		name  string
		der   []byte
		wants []*pki.Certificate
	}{
		{"a certificate", issuer.Raw, []*pki.Certificate{issuer}},
		{"a PKCS #7", der, []*pki.Certificate{leaf, issuer, root}},
		{"a PKCS #7 the other way round", bytes.Replace(der, inOrder, slices.Concat(root.Raw, issuer.Raw, leaf.Raw), 1), []*pki.Certificate{leaf, root, issuer}},
		{"rubbish", []byte("rubbish"), nil},
		{"half a PKCS #7", der[:len(der)/2], nil},
		{"a PKCS #7 with a broken certificate", bytes.Replace(der, issuer.Raw, broken, 1), nil},
	} {
		found, err := bridge.CertificatesIn(row.der)
		if (err == nil) != (row.wants != nil) || len(found) != len(row.wants) {
			t.Errorf("%s: %d certificates, %v", row.name, len(found), err)
			continue
		}
		for i, want := range row.wants {
			if found[i].Fingerprint != want.Fingerprint {
				t.Errorf("%s: the certificate %d is of %s", row.name, i, found[i].Subject)
			}
		}
	}
}
