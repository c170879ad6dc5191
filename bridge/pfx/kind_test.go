package pfx

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// kindRow is a file and what it is.
type kindRow struct {
	name string
	file []byte
	want Kind
}

// signatureRows are told by their first bytes, or by nothing.
var signatureRows = []kindRow{
	{"JKS", []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"), Kind{Name: "JKS", Key: KeyStore}},
	{"JCEKS", []byte("\xce\xce\xce\xce\x00\x00\x00\x02"), Kind{Name: "JCEKS", Key: KeyStore}},
	{"key4.db", []byte("SQLite format 3\x00\x10\x00"), Kind{Name: "SQLite"}},
	{"a key of makecert", []byte("\x1e\xf1\xb5\xb0\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), Kind{Name: "PVK", Key: KeyInClear}},
	{"an encrypted key of makecert", []byte("\x1e\xf1\xb5\xb0\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x10\x00\x00\x00"), Kind{Name: "PVK", Key: KeyEncrypted}},
	{"a key of makecert, cut off", []byte("\x1e\xf1\xb5\xb0\x00\x00"), Kind{Name: "PVK", Key: KeyEncrypted}},
	{"7z", []byte("7z\xbc\xaf\x27\x1c\x00\x04"), Kind{Name: "7z"}},
	{"a page of a portal", []byte("<!DOCTYPE html><html>"), Kind{Name: "HTML"}},
	{"text", []byte("Lorem ipsum"), Kind{}},
	{"nothing", nil, Kind{}},
	{"a SEQUENCE", []byte{0x30, 0}, Kind{}},
}

func kindRows(t testing.TB) []kindRow {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	must(t, err)
	pkcs1 := x509.MarshalPKCS1PrivateKey(rsaKey)
	id := newIdentity(t, "P-256")
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}}, ecKey)
	must(t, err)
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, SubjectKeyId: []byte{1}, KeyUsage: x509.KeyUsageCRLSign}
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}, authority, ecKey)
	must(t, err)
	spki, err := x509.MarshalPKIXPublicKey(ecKey.Public())
	must(t, err)
	shrouded, err := buildShrouded(testPBE(), sealWith(t, testPBE(), "test", id.pkcs8))
	must(t, err)
	block := func(label string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}) }
	locked := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: pkcs1})
	openSSH := func(cipher string) []byte {
		return block("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00\x00\x00\x00"+string(rune(len(cipher)))+cipher))
	}
	return slices.Concat(signatureRows, []kindRow{
		{"PKCS #8", id.pkcs8, Kind{Name: "PKCS #8", Key: KeyInClear}},
		{"PKCS #8, encrypted", shrouded, Kind{Name: "PKCS #8, encrypted", Key: KeyEncrypted}},
		{"PKCS #1", pkcs1, Kind{Name: "PKCS #1", Key: KeyInClear}},
		{"RFC 5915", sec1, Kind{Name: "EC private key (RFC 5915)", Key: KeyInClear}},
		{"a certificate", id.leaf, Kind{Name: "X.509", Certificates: true}},
		{"a request", request, Kind{Name: "PKCS #10"}},
		{"a revocation list", crl, Kind{Name: "X.509 CRL"}},
		{"a public key", spki, Kind{Name: "public key"}},
		{"PKCS #7", append([]byte{0x30, 13, 6, 9}, append(unhex(t, "2a864886f70d010702"), 0xa0, 0)...), Kind{Name: "PKCS #7", Certificates: true}},
		{"PKCS #8 in PEM", block("PRIVATE KEY", id.pkcs8), Kind{Name: "PKCS #8", Key: KeyInClear, PEM: true}},
		{"PKCS #8 in PEM, encrypted", block("ENCRYPTED PRIVATE KEY", shrouded), Kind{Name: "PKCS #8, encrypted", Key: KeyEncrypted, PEM: true}},
		{"PKCS #1 in PEM", block("RSA PRIVATE KEY", pkcs1), Kind{Name: "PKCS #1", Key: KeyInClear, PEM: true}},
		{"PKCS #1 in PEM, encrypted", locked, Kind{Name: "PKCS #1", Key: KeyEncrypted, PEM: true}},
		{"OpenSSH", openSSH("none"), Kind{Name: "OpenSSH private key", Key: KeyInClear, PEM: true}},
		{"OpenSSH, encrypted", openSSH("aes256-ctr"), Kind{Name: "OpenSSH private key", Key: KeyEncrypted, PEM: true}},
		{"PuTTY", []byte("PuTTY-User-Key-File-3: ssh-rsa\r\nEncryption: none\r\n"), Kind{Name: "PuTTY private key", Key: KeyInClear}},
		{"PuTTY, encrypted", []byte("PuTTY-User-Key-File-3: ssh-rsa\r\nEncryption: aes256-cbc\r\n"), Kind{Name: "PuTTY private key", Key: KeyEncrypted}},
		{"a certificate and its key in PEM", append(block("CERTIFICATE", id.leaf), block("PRIVATE KEY", id.pkcs8)...), Kind{Name: "PKCS #8", Key: KeyInClear, Certificates: true, PEM: true}},
		{"parameters and a key in PEM", append(block("EC PARAMETERS", []byte{5, 0}), block("EC PRIVATE KEY", sec1)...), Kind{Name: "EC private key (RFC 5915)", Key: KeyInClear, PEM: true}},
		{"certificates in PEM", append(block("CERTIFICATE", id.leaf), block("CERTIFICATE", id.authority)...), Kind{Name: "X.509", Certificates: true, PEM: true}},
		{"a request in PEM", block("NEW CERTIFICATE REQUEST", request), Kind{Name: "PKCS #10", PEM: true}},
		{"PEM that is cut off", block("PRIVATE KEY", id.pkcs8)[:60], Kind{Name: "PKCS #8", Key: KeyInClear, PEM: true}},
		{"something in PEM", block("SOMETHING", id.pkcs8), Kind{Name: "PEM", PEM: true}},
		{"a key in Base64", []byte(base64.StdEncoding.EncodeToString(id.pkcs8)), Kind{Name: "PKCS #8", Key: KeyInClear}},
	})
}

func TestRecognise(t *testing.T) {
	for _, row := range kindRows(t) {
		if got := Recognise(row.file); got != row.want {
			t.Errorf("%s: %+v, not %+v", row.name, got, row.want)
		}
	}
}

// A PFX is recognised by its reader; whatever Recognise says of it, it never says that a key stands in clear.
func TestRecogniseNeverAlarmsOnAPFX(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.p12")
	must(t, err)
	if len(files) < 40 {
		t.Fatalf("%d files", len(files))
	}
	for _, name := range files {
		file, err := os.ReadFile(name)
		must(t, err)
		if kind := Recognise(file); kind.Key != NoKey {
			t.Errorf("%s: %+v", name, kind)
		}
		if !LooksLikePFX(file) {
			t.Errorf("%s does not look like a PFX", name)
		}
	}
}

func FuzzRecognise(f *testing.F) {
	for _, row := range kindRows(f) {
		f.Add(row.file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		kind := Recognise(file)
		if kind.Name == "" && (kind.Key != NoKey || kind.Certificates) || (kind.Format() == "") != (kind.Name == "") {
			t.Errorf("%+v", kind)
		}
	})
}
