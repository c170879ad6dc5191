package pfx

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	mathrand "math/rand/v2"
	"sync"
	"testing"
	"time"
)

// identity is a key with its certificate and its issuer's.
type identity struct {
	pkcs8, spki, leaf, authority []byte
	localKeyID                   []byte
}

func (id identity) contents(name string) Contents {
	return Contents{
		Keys: []Key{{PKCS8: id.pkcs8, FriendlyName: name, LocalKeyID: id.localKeyID}},
		Certificates: []Certificate{
			{DER: id.leaf, FriendlyName: name, LocalKeyID: id.localKeyID},
			{DER: id.authority},
		},
	}
}

var identities = struct {
	sync.Mutex
	made map[string]identity
}{made: map[string]identity{}}

// newIdentity makes one identity a kind and keeps it for the other tests.
func newIdentity(t testing.TB, kind string) identity {
	t.Helper()
	identities.Lock()
	defer identities.Unlock()
	if id, ok := identities.made[kind]; ok {
		return id
	}
	var key crypto.Signer
	var err error
	switch kind {
	case "RSA":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "P-256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "P-384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("no key of kind %q", kind)
	}
	must(t, err)
	issuer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)

	template := func(name string, serial int64, authority bool) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			IsCA: authority, BasicConstraintsValid: true, KeyUsage: usage(authority),
		}
	}
	root := template("authority of "+kind, 1, true)
	var id identity
	id.authority, err = x509.CreateCertificate(rand.Reader, root, root, issuer.Public(), issuer)
	must(t, err)
	id.leaf, err = x509.CreateCertificate(rand.Reader, template("leaf "+kind, 2, false), root, key.Public(), issuer)
	must(t, err)
	id.pkcs8, err = x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	id.spki, err = x509.MarshalPKIXPublicKey(key.Public())
	must(t, err)
	sum := sha1.Sum(id.leaf)
	id.localKeyID = sum[:]
	identities.made[kind] = id
	return id
}

func usage(authority bool) x509.KeyUsage {
	if authority {
		return x509.KeyUsageCertSign
	}
	return x509.KeyUsageDigitalSignature
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// seeded is a reader of bytes that are the same in every run.
func seeded(seed byte) *mathrand.ChaCha8 { return mathrand.NewChaCha8([32]byte{seed}) }

const testIterations = 100

func encode(t testing.TB, contents Contents, password string, profile Profile) []byte {
	t.Helper()
	file, err := Encode(context.Background(), rand.Reader, contents, []byte(password), Options{Profile: profile, Iterations: testIterations})
	must(t, err)
	return file
}

func decode(t testing.TB, file []byte, password string) *Contents {
	t.Helper()
	contents, err := Decode(context.Background(), file, []byte(password), DecodeOptions{})
	must(t, err)
	return contents
}

// comparer is the caller's part in Match.
func comparer(contents *Contents) Comparer {
	return func(pkcs8 []byte) (compared Comparison, err error) {
		spki, err := spkiOf(pkcs8)
		if err != nil {
			return compared, err
		}
		for i, c := range contents.Certificates {
			certificate, err := x509.ParseCertificate(c.DER)
			switch {
			case err != nil:
				compared.Unknown = append(compared.Unknown, i)
			case bytes.Equal(certificate.RawSubjectPublicKeyInfo, spki):
				compared.Certified = append(compared.Certified, i)
			}
		}
		return compared, nil
	}
}

func spkiOf(pkcs8 []byte) ([]byte, error) {
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(key.(crypto.Signer).Public())
}

// samePKCS8 compares two encodings of a key by what they mean.
func samePKCS8(t testing.TB, one, other []byte) bool {
	t.Helper()
	a, err := spkiOf(one)
	must(t, err)
	b, err := spkiOf(other)
	must(t, err)
	return bytes.Equal(a, b)
}
