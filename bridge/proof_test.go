package bridge

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/pfx"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// issuedPair is a key with its certificate, and the certificate above it.
func issuedPair(t *testing.T) (pkcs8 []byte, leaf, above *pki.Certificate) {
	t.Helper()
	make := func(name string, serial int64, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
			NotAfter: time.Now().Add(time.Hour), IsCA: issuer == nil, BasicConstraintsValid: true}
		if issuer == nil {
			issuer, issuerKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return key, certificate
	}
	caKey, ca := make("authority", 1, nil, nil)
	key, certificate := make("alice", 2, ca, caKey)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(der []byte) *pki.Certificate {
		parsed, err := pki.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	return pkcs8, parse(certificate.Raw), parse(ca.Raw)
}

// TestProofComparesWhatIsInTheFile proves files that a writer with a fault could have made: without a certificate of the chain,
// with one too many, with another one, and with another key. Each opens by the password and is sound in itself.
func TestProofComparesWhatIsInTheFile(t *testing.T) {
	pkcs8, leaf, above := issuedPair(t)
	otherKey, otherLeaf, otherAbove := issuedPair(t)
	request := ExportRequest{Password: secret.New([]byte("test"))}
	for _, row := range []struct {
		name         string
		key          []byte
		certificates []*pki.Certificate
		proven       bool
	}{
		{"as meant", pkcs8, []*pki.Certificate{leaf, above}, true},
		{"a chain certificate lost", pkcs8, []*pki.Certificate{leaf}, false},
		{"one too many", pkcs8, []*pki.Certificate{leaf, above, otherAbove}, false},
		{"another in its place", pkcs8, []*pki.Certificate{leaf, otherAbove}, false},
		{"another key", otherKey, []*pki.Certificate{leaf, above}, false},
		{"another identity", otherKey, []*pki.Certificate{otherLeaf, above}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			contents := pfx.Contents{Keys: []pfx.Key{{PKCS8: row.key, LocalKeyID: []byte{1}}}}
			for i, certificate := range row.certificates {
				c := pfx.Certificate{DER: certificate.Raw}
				if i == 0 {
					c.LocalKeyID = []byte{1}
				}
				contents.Certificates = append(contents.Certificates, c)
			}
			file, err := pfx.Encode(t.Context(), rand.Reader, contents, []byte("test"), pfx.Options{Profile: pfx.Modern, Iterations: 1000})
			if err != nil {
				t.Fatal(err)
			}
			result := &ExportResult{Certificate: leaf}
			err = request.proveFile(t.Context(), file, &provenFile{result: result, encoded: file, chain: []*pki.Certificate{above}}, result, nil)
			if row.proven != (err == nil) || !row.proven && !errors.Is(err, archive.ErrNotProven) {
				t.Errorf("the proof says %v", err)
			}
		})
	}
}

// TestProofWantsTheTokensKeyBag proves a file with a key bag that the token did not make: its key is derived from what was written, and says
// nothing of another bag. A certificate is missing as well, so that no token is asked.
func TestProofWantsTheTokensKeyBag(t *testing.T) {
	_, leaf, above := issuedPair(t)
	bag := func(salt byte) []byte {
		der, err := pfx.AssembleShrouded(bytes.Repeat([]byte{salt}, 16), 1000, make([]byte, 16), make([]byte, 48))
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for _, row := range []struct {
		name  string
		made  []byte
		fault string
	}{{"this one", bag(1), "certificates"}, {"another one", bag(2), "key bag"}} {
		t.Run(row.name, func(t *testing.T) {
			contents := pfx.Contents{Keys: []pfx.Key{{Shrouded: bag(1), LocalKeyID: []byte{1}}}, Certificates: []pfx.Certificate{{DER: leaf.Raw, LocalKeyID: []byte{1}}}}
			file, err := pfx.Encode(t.Context(), rand.Reader, contents, []byte("test"), pfx.Options{Profile: pfx.Modern, Iterations: 1000})
			if err != nil {
				t.Fatal(err)
			}
			result := &ExportResult{Certificate: leaf}
			request := ExportRequest{Password: secret.New([]byte("test"))}
			err = request.proveFile(t.Context(), file, &provenFile{result: result, encoded: file, chain: []*pki.Certificate{above}, shrouded: row.made}, result, nil)
			if !errors.Is(err, archive.ErrNotProven) || !strings.Contains(err.Error(), row.fault) {
				t.Errorf("the proof says %v", err)
			}
		})
	}
}

// TestProofBelievesNoKey proves a file of many iterations with what it was written with, with nothing, and with a key that is not the file's:
// what the writer hands over saves a derivation, and proves nothing by itself.
func TestProofBelievesNoKey(t *testing.T) {
	pkcs8, leaf, _ := issuedPair(t)
	options := pfx.Options{Iterations: 10_000}
	derived, err := pfx.Derive(t.Context(), rand.Reader, []byte("test"), options)
	if err != nil {
		t.Fatal(err)
	}
	options.Derived = derived
	contents := pfx.Contents{Keys: []pfx.Key{{PKCS8: pkcs8, LocalKeyID: []byte{1}}}, Certificates: []pfx.Certificate{{DER: leaf.Raw, LocalKeyID: []byte{1}}}}
	file, err := pfx.Encode(t.Context(), rand.Reader, contents, []byte("test"), options)
	if err != nil {
		t.Fatal(err)
	}
	wrong := derived.Clone()
	wrong.Key()[0] ^= 1
	for _, row := range []struct {
		name    string
		derived *pfx.Derived
		proven  bool
	}{{"the writer's", derived, true}, {"none", nil, true}, {"another", wrong, false}} {
		result := &ExportResult{Certificate: leaf}
		request := ExportRequest{Password: secret.New([]byte("test"))}
		err := request.proveFile(t.Context(), file, &provenFile{result: result, encoded: file}, result, row.derived)
		if row.proven != (err == nil) || !row.proven && !errors.Is(err, archive.ErrNotProven) || result.Proof != archive.ProofIndependent {
			t.Errorf("%s: the proof says %v, %s", row.name, err, result.Proof)
		}
	}
}

// TestCopyKeepsTheKeyOfItsBag: a file that was opened for restoring has the key of the bag, which the reader derived for the certificates. It
// is not derived again, and forgotten once the copy is restored.
func TestCopyKeepsTheKeyOfItsBag(t *testing.T) {
	one, leaf := copyOf(t)
	kek, err := bagKey(t.Context(), one.shrouding, nil, one.derived) // without a password there is nothing to derive from
	if err != nil {
		t.Fatal(err)
	}
	key, err := one.openWith(t.Context(), kek)
	if err != nil || !key.Public.Equal(leaf.PublicKey) {
		t.Errorf("not opened: %v", err)
	}
	kept := one.derived.Key()
	if one.forget(); one.derived != nil || !bytes.Equal(kept, make([]byte, len(kept))) {
		t.Error("the key is not forgotten")
	}
	again, err := bagKey(t.Context(), one.shrouding, one.password, one.derived)
	if err != nil || !bytes.Equal(again, kek) {
		t.Errorf("derived again, it is another key: %v", err)
	}
}

// TestRestoreForgetsTheKeyOfTheBag: a restore that ends early, and the rehearsal of one, wipe it too.
func TestRestoreForgetsTheKeyOfTheBag(t *testing.T) {
	locked := &token.Inventory{Token: token.Info{Flags: token.CKFWriteProtected}}
	for name, act := range map[string]func(RestoreRequest) error{
		"restore":   func(r RestoreRequest) error { _, err := Restore(t.Context(), r); return err },
		"rehearsal": func(r RestoreRequest) error { _, err := r.Rehearse(t.Context()); return err },
	} {
		one, _ := copyOf(t)
		kept := one.derived.Key()
		if err := act(RestoreRequest{Session: &token.Session{}, Inventory: locked, Copy: one}); !errors.Is(err, ErrWriteProtected) {
			t.Errorf("%s: %v", name, err)
		}
		if one.derived != nil || !bytes.Equal(kept, make([]byte, len(kept))) {
			t.Errorf("%s: the key is not forgotten", name)
		}
		if err := act(RestoreRequest{}); !errors.Is(err, ErrRequest) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
}

// copyOf is a copy that was opened, and its certificate.
func copyOf(t *testing.T) (*Copy, *pki.Certificate) {
	t.Helper()
	pkcs8, leaf, _ := issuedPair(t)
	contents := pfx.Contents{Keys: []pfx.Key{{PKCS8: pkcs8, LocalKeyID: []byte{1}}}, Certificates: []pfx.Certificate{{DER: leaf.Raw, LocalKeyID: []byte{1}}}}
	file, err := pfx.Encode(t.Context(), rand.Reader, contents, []byte("test"), pfx.Options{Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	copies, err := OpenCopies(t.Context(), VerifyRequest{File: file, Password: func() (*secret.Text, error) { return secret.New([]byte("test")), nil }})
	if err != nil || len(copies) != 1 {
		t.Fatalf("%d copies: %v", len(copies), err)
	}
	return copies[0], leaf
}
