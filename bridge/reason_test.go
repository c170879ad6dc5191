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
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"p11bridge/bridge/pfx"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// loginRow is how a login failed and what is to be said.
type loginRow struct {
	name string
	err  error
	want string
}

func loginRows() []loginRow {
	failed := func(code token.CKR, flags token.Flags) error {
		return &token.LoginError{Err: &token.Error{Function: "C_Login", Code: code}, Flags: flags}
	}
	return []loginRow{
		{"wrong", failed(token.CKRPINIncorrect, 0), `pin-incorrect {"CKR":"CKR_PIN_INCORRECT","CKF_USER_PIN_COUNT_LOW":false,"CKF_USER_PIN_FINAL_TRY":false}`},
		{"wrong, one left", failed(token.CKRPINIncorrect, token.CKFUserPINCountLow|token.CKFUserPINFinalTry),
			`pin-incorrect {"CKR":"CKR_PIN_INCORRECT","CKF_USER_PIN_COUNT_LOW":true,"CKF_USER_PIN_FINAL_TRY":true}`},
		{"wrong, and that was the last", failed(token.CKRPINIncorrect, token.CKFUserPINLocked), `pin-locked {"CKR":"CKR_PIN_INCORRECT","CKF_USER_PIN_LOCKED":true}`},
		{"of another length", failed(token.CKRPINLenRange, 0), `pin-incorrect {"CKR":"CKR_PIN_LEN_RANGE","CKF_USER_PIN_COUNT_LOW":false,"CKF_USER_PIN_FINAL_TRY":false}`},
		{"wrong, and the flags are not known", &token.Error{Function: "C_Login", Code: token.CKRPINIncorrect}, `pin-incorrect {"CKR":"CKR_PIN_INCORRECT"}`},
		{"locked", failed(token.CKRPINLocked, 0), `pin-locked {"CKR":"CKR_PIN_LOCKED"}`},
		{"expired", failed(token.CKRPINExpired, 0), `pin-must-change {"CKR":"CKR_PIN_EXPIRED"}`},
		{"never set", failed(token.CKRUserPINNotInitialized, 0), `pin-not-set {"CKR":"CKR_USER_PIN_NOT_INITIALIZED"}`},
		{"pulled out", failed(token.CKRTokenNotPresent, 0), `token-absent {"CKR":"CKR_TOKEN_NOT_PRESENT"}`},
		{"a failure is no verdict", failed(token.CKRGeneralError, 0), ""},
		{"nor is one of ours", errors.New("no"), ""},
	}
}

// TestJudgeLogin is also about token-absent: its evidence says what the token answered where no slots were counted.
func TestJudgeLogin(t *testing.T) {
	for _, row := range loginRows() {
		t.Run(row.name, func(t *testing.T) {
			reasons := JudgeLogin(row.err)
			if got := reasonsText(reasons); got != row.want {
				t.Errorf("%s\nnot\n%s", got, row.want)
			}
			for _, reason := range reasons {
				checkEvidence(t, reason)
			}
		})
	}
	if got, want := reasonsText([]Reason{PINLengthReason(&token.Info{MinPINLen: 4, MaxPINLen: 8})}), `pin-length {"min_pin_len":4,"max_pin_len":8}`; got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
}

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
	one, other := newSigner(t, now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0)), newSigner(t, now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	expired, future := newSigner(t, now.AddDate(-1, 0, 0), now.Add(-time.Second)), newSigner(t, now.Add(time.Second), now.AddDate(1, 0, 0))
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
		{"an algorithm that nobody reads", foreign("foreign/openssl-rc4-128.p12"), false, `format-unsupported {"algorithm":"pbeWithSHAAnd128BitRC4"}`},
		{"cut off", good[:len(good)-1], false, `file-damaged {"problem":"pfx: damaged PFX: truncated"}`},
		{"PBMAC1 without a key length", foreign("rfc9579/a6.p12"), false, `file-damaged {"problem":"pfx: damaged PBMAC1 parameters: key length is missing"}`},
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
	return now
}

func TestVerify(t *testing.T) {
	for _, row := range verifyRows(t) {
		t.Run(row.name, func(t *testing.T) {
			v := row.verify(t)
			if got := reasonsText(v.Reasons); got != row.want || v.Valid != row.valid {
				t.Errorf("valid is %v, %s\nnot %v, %s", v.Valid, got, row.valid, row.want)
			}
			if v.Valid && (!v.HasPrivateKey || !v.HasCertificate || v.KeyMatches == nil || !*v.KeyMatches || v.Certificate == nil) {
				t.Errorf("a valid copy lacks something: %+v", v)
			}
			for _, reason := range v.Reasons {
				checkEvidence(t, reason)
			}
		})
	}
}

// TestVerifyAsksForNoPasswordInVain has files that no password opens.
func TestVerifyAsksForNoPasswordInVain(t *testing.T) {
	asked := errors.New("asked")
	for _, row := range verifyRows(t) {
		_, err := Verify(t.Context(), row.file, func() (*secret.Text, error) { return nil, asked }, now)
		looked := strings.HasPrefix(row.want, "not-a-pfx") || strings.HasPrefix(row.want, "certificate-only") || strings.HasPrefix(row.want, "file-too-large") ||
			strings.HasPrefix(row.want, "iteration-count") || row.name == "cut off" || strings.HasPrefix(row.name, "PBMAC1")
		if looked == errors.Is(err, asked) && row.name != "an algorithm that nobody reads" {
			t.Errorf("%s: asked for the password: %v", row.name, err)
		}
	}
}

func TestVerifyIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, verifyRows(t)[0].file, func() (*secret.Text, error) { return secret.New([]byte("test")), nil }, now); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// moduleRow is the run of a module and what is to be said of it: the light, the module's reasons, then each slot's.
type moduleRow struct {
	name    string
	run     ModuleRun
	daemon  token.PCSCDaemon
	softHSM token.SoftHSMConfiguration
	want    string
}

func moduleRows() []moduleRow {
	const path = "/m.so"
	library := token.Library{Path: path}
	failed := func(failure token.Failure) ModuleRun {
		return ModuleRun{Library: library, Inspection: &token.Inspection{Failure: &failure, Complete: true}}
	}
	load := func(fault token.LoadFault) ModuleRun { return failed(token.Failure{Fault: fault, Text: "loader"}) }
	ended := func(incident Incident) ModuleRun { return ModuleRun{Library: library, Incident: &incident} }
	shows := func(slots ...token.InspectedSlot) ModuleRun {
		return ModuleRun{Library: library, Inspection: &token.Inspection{Slots: slots, Complete: true}}
	}
	holds := func(flags token.Flags, keys int) token.InspectedSlot {
		return token.InspectedSlot{Token: &token.Info{Flags: flags}, Objects: &token.ObjectCount{All: keys, PrivateKeys: keys}}
	}
	run := func(change func(*ModuleRun)) ModuleRun {
		r := shows(holds(usual, 1))
		change(&r)
		return r
	}
	down, up := token.PCSCDaemon{Socket: "/s", Problem: "refused"}, token.PCSCDaemon{Socket: "/s", Answers: true}
	readers := ModuleRun{Library: library, Inspection: &token.Inspection{PCSC: true, Complete: true}}
	hidden := `keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true}`
	return []moduleRow{
		{"a token", shows(holds(usual, 1)), up, token.SoftHSMConfiguration{}, `ok |`},
		{"a token with hidden keys", shows(holds(usual, 0)), up, token.SoftHSMConfiguration{}, `ok | ` + hidden},
		{"no such file", load(token.FaultMissing), up, token.SoftHSMConfiguration{}, `broken module-missing {"module":"/m.so","problem":"loader"}`},
		{"not readable", load(token.FaultNotReadable), up, token.SoftHSMConfiguration{}, `broken module-not-readable {"module":"/m.so","problem":"loader"}`},
		{"no library", load(token.FaultNotALibrary), up, token.SoftHSMConfiguration{}, `broken module-not-a-library {"module":"/m.so","problem":"loader"}`},
		{"another processor's", load(token.FaultWrongArchitecture), up, token.SoftHSMConfiguration{}, `broken module-wrong-architecture {"module":"/m.so","problem":"loader"}`},
		{"a library is missing", load(token.FaultDependency), up, token.SoftHSMConfiguration{}, `broken module-dependency-missing {"module":"/m.so","problem":"loader"}`},
		{"no PKCS#11", load(token.FaultNotPKCS11), up, token.SoftHSMConfiguration{}, `broken module-not-pkcs11 {"module":"/m.so","problem":"loader"}`},
		{"no function list", load(token.FaultFunctionList), up, token.SoftHSMConfiguration{}, `broken module-function-list-failed {"module":"/m.so","problem":"loader"}`},
		{"C_Initialize refuses", failed(token.Failure{Function: "C_Initialize", Code: token.CKRGeneralError}), up, token.SoftHSMConfiguration{},
			`broken module-initialize-failed {"module":"/m.so","function":"C_Initialize","CKR":"CKR_GENERAL_ERROR"}`},
		{"C_GetSlotList refuses", failed(token.Failure{Function: "C_GetSlotList", Code: token.CKRGeneralError}), up, token.SoftHSMConfiguration{},
			`broken module-failed {"module":"/m.so","function":"C_GetSlotList","CKR":"CKR_GENERAL_ERROR"}`},
		{"an answer that cannot be used", failed(token.Failure{Function: "C_GetSlotList", Text: "odd"}), up, token.SoftHSMConfiguration{},
			`broken module-failed {"module":"/m.so","function":"C_GetSlotList","problem":"odd"}`},
		{"crashed", ended(Incident{Function: "C_GetInfo", Signal: "SIGSEGV"}), up, token.SoftHSMConfiguration{},
			`broken module-crashed {"module":"/m.so","function":"C_GetInfo","signal":"SIGSEGV"}`},
		{"hung", ended(Incident{Function: "C_GetInfo", Hung: true, After: 2 * time.Second}), up, token.SoftHSMConfiguration{},
			`broken module-hung {"module":"/m.so","function":"C_GetInfo","after":"2s"}`},
		{"ended the process", ended(Incident{}), up, token.SoftHSMConfiguration{}, `broken module-exited {"module":"/m.so","function":null}`},
		{"printed", run(func(r *ModuleRun) { r.Printed = "noise\xff" }), up, token.SoftHSMConfiguration{}, "ok module-printed {\"module\":\"/m.so\",\"printed\":\"noise\uFFFD\"} |"},
		{"no pcscd", readers, down, token.SoftHSMConfiguration{}, `look pcscd-not-running {"socket":"/s","problem":"refused","process":false}`},
		{"no reader", readers, up, token.SoftHSMConfiguration{}, `look no-reader {"module":"/m.so","slots":0}`},
		{"no token in the slot", shows(token.InspectedSlot{}), up, token.SoftHSMConfiguration{}, `look token-absent {"slots":1} |`},
		{"SoftHSM without configuration", run(func(r *ModuleRun) { r.Inspection.SoftHSM, r.Inspection.Slots = true, nil }), up,
			token.SoftHSMConfiguration{Fault: token.SoftHSMFileMissing, At: "/c"},
			`look softhsm-configuration {"problem":"configuration-missing","path":"/c","SOFTHSM2_CONF":null}; token-absent {"slots":0}`},
		{"a free place beside a token", shows(holds(usual, 1), holds(0, 0)), up, token.SoftHSMConfiguration{}, `ok | |`},
		{"only a free place", shows(holds(0, 0)), up, token.SoftHSMConfiguration{}, `look | token-not-initialised {"CKF_TOKEN_INITIALIZED":false}`},
	}
}

func (row moduleRow) judge() (ModuleVerdict, string) {
	v := JudgeModule(row.run, row.daemon, row.softHSM)
	text := strings.TrimSpace(string(v.Light) + " " + reasonsText(v.Reasons))
	for _, slot := range v.Slots {
		text = strings.TrimSpace(text + " | " + reasonsText(slot.Reasons))
	}
	return v, text
}

func TestJudgeModule(t *testing.T) {
	for _, row := range moduleRows() {
		t.Run(row.name, func(t *testing.T) {
			v, got := row.judge()
			if got != row.want {
				t.Errorf("%s\nnot\n%s", got, row.want)
			}
			reasons := slices.Clone(v.Reasons)
			for _, slot := range v.Slots {
				reasons = append(reasons, slot.Reasons...)
			}
			for _, reason := range reasons {
				checkEvidence(t, reason)
			}
		})
	}
}

// chainReasons is what an export says of a chain that ends before its root.
func chainReasons(t *testing.T) []Reason {
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
	ExportRequest{Inventory: inventoryOf()}.chain(receipt)
	return receipt.Notices
}

func TestChainIncomplete(t *testing.T) {
	reasons := chainReasons(t)
	if got, want := reasonsText(reasons), `chain-incomplete {"missing_issuer":"CN=twin"}`; got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
	for _, reason := range reasons {
		checkEvidence(t, reason)
	}
}

// madeByCommands are the codes that no judgement makes: a command gives them where it could not even ask. The file that does
// is named, and looked into.
var madeByCommands = map[Code]string{PINMissing: "cmd/login.go", PasswordMissing: "cmd/report.go"}

// awaiting are the codes of acts that need a token: scripts and tests on real tokens produce them, and no plain values do.
// Whoever produces one in a row here takes it off the list.
var awaiting = []Code{
	BackupOfAnotherKey, NoKeyForCertificate,
	AlreadyOnToken, TokenFull, RestoreRefused, RestoredDifferently, PublicKeyNotStored,
}

// TestEveryCodeHasARow counts the codes that the rows of this package produce, and fails on one that none does.
func TestEveryCodeHasARow(t *testing.T) {
	produced := map[Code]int{}
	count := func(reasons []Reason) {
		for _, reason := range reasons {
			produced[reason.Code]++
		}
	}
	for _, row := range judgeRows() {
		for _, v := range row.verdicts() {
			count(v.Reasons)
		}
	}
	for _, row := range tokenRows() {
		count(JudgeToken(&token.Info{Flags: row.flags}))
	}
	for _, row := range loginRows() {
		count(JudgeLogin(row.err))
	}
	for _, row := range verifyRows(t) {
		count(row.verify(t).Reasons)
	}
	for _, row := range statusRows() {
		for _, key := range row.status().Keys {
			count(key.Reasons)
		}
	}
	for _, row := range moduleRows() {
		v, _ := row.judge()
		count(v.Reasons)
		for _, slot := range v.Slots {
			count(slot.Reasons)
		}
	}
	count(chainReasons(t))
	count([]Reason{PINLengthReason(&token.Info{}), NoModuleReason(nil)})
	for code, file := range madeByCommands {
		source, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`\bbridge\.`+identifier(t, code)+`\b`).Match(source) || produced[code] > 0 {
			t.Errorf("%s does not make %s any more, or a row does", file, code)
		}
		produced[code]++
	}
	for _, code := range awaiting {
		if _, known := Lookup(code); !known || produced[code] > 0 {
			t.Errorf("%s stands among those awaited, and is produced or gone: take it off the list", code)
		}
	}
	for _, entry := range Table() {
		if produced[entry.Code] == 0 && !slices.Contains(awaiting, entry.Code) {
			t.Errorf("nothing produces %s", entry.Code)
		}
		delete(produced, entry.Code)
	}
	for code := range produced {
		t.Errorf("%s is produced and not in the table", code)
	}
}

// identifier finds the constant of a code in reason.go.
func identifier(t *testing.T, code Code) string {
	t.Helper()
	source, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`(?m)^\t(\w+) +Code = "` + regexp.QuoteMeta(string(code)) + `"$`).FindSubmatch(source)
	if match == nil {
		t.Fatalf("reason.go has no constant for %s", code)
	}
	return string(match[1])
}

// TestTable holds the table of reasons itself.
func TestTable(t *testing.T) {
	kinds := []Kind{Permits, Refuses, Adds, Notices, Blocks, Spoils, Weakness}
	seen := map[Code]bool{}
	for _, entry := range Table() {
		if seen[entry.Code] || !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`).MatchString(string(entry.Code)) {
			t.Errorf("%q is there twice, or no code", entry.Code)
		}
		seen[entry.Code] = true
		if !slices.Contains(kinds, entry.Kind) || entry.Specification == "" {
			t.Errorf("%s has the kind %q and the specification %q", entry.Code, entry.Kind, entry.Specification)
		}
		if got, known := Lookup(entry.Code); !known || got.Code != entry.Code {
			t.Errorf("Lookup does not find %s", entry.Code)
		}
	}
	source, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := regexp.MustCompile(`(?m)^\t\w+ +Code = "([^"]+)"$`).FindAllSubmatch(source, -1)
	if len(constants) != len(seen) {
		t.Errorf("%d constants, %d rows", len(constants), len(seen))
	}
	for _, constant := range constants {
		if !seen[Code(constant[1])] {
			t.Errorf("%s is not in the table", constant[1])
		}
	}
	if _, known := Lookup("no-such-code"); known {
		t.Error("Lookup finds what is not there")
	}
	Table()[0].Code = "overwritten"
	if table[0].Code == "overwritten" {
		t.Error("Table gives the table itself")
	}
}

// TestSchemaListsEveryCode holds the published schema against the table.
func TestSchemaListsEveryCode(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "schema", "p11bridge.common.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs struct {
			Code struct{ Enum []Code }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	var codes []Code
	for _, entry := range Table() {
		codes = append(codes, entry.Code)
	}
	if difference := cmp.Diff(codes, schema.Defs.Code.Enum); difference != "" {
		t.Errorf("p11bridge.common.schema.json lists other codes than reason.go, or in another order (-reason.go +schema):\n%s", difference)
	}
}

func TestEvidenceKeepsItsOrder(t *testing.T) {
	for _, row := range []struct {
		evidence Evidence
		want     string
	}{
		{nil, `{}`},
		{Evidence{{"b", nil}, {"a", true}, {`"`, "<\u2028"}, {"c", []string{"x"}}, {"n", 7}}, `{"b":null,"a":true,"\"":"\u003c\u2028","c":["x"],"n":7}`},
	} {
		text, err := json.Marshal(row.evidence)
		if err != nil || string(text) != row.want {
			t.Errorf("%s, %v; not %s", text, err, row.want)
		}
	}
	if _, err := json.Marshal(Evidence{{"f", func() {}}}); err == nil {
		t.Error("a value that JSON has no form for is passed over")
	}
}
