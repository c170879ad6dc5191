package softhsmtests

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"testing"
	"time"
)

// furtherRows have a key with its certificate, and another one that is no use here: which of them comes first changes nothing but the order of what is said.
func furtherRows(t *testing.T) []corpusRow {
	t.Helper()
	one, other, raw := plainIdentity(t, "one"), plainIdentity(t, "other"), []byte("pw")
	mac := macSHA256(standardBMP("pw"))
	both := func(m integrity, pkcs8, certificate []byte, first bool) []byte {
		bags := [][]byte{shroudedBag(underAES(raw), one.pkcs8), certBagOf(one.certificate)}
		further := [][]byte{shroudedBag(underAES(raw), pkcs8), certBagOf(certificate)}
		if first {
			return pfxOf(m, inClear(slices.Concat(further, bags)...))
		}
		return pfxOf(m, inClear(slices.Concat(bags, further)...))
	}
	date := bytes.Index(other.certificate, []byte{0x17, 13}) + 2
	undated := slices.Concat(other.certificate[:date], []byte("250230000000Z"), other.certificate[date+13:])
	agreement, agreed := agreementKey(t)
	return []corpusRow{
		{"a second key whose certificate cannot be read", "", both(mac, other.pkcs8, undated, false), "valid several-keys further-key-incomplete"},
		{"a first key whose certificate cannot be read", "", both(mac, other.pkcs8, undated, true), "valid several-keys further-key-incomplete"},
		{"a second key whose certificate cannot be read, no MAC", "", both(nil, other.pkcs8, undated, false), "valid several-keys further-key-incomplete integrity-not-protected"},
		{"a first key whose certificate cannot be read, no MAC", "", both(nil, other.pkcs8, undated, true), "valid several-keys further-key-incomplete integrity-not-protected"},
		{"a second key that no token takes", "", both(mac, agreement, agreed, false), "valid several-keys key-not-for-tokens"},
		{"a first key that no token takes", "", both(mac, agreement, agreed, true), "valid several-keys key-not-for-tokens chain-incomplete"},
	}
}

// agreementKey is an X25519 key with its certificate, whose issuer is not there.
func agreementKey(t *testing.T) (pkcs8, certificate []byte) {
	t.Helper()
	root, rootKey := corpusKey(t, "root", -day, 365*day, nil, nil)
	issuer, err := x509.ParseCertificate(root.certificate)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "agreed"}, NotBefore: time.Now().Add(-day), NotAfter: time.Now().Add(day)}
	if certificate, err = x509.CreateCertificate(rand.Reader, template, issuer, ed25519.PublicKey(key.PublicKey().Bytes()), rootKey); err != nil {
		t.Fatal(err)
	}
	if pkcs8, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		t.Fatal(err)
	}
	return pkcs8, bytes.Replace(certificate, []byte{0x2b, 0x65, 112}, []byte{0x2b, 0x65, 110}, 1) // crypto/x509 certifies no X25519
}
