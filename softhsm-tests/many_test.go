package softhsmtests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"p11bridge/token"
)

// manyIdentities says what testdata/many.c answers.
type manyIdentities struct {
	count  int
	first  int  // the private value of the first key; the others follow
	alike  bool // all have one CKA_ID and one CKA_LABEL
	issued int  // days ago, of the certificates
}

// file writes the identities: for each a certificate, a public key and a private key that does not tell its public half, and then
// the certificate of their issuer.
func (m manyIdentities) file(t *testing.T) string {
	t.Helper()
	issuer := manyKey(t, 1)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "many"}, NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true}
	var out []byte
	params, err := token.CurveParams("P-256")
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.count {
		label, id, key := fmt.Sprintf("person %d", i), []byte{0x1D, byte(i >> 16), byte(i >> 8), byte(i)}, manyKey(t, m.first+i)
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(m.first + i)), Subject: pkix.Name{CommonName: label}, NotBefore: time.Now().AddDate(0, 0, -m.issued), NotAfter: ca.NotAfter}
		if m.alike {
			label, id = "person", []byte{0x1D}
		}
		certificate, err := x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, issuer)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		private, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		out = appendObject(out, token.CKOCertificate, label, id, map[token.Attribute][]byte{token.CKACertificateType: ulongOf(0), token.CKAValue: certificate})
		out = appendObject(out, token.CKOPublicKey, label, id, map[token.Attribute][]byte{token.CKAKeyType: ulongOf(uint64(token.CKKEC)), token.CKAECParams: params,
			token.CKAECPoint: append([]byte{4, byte(len(point))}, point...)})
		out = appendObject(out, token.CKOPrivateKey, label, id, map[token.Attribute][]byte{token.CKAKeyType: ulongOf(uint64(token.CKKEC)), token.CKAECParams: params,
			token.CKASensitive: {0}, token.CKAExtractable: {1}, token.CKASign: {1}, token.CKAValue: private})
	}
	own, err := x509.CreateCertificate(rand.Reader, ca, ca, &issuer.PublicKey, issuer)
	if err != nil {
		t.Fatal(err)
	}
	out = appendObject(out, token.CKOCertificate, "issuer", []byte{0xCA}, map[token.Attribute][]byte{token.CKACertificateType: ulongOf(0), token.CKAValue: own})
	path := filepath.Join(t.TempDir(), "objects")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// manyKey is the key with a private value.
func manyKey(t *testing.T, value int) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), binary.BigEndian.AppendUint64(make([]byte, 24), uint64(value)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ulongOf(n uint64) []byte { return binary.NativeEndian.AppendUint64(nil, n) }

func appendObject(out []byte, class token.Class, label string, id []byte, more map[token.Attribute][]byte) []byte {
	more[token.CKAClass], more[token.CKALabel], more[token.CKAID] = ulongOf(uint64(class)), []byte(label), id
	more[token.CKAToken], more[token.CKAPrivate] = []byte{1}, []byte{0}
	out = append(out, ulongOf(uint64(len(more)))...)
	for a, value := range more {
		out = append(append(append(out, ulongOf(uint64(a))...), ulongOf(uint64(len(value)))...), value...)
	}
	return out
}
