package bridge

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
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

func makeVerifyRows(t *testing.T) []verifyRow {
	t.Helper()
	one, other := newSigner(t, tokentest.Now.AddDate(-1, 0, 0), tokentest.Now.AddDate(1, 0, 0)), newSigner(t, tokentest.Now.AddDate(-1, 0, 0), tokentest.Now.AddDate(1, 0, 0))
	expired, future := newSigner(t, tokentest.Now.AddDate(-1, 0, 0), tokentest.Now.Add(-time.Second)), newSigner(t, tokentest.Now.Add(time.Second), tokentest.Now.AddDate(1, 0, 0))
	encode := func(iterations int, keys [][]byte, certificates ...[]byte) []byte {
		var contents pfx.Contents
		for _, key := range keys {
			contents.Keys = append(contents.Keys, pfx.Key{PKCS8: key})
		}
		for _, certificate := range certificates {
			contents.Certificates = append(contents.Certificates, pfx.Certificate{DER: certificate})
		}
		file, err := pfx.Encode(t.Context(), rand.Reader, contents, []byte("test"), pfx.Options{Profile: pfx.Modern, Iterations: iterations})
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	foreign := func(name string) []byte {
		file, err := os.ReadFile(filepath.Join("pfx", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := encode(strong, [][]byte{one.pkcs8}, one.certificate)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	unreadable := brokenValidity(one.certificate)
	return []verifyRow{
		{"a valid copy", good, true, ""},
		{"few iterations", encode(strong-1, [][]byte{one.pkcs8}, one.certificate), true, `weak-protection {"iterations":99999}`},
		{"an old cipher", foreign("foreign/openssl-3des.p12"), true, `weak-protection {"algorithm":"pbeWithSHAAnd3-KeyTripleDES-CBC","iterations":100}`},
		{"a key in clear and no MAC", foreign("foreign/openssl-clear-no-mac.p12"), true, `key-not-protected {}; integrity-not-protected {"mac":"none"}`},
		{"two keys", encode(strong, [][]byte{other.pkcs8, one.pkcs8}, one.certificate), true, `several-keys {"keys":2}`},
		{"expired", encode(strong, [][]byte{expired.pkcs8}, expired.certificate), true, `certificate-expired {"not_after":"2026-06-15T11:59:59Z"}`},
		{"not yet valid", encode(strong, [][]byte{future.pkcs8}, future.certificate), true, `certificate-not-yet-valid {"not_before":"2026-06-15T12:00:01Z"}`},
		{"the key of another certificate", encode(strong, [][]byte{other.pkcs8}, one.certificate), false, `key-of-another-certificate {}`},
		{"two keys, of other certificates", encode(strong, [][]byte{other.pkcs8, future.pkcs8}, one.certificate), false, `several-keys {"keys":2}; key-of-another-certificate {}`},
		{"no key", encode(strong, nil, one.certificate), false, `no-private-key {}`},
		{"no certificate", encode(strong, [][]byte{one.pkcs8}), false, `no-certificate {}`},
		{"a certificate that cannot be read", encode(strong, [][]byte{one.pkcs8}, unreadable), false, `certificate-unreadable {"problem":"malformed certificate: no notBefore"}`},
		{"a key that cannot be read", encode(strong, [][]byte{damagedKey(t, one.pkcs8)}, one.certificate), false,
			`file-damaged {"problem":"pfx: public key of key 0: read the private key: malformed EC private key: not an ECPrivateKey"}`},
		{"a key of an unknown kind", encode(strong, [][]byte{unknownKey(t)}, one.certificate), false, `key-type-unsupported {"algorithm":"1.2.3.4"}`},
		{"of another password", foreign("foreign/openssl-empty-password.p12"), false, `password-incorrect {}`},
		{"an algorithm that is not read here", inGCM(foreign("foreign/openssl-default.p12")), false, `format-unsupported {"algorithm":"PBES2 PBKDF2-HMAC-SHA-256 AES-256-GCM"}`},
		{"an old cipher: RC4", foreign("foreign/openssl-rc4-128.p12"), true, `weak-protection {"algorithm":"pbeWithSHAAnd128BitRC4","iterations":100}`},
		{"cut off", good[:len(good)-1], false, `file-damaged {"problem":"pfx: damaged PFX: truncated"}`},
		{"PBMAC1 without a key length", foreign("rfc9579/a6.p12"), false, `format-unsupported {"algorithm":"PBMAC1 without a key length"}`},
		{"more iterations than anybody waits for", manyIterations(t, foreign("foreign/openssl-clear.p12")), false, `iteration-count-too-large {"iterations":10000001,"limit":10000000}`},
		{"empty", nil, false, `not-a-pfx {"format":"unknown"}`},
		{"text", []byte("Lorem ipsum"), false, `not-a-pfx {"format":"unknown"}`},
		{"a certificate", one.certificate, false, `certificate-only {"format":"X.509 DER"}`},
		{"a certificate in PEM", block("CERTIFICATE", one.certificate), false, `certificate-only {"format":"X.509 PEM"}`},
		{"a key in PEM", append(block("CERTIFICATE", one.certificate), block("PRIVATE KEY", one.pkcs8)...), false, `not-a-pfx {"format":"private key PEM"}`},
		{"a request in PEM", block("CERTIFICATE REQUEST", one.certificate), false, `not-a-pfx {"format":"PEM"}`},
		{"of absurd size", make([]byte, MaxFileSize+1), false, `file-too-large {"size":16777217,"limit":16777216}`},
	}
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
	before, ok := bytes.CutSuffix(file, count)
	longer := byte(len(more) - len(count))
	for i := len(before) - 1; ok && i > 4; i-- {
		if before[i] != 0x30 || i+2+int(before[i+1]) != len(file) { // the SEQUENCE that ends where the file does: MacData
			continue
		}
		raised := append(bytes.Clone(before), more...)
		raised[i+1] += longer
		binary.BigEndian.PutUint16(raised[2:], binary.BigEndian.Uint16(raised[2:])+uint16(longer))
		return raised
	}
	t.Fatal("the iteration count was not found")
	return nil
}

func (row verifyRow) verify(t *testing.T) *Verification {
	t.Helper()
	v, err := Verify(t.Context(), row.file, func() (*secret.Text, error) { return secret.New([]byte("test")), nil }, rowTime(row))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// rowTime is within the validity of the certificates of files that others made.
func rowTime(row verifyRow) time.Time {
	if strings.HasPrefix(row.name, "an old cipher") || strings.HasPrefix(row.name, "a key in clear") {
		return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return tokentest.Now
}

func TestVerify(t *testing.T) {
	for _, row := range verifyRows(t) {
		t.Run(row.name, func(t *testing.T) {
			v := row.verify(t)
			if got := verdict.Text(v.Reasons); got != row.want || v.Valid != row.valid {
				t.Errorf("valid is %v, %s\nnot %v, %s", v.Valid, got, row.valid, row.want)
			}
			if v.Valid && (!v.HasPrivateKey || !v.HasCertificate || v.KeyMatches == nil || !*v.KeyMatches || v.Certificate == nil) {
				t.Errorf("a valid copy lacks something: %+v", v)
			}
			for _, reason := range v.Reasons {
				if err := reason.Validate(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestVerifyAsksForNoPasswordInVain has files that no password opens.
func TestVerifyAsksForNoPasswordInVain(t *testing.T) {
	asked := errors.New("asked")
	for _, row := range verifyRows(t) {
		_, err := Verify(t.Context(), row.file, func() (*secret.Text, error) { return nil, asked }, tokentest.Now)
		looked := strings.HasPrefix(row.want, "not-a-pfx") || strings.HasPrefix(row.want, "certificate-only") || strings.HasPrefix(row.want, "file-too-large") ||
			strings.HasPrefix(row.want, "iteration-count") || strings.HasPrefix(row.want, "format-unsupported") || row.name == "cut off"
		if looked == errors.Is(err, asked) {
			t.Errorf("%s: asked for the password: %v", row.name, err)
		}
	}
}

func TestVerifyIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, verifyRows(t)[0].file, func() (*secret.Text, error) { return secret.New([]byte("test")), nil }, tokentest.Now); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// chainReasons is what an export says of a chain that ends before its root.
func chainReasons(t *testing.T) []verdict.Reason {
	t.Helper()
	der, err := os.ReadFile(filepath.Join("..", "token", "pki", "testdata", "leaf.crt"))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := pki.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	receipt := &Receipt{Certificate: leaf}
	ExportRequest{Inventory: tokentest.InventoryOf()}.chain(receipt)
	return receipt.Notices
}

func TestChainIncomplete(t *testing.T) {
	reasons := chainReasons(t)
	if got, want := verdict.Text(reasons), `chain-incomplete {"missing_issuer":"CN=twin"}`; got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
	for _, reason := range reasons {
		if err := reason.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// producedHere are the codes of files, backups and chains, which bridge/verdict's own rows do not produce.
var producedHere = []verdict.Code{
	verdict.NoCertificate, verdict.CertificateOnly, verdict.KeyOfAnotherCert, verdict.PasswordIncorrect, verdict.SeveralKeys,
	verdict.IntegrityNotProtected, verdict.WeakProtection, verdict.KeyNotProtected, verdict.IterationCountTooLarge, verdict.NoPrivateKey, verdict.FileDamaged, verdict.FormatUnsupported, verdict.NotAPFX, verdict.FileTooLarge,
	verdict.ChainIncomplete,
}

// awaiting are the codes of acts that need a token: scripts and tests on real tokens produce them, and no plain values do.
// Whoever produces one in a row here moves it to producedHere.
var awaiting = []verdict.Code{
	verdict.BackupOfAnotherKey, verdict.NoKeyForCertificate,
	verdict.AlreadyOnToken, verdict.TokenFull, verdict.RestoreRefused, verdict.RestoredDifferently, verdict.PublicKeyNotStored,
}

// TestCodesProducedHere holds the two lists against the rows.
func TestCodesProducedHere(t *testing.T) {
	produced := map[verdict.Code]bool{}
	count := func(reasons []verdict.Reason) {
		for _, reason := range reasons {
			produced[reason.Code] = true
		}
	}
	for _, row := range verifyRows(t) {
		count(row.verify(t).Reasons)
	}
	count(chainReasons(t))
	for _, code := range producedHere {
		if !produced[code] {
			t.Errorf("no row produces %s", code)
		}
	}
	for _, code := range awaiting {
		if _, known := verdict.Lookup(code); !known || produced[code] {
			t.Errorf("%s stands among those awaited, and is produced or gone", code)
		}
	}
}
