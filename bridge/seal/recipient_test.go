package seal_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"filippo.io/age"

	"p11bridge/bridge/seal"
	"p11bridge/token/secret"
)

// made is a certificate in PEM, changed by change.
func made(t *testing.T, change func(*x509.Certificate)) []byte {
	t.Helper()
	block, _ := pem.Decode(officers()[0].key)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "made"}, NotBefore: day(-10), NotAfter: day(10)}
	change(template)
	public := key.(*rsa.PrivateKey).Public()
	if template.PublicKey != nil {
		public = template.PublicKey
	}
	issuer := *template
	issuer.PublicKey = nil
	der, err := x509.CreateCertificate(rand.Reader, template, &issuer, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestRecipientsAreRefused: what a password must not be sealed to, and why.
func TestRecipientsAreRefused(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	_, plain, _ := identity(t)
	good := made(t, func(*x509.Certificate) {})
	twice := bytes.Join([][]byte{[]byte(plain[0].Name), []byte(plain[0].Name)}, []byte("\n"))
	mixed := bytes.Join([][]byte{[]byte(plain[0].Name), []byte(hybrid.Recipient().String())}, []byte("\n"))
	for _, row := range []struct {
		name     string
		contents []byte
		fault    seal.RecipientFault
	}{
		{"a certificate", good, ""},
		{"one for both", made(t, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature }), ""},
		{"post-quantum", []byte(hybrid.Recipient().String()), ""},
		{"comments", append([]byte("# who\n\n"), plain[0].Name...), ""},
		{"expired", made(t, func(c *x509.Certificate) { c.NotAfter = day(-1) }), seal.RecipientExpired},
		{"to come", made(t, func(c *x509.Certificate) { c.NotBefore = day(1) }), seal.NotYetValid},
		{"for signatures", made(t, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), seal.MayNotEncipher},
		{"EC", made(t, func(c *x509.Certificate) { c.PublicKey = ec.Public() }), seal.KeyUnsupported},
		{"two certificates", append(bytes.Clone(good), good...), seal.SeveralGiven},
		{"a private key", officers()[0].key, seal.PrivateKeyGiven},
		{"an age identity", []byte(hybrid.String()), seal.PrivateKeyGiven},
		{"an age plugin", []byte("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t"), seal.KeyUnsupported},
		{"a word", []byte("officer"), seal.NotARecipient},
		{"nothing", nil, seal.NotARecipient},
		{"twice", twice, seal.GivenTwice},
		{"mixed", mixed, seal.Incompatible},
	} {
		recipients, err := seal.ReadRecipients(row.name, row.contents)
		if err == nil {
			err = seal.CheckRecipients(recipients, time.Now())
		}
		if err == nil {
			_, err = seal.Seal(rand.Reader, secret.New([]byte(password)), recipients, seal.OAEP)
		}
		var fault *seal.RecipientError
		switch {
		case row.fault == "" && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case row.fault != "" && (!errors.As(err, &fault) || fault.Fault != row.fault):
			t.Errorf("%s: %v, not %s", row.name, err, row.fault)
		}
	}
}

// FuzzParseSealed: whatever a file says that it is for, reading and opening it ends, in an error of its own or in a password.
func FuzzParseSealed(f *testing.F) {
	own := keys(f, officers()[0].key)
	_, ageRecipients, ageKeys := identity(f)
	all := append(read(f, officers()[0].certificate), ageRecipients...)
	for _, transport := range seal.Transports() {
		file := sealed(f, transport, all...)
		f.Add(file)
		block, _ := pem.Decode(file)
		f.Add(block.Bytes)
	}
	f.Add([]byte("age-encryption.org/v1\n-> X25519 x\nx\n--- x\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		parsed, err := seal.Parse(file)
		if err != nil {
			faultOf(t, err)
			return
		}
		if len(parsed.Addresses()) == 0 {
			t.Error("for nobody")
		}
		if opened, err := parsed.Open(append(own, ageKeys...)...); err == nil && (opened.Len() == 0 || secret.Check(opened.Bytes()) != nil) {
			t.Error("what comes out is no password")
		}
	})
}
