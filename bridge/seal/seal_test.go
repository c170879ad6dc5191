package seal_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"p11bridge/bridge/seal"
	"p11bridge/token/secret"
)

// officer is a recipient's certificate and the key to it, both in PEM.
type officer struct{ certificate, key []byte }

// officers are two, made once: RSA keys take their time.
var officers = sync.OnceValue(func() []officer {
	return []officer{newOfficer("first", x509.KeyUsageKeyEncipherment), newOfficer("second", 0)}
})

func newOfficer(name string, usage x509.KeyUsage) officer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name)) << 20), Subject: pkix.Name{CommonName: name}, NotBefore: day(-1), NotAfter: day(30), KeyUsage: usage,
		SubjectKeyId: []byte(name),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return officer{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}
}

func day(n int) time.Time { return time.Now().AddDate(0, 0, n) }

func read(t testing.TB, contents []byte) []seal.Recipient {
	t.Helper()
	recipients, err := seal.ReadRecipients("test", contents)
	if err != nil {
		t.Fatal(err)
	}
	return recipients
}

func keys(t testing.TB, contents []byte) []seal.Key {
	t.Helper()
	found, err := seal.ReadKeys(contents)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func sealed(t testing.TB, transport seal.Transport, recipients ...seal.Recipient) []byte {
	t.Helper()
	file, err := seal.Seal(rand.Reader, secret.New([]byte(password)), recipients, transport)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// password is as long as a block of AES, so that a block of padding follows.
const password = "abcde-fghij-kmnp"

func identity(t testing.TB) (*age.X25519Identity, []seal.Recipient, []seal.Key) {
	t.Helper()
	made, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return made, read(t, []byte(made.Recipient().String())), keys(t, []byte(made.String()))
}

func faultOf(t testing.TB, err error) seal.OpenFault {
	t.Helper()
	var fault *seal.OpenError
	if !errors.As(err, &fault) {
		t.Fatalf("not an OpenError: %v", err)
	}
	return fault.Fault
}

// TestOpens: every recipient opens what was sealed to all of them, and nobody else does.
func TestOpens(t *testing.T) {
	_, ageRecipients, ageKeys := identity(t)
	_, _, otherKeys := identity(t)
	other := newOfficer("stranger", 0)
	all := append(append(read(t, officers()[0].certificate), read(t, officers()[1].certificate)...), ageRecipients...)
	for _, transport := range seal.Transports() {
		file := sealed(t, transport, all...)
		if bytes.Contains(file, []byte(password)) {
			t.Fatal("the password is in clear")
		}
		parsed, err := seal.Parse(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := parsed.CheckAddresses(all); err != nil {
			t.Error(err)
		}
		for _, fewer := range [][]seal.Recipient{all[1:], all[:2], append(all[:1:1], read(t, other.certificate)...)} {
			if err := parsed.CheckAddresses(fewer); err == nil {
				t.Errorf("for %d others: believed", len(fewer))
			}
		}
		for i, of := range [][]seal.Key{keys(t, officers()[0].key), keys(t, officers()[1].key), ageKeys, append(otherKeys[:1:1], ageKeys...)} {
			opened, err := parsed.Open(of...)
			if err != nil || opened.Reveal() != password {
				t.Errorf("%s, key %d: %v", transport, i, err)
			}
		}
		for i, of := range [][]seal.Key{keys(t, other.key), otherKeys} {
			if _, err := parsed.Open(of...); faultOf(t, err) != seal.ForOthers {
				t.Errorf("%s, other %d: %v", transport, i, err)
			}
		}
		if _, err := parsed.Open(); faultOf(t, err) != seal.NoKey {
			t.Errorf("without a key: %v", err)
		}
	}
}

// TestOpenSSL: openssl opens what we seal, and we open what it seals.
func TestOpenSSL(t *testing.T) {
	directory := t.TempDir()
	path := func(name string, contents []byte) string {
		p := filepath.Join(directory, name)
		if contents != nil {
			if err := os.WriteFile(p, contents, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	certificate, key := path("officer.pem", officers()[0].certificate), path("officer.key", officers()[0].key)
	_, ageRecipients, _ := identity(t)
	for _, transport := range seal.Transports() {
		file := path("sealed", sealed(t, transport, append(read(t, officers()[0].certificate), ageRecipients...)...))
		output, err := exec.Command("openssl", "cms", "-decrypt", "-inform", "PEM", "-in", file, "-recip", certificate, "-inkey", key).Output()
		if err != nil || string(output) != password {
			t.Errorf("%s: openssl: %v, %d bytes", transport, err, len(output))
		}
	}
	for _, way := range [][]string{{}, {"-keyopt", "rsa_padding_mode:oaep"}, {"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"}, {"-keyid"}} {
		plain, file := path("plain", []byte(password+"\n")), path("theirs", nil)
		args := append([]string{"cms", "-encrypt", "-binary", "-aes-256-cbc", "-outform", "DER", "-in", plain, "-out", file, "-recip", certificate}, way...)
		if output, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl: %v\n%s", err, output)
		}
		theirs, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := seal.Parse(theirs)
		if err != nil {
			t.Fatalf("%q: %v", way, err)
		}
		opened, err := parsed.Open(keys(t, officers()[0].key)...)
		if err != nil || opened.Reveal() != password {
			t.Errorf("%q: %v", way, err)
		}
	}
}

// TestAltered: whatever octet is altered or cut off, it is never another password that comes out of an age file, and never one that is not
// told as damaged or as somebody else's. CBC cannot tell an altered initial vector: the PFX file then does not open.
func TestAltered(t *testing.T) {
	_, recipients, of := identity(t)
	file := sealed(t, seal.OAEP, recipients...)
	for i := range file {
		for _, bit := range []byte{1, 0x20} {
			altered := bytes.Clone(file)
			altered[i] ^= bit
			parsed, err := seal.Parse(altered)
			if err != nil {
				faultOf(t, err)
				continue
			}
			if opened, err := parsed.Open(of...); err == nil && !sameText(altered, file) {
				t.Errorf("octet %d: opens to %d octets", i, opened.Len())
			}
		}
	}
	envelope := sealed(t, seal.OAEP, read(t, officers()[0].certificate)...)
	for _, n := range []int{len(envelope) / 2, len(envelope) - 3} {
		if _, err := seal.Parse(envelope[:n]); faultOf(t, err) != seal.Damaged {
			t.Errorf("cut off at %d: %v", n, err)
		}
	}
	for _, text := range []string{"", "a password", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"} {
		if _, err := seal.Parse([]byte(text)); faultOf(t, err) != seal.NotSealed {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// sameText tells that two files differ in what PEM passes over: white space, and the bits of Base64 that are not used.
func sameText(a, b []byte) bool {
	one, _ := pem.Decode(a)
	two, _ := pem.Decode(b)
	return one != nil && two != nil && bytes.Equal(one.Bytes, two.Bytes)
}
