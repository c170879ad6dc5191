package tokentest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"math/big"
	"time"

	"p11bridge/token"
)

// Many says which identities the module softhsm-tests/testdata/many.c has. Their keys are nobody's.
type Many struct {
	Count  int
	First  int  // the private value of the first key; the others follow. It is above 1, which is the issuer's
	Alike  bool // all have one CKA_ID and one CKA_LABEL
	Issued int  // days ago, of the certificates
}

// Objects gives the file that the module reads: for each identity a certificate, a public key and a private key that does not tell its
// public half, and then the certificate of their issuer.
func (m Many) Objects() ([]byte, error) {
	issuer, err := manyKey(1)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "many"}, NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true}
	own, err := x509.CreateCertificate(rand.Reader, ca, ca, &issuer.PublicKey, issuer)
	if err != nil {
		return nil, fmt.Errorf("make the issuer's certificate: %w", err)
	}
	var out []byte
	for i := range m.Count {
		if out, err = m.appendIdentity(out, i, ca, issuer); err != nil {
			return nil, err
		}
	}
	return appendObject(out, token.CKOCertificate, "issuer", []byte{0xCA}, map[token.Attribute][]byte{token.CKACertificateType: ulong(0), token.CKAValue: own}), nil
}

func (m Many) appendIdentity(out []byte, i int, ca *x509.Certificate, issuer *ecdsa.PrivateKey) ([]byte, error) {
	params, err := token.CurveParams("P-256")
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	key, err := manyKey(m.First + i)
	if err != nil {
		return nil, err
	}
	label, id := fmt.Sprintf("person %d", i), []byte{0x1D, byte(i >> 16), byte(i >> 8), byte(i)}
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(m.First + i)), Subject: pkix.Name{CommonName: label}, NotBefore: time.Now().AddDate(0, 0, -m.Issued), NotAfter: ca.NotAfter}
	if m.Alike {
		label, id = "person", []byte{0x1D}
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, issuer)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	private, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	ec := ulong(uint64(token.CKKEC))
	out = appendObject(out, token.CKOCertificate, label, id, map[token.Attribute][]byte{token.CKACertificateType: ulong(0), token.CKAValue: certificate})
	out = appendObject(out, token.CKOPublicKey, label, id, map[token.Attribute][]byte{token.CKAKeyType: ec, token.CKAECParams: params,
		token.CKAECPoint: append([]byte{4, byte(len(point))}, point...)})
	return appendObject(out, token.CKOPrivateKey, label, id, map[token.Attribute][]byte{token.CKAKeyType: ec, token.CKAECParams: params,
		token.CKASensitive: {0}, token.CKAExtractable: {1}, token.CKASign: {1}, token.CKAValue: private}), nil
}

// manyKey is the key with a private value.
func manyKey(value int) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), binary.BigEndian.AppendUint64(make([]byte, 24), uint64(value)))
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

func ulong(n uint64) []byte { return binary.NativeEndian.AppendUint64(nil, n) }

func appendObject(out []byte, class token.Class, label string, id []byte, more map[token.Attribute][]byte) []byte {
	more[token.CKAClass], more[token.CKALabel], more[token.CKAID] = ulong(uint64(class)), []byte(label), id
	more[token.CKAToken], more[token.CKAPrivate] = []byte{1}, []byte{0}
	out = append(out, ulong(uint64(len(more)))...)
	for a, value := range more {
		out = append(append(append(out, ulong(uint64(a))...), ulong(uint64(len(value)))...), value...)
	}
	return out
}
