package bridge

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"p11bridge/bridge/pfx"
	"p11bridge/token/tokentest"
)

// signer is a P-256 key with a certificate of its own.
type signer struct {
	key         *ecdsa.PrivateKey
	pkcs8       []byte
	certificate []byte
}

func newSigner(t *testing.T, notBefore, notAfter time.Time) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signer"}, NotBefore: notBefore, NotAfter: notAfter}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), crypto.Signer(key))
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, pkcs8, certificate}
}

// verifyRow is a file and what is to be said of it.
type verifyRow struct {
	name  string
	file  []byte
	valid bool
	want  string
}

// password is "test", unless the row is about another one.
func (row verifyRow) password() string {
	switch {
	case strings.HasPrefix(row.name, "an empty password"):
		return ""
	case strings.HasPrefix(row.name, "a password as OpenSSL 1.0"):
		return "Contraseña€"
	case strings.HasPrefix(row.name, "a secret key"):
		return "testtest"
	}
	return "test"
}

// strong is an iteration count that nothing is to be said of.
const strong = WeakIterations

// verified holds the rows, which take their time to make.
var verified struct {
	sync.Mutex
	rows []verifyRow
}

func verifyRows(t *testing.T) []verifyRow {
	t.Helper()
	verified.Lock()
	defer verified.Unlock()
	if verified.rows == nil {
		verified.rows = makeVerifyRows(t)
	}
	return verified.rows
}

// encoded is a file with these keys and certificates.
func encoded(t *testing.T, password string, options pfx.Options, keys [][]byte, certificates ...[]byte) []byte {
	t.Helper()
	var contents pfx.Contents
	for _, key := range keys {
		contents.Keys = append(contents.Keys, pfx.Key{PKCS8: key})
	}
	for _, certificate := range certificates {
		contents.Certificates = append(contents.Certificates, pfx.Certificate{DER: certificate})
	}
	file, err := pfx.Encode(t.Context(), rand.Reader, contents, []byte(password), options)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// foreignFile is a file of bridge/pfx/testdata.
func foreignFile(t *testing.T, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("pfx", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func makeVerifyRows(t *testing.T) []verifyRow {
	t.Helper()
	one, other := newSigner(t, tokentest.Now.AddDate(-1, 0, 0), tokentest.Now.AddDate(1, 0, 0)), newSigner(t, tokentest.Now.AddDate(-1, 0, 0), tokentest.Now.AddDate(1, 0, 0))
	expired, future := newSigner(t, tokentest.Now.AddDate(-1, 0, 0), tokentest.Now.Add(-time.Second)), newSigner(t, tokentest.Now.Add(time.Second), tokentest.Now.AddDate(1, 0, 0))
	encode := func(iterations int, keys [][]byte, certificates ...[]byte) []byte {
		return encoded(t, "test", pfx.Options{Profile: pfx.Modern, Iterations: iterations}, keys, certificates...)
	}
	encodeUnder := func(password string, profile pfx.Profile, of signer) []byte {
		return encoded(t, password, pfx.Options{Profile: profile, Iterations: strong}, [][]byte{of.pkcs8}, of.certificate)
	}
	foreign := func(name string) []byte { return foreignFile(t, name) }
	good := encode(strong, [][]byte{one.pkcs8}, one.certificate)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return []verifyRow{
		{"a valid copy", good, true, ""},
		{"few iterations", encode(strong-1, [][]byte{one.pkcs8}, one.certificate), true, `weak-protection {"iterations":99999}`},
		{"an old cipher", foreign("foreign/openssl-3des.p12"), true, `weak-protection {"algorithm":"pbeWithSHAAnd3-KeyTripleDES-CBC","iterations":100}`},
		{"a key in clear and no MAC", foreign("foreign/openssl-clear-no-mac.p12"), true, `key-not-protected {}; integrity-not-protected {"mac":"none"}`},
		{"a further certificate that cannot be read", encode(strong, [][]byte{one.pkcs8}, one.certificate, []byte{0x30, 3, 2, 1, 1}), true, `further-certificate-unreadable {"certificates":"2: malformed certificate: not a signed SEQUENCE"}`},
		{"two keys", encode(strong, [][]byte{other.pkcs8, one.pkcs8}, one.certificate), true, `several-keys {"keys":2}; further-key-incomplete {"key":"1","problem":"no certificate of this key"}`},
		{"expired", encode(strong, [][]byte{expired.pkcs8}, expired.certificate), true, `certificate-expired {"not_after":"2026-06-15T11:59:59Z"}`},
		{"not yet valid", encode(strong, [][]byte{future.pkcs8}, future.certificate), true, `certificate-not-yet-valid {"not_before":"2026-06-15T12:00:01Z"}`},
		{"the key of another certificate", encode(strong, [][]byte{other.pkcs8}, one.certificate), false, `key-of-another-certificate {}`},
		{"two keys, of other certificates", encode(strong, [][]byte{other.pkcs8, future.pkcs8}, one.certificate), false, `several-keys {"keys":2}; key-of-another-certificate {}`},
		{"no key", encode(strong, nil, one.certificate), false, `no-private-key {}`},
		{"no certificate", encode(strong, [][]byte{one.pkcs8}), false, `no-certificate {}`},
		{"a certificate that cannot be read", encode(strong, [][]byte{one.pkcs8}, brokenValidity(one.certificate)), false, `format-unsupported {"structure":"malformed certificate: no notBefore"}`},
		{"a key that cannot be read", encode(strong, [][]byte{damagedKey(t, one.pkcs8)}, one.certificate), false, `format-unsupported {"structure":"EC private key"}`},
		{"a key with the public half of another", encode(strong, [][]byte{append(bytes.Clone(one.pkcs8[:len(one.pkcs8)-64]), other.pkcs8[len(other.pkcs8)-64:]...)}, one.certificate), false,
			`key-not-sound {"problem":"pfx: public key of key 0: read the private key: malformed EC private key: its public key is that of another private key"}`},
		{"a key of an unknown kind", encode(strong, [][]byte{unknownKey(t)}, one.certificate), false, `format-unsupported {"algorithm":"1.2.3.4"}`},
		{"of another password", foreign("foreign/openssl-empty-password.p12"), false, `password-incorrect {}`},
		{"an algorithm that is not read here", outside(t, 8, asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401}), false, `format-unsupported {"algorithm":"HMAC SM3"}`},
		{"an algorithm that was altered", inGCM(foreign("foreign/openssl-default.p12")), false, `password-incorrect {}`},
		{"an old cipher: RC4", foreign("foreign/openssl-rc4-128.p12"), true, `weak-protection {"algorithm":"pbeWithSHAAnd128BitRC4","iterations":100}`},
		{"cut off", good[:len(good)-1], false, `file-damaged {"problem":"pfx: damaged PFX: truncated"}`},
		{"PBMAC1 without a key length", foreign("rfc9579/a6.p12"), false, `format-unsupported {"algorithm":"PBMAC1 without a key length"}`},
		{"more iterations than anybody waits for", manyIterations(t, foreign("foreign/openssl-clear.p12")), false, `iteration-count-too-large {"iterations":10000001,"limit":10000000}; key-not-protected {}`},
		{"empty", nil, false, `file-empty {}`},
		{"text", []byte("Lorem ipsum"), false, `not-a-pfx {"format":"unknown"}`},
		{"a certificate", one.certificate, false, `certificate-only {"format":"X.509 DER"}`},
		{"a certificate in PEM", block("CERTIFICATE", one.certificate), false, `certificate-only {"format":"X.509 PEM"}`},
		{"a key in PEM", append(block("CERTIFICATE", one.certificate), block("PRIVATE KEY", one.pkcs8)...), false, `private-key-unprotected {"format":"PKCS #8 PEM"}`},
		{"a request in PEM", block("CERTIFICATE REQUEST", one.certificate), false, `not-a-pfx {"format":"PKCS #10 PEM"}`},
		{"an empty password", encodeUnder("", pfx.Modern, one), true, `password-empty {}`},
		{"a password as OpenSSL 1.0 wrote it", encodeUnder(latin1Of("Contraseña€"), pfx.Legacy, one), true,
			`password-encoding {"encoding":"UTF-8, widened"}; weak-protection {"algorithm":"pbeWithSHAAnd3-KeyTripleDES-CBC","iterations":100000}`},
		{"a key with a password of its own", reshrouded(t, good, encodeUnder("other", pfx.Modern, one)), false, `inner-password-differs {"part":"key"}`},
		{"a line end behind it", append(bytes.Clone(good), '\n'), true, `trailing-data {"bytes":1}`},
		{"another one behind it", append(bytes.Clone(good), good...), true, fmt.Sprintf(`trailing-data {"bytes":%d,"format":"PKCS#12"}`, len(good))},
		{"a secret key beside it", foreign("foreign/keytool-secret-key-testtest.p12"), true, `other-contents {"secret_keys":1,"others":0}; weak-protection {"iterations":100}`},
		{"in PEM", block("PKCS12", good), true, `file-as-text {"encoding":"PEM"}`},
		{"in Base64", []byte(base64.StdEncoding.EncodeToString(good)), true, `file-as-text {"encoding":"Base64"}`},
		{"too much salt", outside(t, 1<<16+1, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}), false, `file-beyond-limits {"what":"salt length","value":65537,"limit":65536}`},
		{"a key store of Java", []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"), false, `java-key-store {"format":"JKS"}`},
		{"an encrypted key in PEM", block("ENCRYPTED PRIVATE KEY", one.pkcs8), false, `private-key-alone {"format":"PKCS #8, encrypted PEM"}`},
		{"a key that no token takes", x25519(t, one, encode), true, `key-not-for-tokens {"algorithm":"X25519"}; chain-incomplete {"missing_issuer":"CN=signer"}`},
		{"of absurd size", make([]byte, MaxFileSize+1), false, `file-too-large {"size":16777217,"limit":16777216}`},
	}
}

// latin1Of has a character for every byte of a text in UTF-8.
func latin1Of(text string) string {
	var characters []rune
	for _, b := range []byte(text) {
		characters = append(characters, rune(b))
	}
	return string(characters)
}

// reshrouded is a file whose key bag comes from another file, under another password.
func reshrouded(t *testing.T, file, other []byte) []byte {
	t.Helper()
	decode := func(file []byte, password string) *pfx.Contents {
		contents, err := pfx.Decode(t.Context(), file, []byte(password), pfx.DecodeOptions{KeepShrouded: true})
		if err != nil {
			t.Fatal(err)
		}
		return contents
	}
	contents := decode(file, "test")
	contents.Keys = decode(other, "other").Keys
	mixed, err := pfx.Encode(t.Context(), rand.Reader, *contents, []byte("test"), pfx.Options{Iterations: strong})
	if err != nil {
		t.Fatal(err)
	}
	return mixed
}

// outside is a file without contents, whose MAC has so much salt and that digest.
func outside(t *testing.T, length int, digestOID asn1.ObjectIdentifier) []byte {
	t.Helper()
	type algorithm struct {
		OID        asn1.ObjectIdentifier
		Parameters asn1.RawValue
	}
	type digest struct {
		Algorithm algorithm
		Value     []byte
	}
	type macData struct {
		Digest digest
		Salt   []byte
		Count  int
	}
	type info struct {
		Type    asn1.ObjectIdentifier
		Content []byte `asn1:"explicit,tag:0"`
	}
	file, err := asn1.Marshal(struct {
		Version int
		Safe    info
		MAC     macData
	}{3, info{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, []byte{0x30, 0}},
		macData{digest{algorithm{digestOID, asn1.NullRawValue}, make([]byte, 32)}, make([]byte, length), 1}})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// x25519 is a copy of a key that is for key agreement alone, certified by another one.
func x25519(t *testing.T, issuer signer, encode func(int, [][]byte, ...[]byte) []byte) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "agreed"}, NotBefore: tokentest.Now.AddDate(-1, 0, 0), NotAfter: tokentest.Now.AddDate(1, 0, 0)}
	parent := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signer"}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, parent, ed25519.PublicKey(key.PublicKey().Bytes()), crypto.Signer(issuer.key))
	if err != nil {
		t.Fatal(err)
	}
	certificate = bytes.Replace(certificate, []byte{0x2b, 0x65, 112}, []byte{0x2b, 0x65, 110}, 1) // crypto/x509 certifies no X25519
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return encode(strong, [][]byte{pkcs8}, certificate)
}

// inGCM names AES-256-GCM where a file names AES-256-CBC.
func inGCM(file []byte) []byte {
	return bytes.ReplaceAll(file, []byte{0x65, 3, 4, 1, 42}, []byte{0x65, 3, 4, 1, 46})
}

// brokenValidity makes the first time of a certificate's validity unreadable, and leaves its lengths and its key as they are.
func brokenValidity(certificate []byte) []byte {
	broken := bytes.Clone(certificate)
	at := bytes.Index(broken, []byte{0x17, 0x0D}) // UTCTime
	copy(broken[at+2:], "yesterday")
	return broken
}

// damagedKey is a P-256 key whose number is cut off, in a PrivateKeyInfo that is sound.
func damagedKey(t *testing.T, pkcs8 []byte) []byte {
	t.Helper()
	var info struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}
	if _, err := asn1.Unmarshal(pkcs8, &info); err != nil {
		t.Fatal(err)
	}
	info.Key = info.Key[:8]
	damaged, err := asn1.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	return damaged
}

// unknownKey is a PrivateKeyInfo of an algorithm that nobody knows.
func unknownKey(t *testing.T) []byte {
	t.Helper()
	key, err := asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 3, 4}}, []byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// manyIterations raises the iteration count of the MAC, the last number of a file, from 100 to 10,000,001.
func manyIterations(t *testing.T, file []byte) []byte {
	t.Helper()
	count, more := []byte{0x02, 0x01, 100}, []byte{0x02, 0x04, 0x00, 0x98, 0x96, 0x81}
	previous, ok := bytes.CutSuffix(file, count)
	longer := byte(len(more) - len(count))
	for i := len(previous) - 1; ok && i > 4; i-- {
		if previous[i] != 0x30 || i+2+int(previous[i+1]) != len(file) { // the SEQUENCE that ends where the file does: MacData
			continue
		}
		raised := append(bytes.Clone(previous), more...)
		raised[i+1] += longer
		binary.BigEndian.PutUint16(raised[2:], binary.BigEndian.Uint16(raised[2:])+uint16(longer))
		return raised
	}
	t.Fatal("the iteration count was not found")
	return nil
}
