package softhsmtests

import (
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"p11bridge/bridge"
	"p11bridge/bridge/pfx"
	"p11bridge/bridge/verdict"
)

// witness is a token, a module or a file, asked by one command, and the codes that it is a witness of.
type witness struct {
	name        string
	environment []string
	args        []string
	codes       []string
}

// witnesses are what they need, and the list of them.
type witnesses struct {
	place       *place
	directory   string
	module, bad string // SoftHSM, and the faulty module before it
	young       string // a certificate of today
	list        []witness
}

func newWitnesses(t *testing.T) *witnesses {
	t.Helper()
	w := &witnesses{directory: t.TempDir(), module: softHSM(t), bad: faultyModule(t)}
	w.place = newPlace(t, `token "codes"
label="trusted" id=01 key=p256 policy=trusted certificate=valid
label="rsa" id=02 key=rsa2048 policy=wrappable certificate=valid
label="locked" id=03 key=rsa2048 policy=locked
label="of another" id=03 key=p256 nokey certificate=valid
label="note" data
`)
	w.young = issueYoung(t, w.directory)
	if out, err := foreign(w.directory, w.place.environment, "pkcs11-tool", "--module", w.module, "--token-label", "codes", "--login", "--pin", testPIN,
		"--write-object", w.young, "--type", "cert", "--label", "young", "--id", "09"); err != nil {
		t.Fatal(err, out)
	}
	return w
}

func (w *witnesses) path(name string) string { return filepath.Join(w.directory, name) }

func (w *witnesses) add(name string, environment, args []string, codes ...string) {
	w.list = append(w.list, witness{name, environment, append(args, "--json"), codes})
}

// faulty is a command under a fault, and its environment.
func (w *witnesses) faulty(fault, command string, args ...string) ([]string, []string) {
	return append(slices.Clone(w.place.environment), "P11FAULT="+fault), append([]string{command, "--module", w.bad, "--token", "codes", "--pin-source", w.place.pin, "--timeout", callLimit(fault)}, args...)
}

// addTokens are witnesses of what is said of keys, tokens and PINs.
func (w *witnesses) addTokens(t *testing.T) {
	t.Helper()
	all, bare := everything(t), newPlace(t, "# no token at all\n")
	password, wrong, short := write(t, w.directory, "password.txt", []byte(testPassword+"\n")), write(t, w.directory, "wrong.txt", []byte("Hexenmeister-9999\n")), write(t, w.directory, "short.txt", []byte("1\n"))
	under := func(fault string, codes ...string) {
		environment, args := w.faulty(fault, "diagnose")
		w.add(fault, environment, args, codes...)
	}
	ability := softHSMCan(t)
	method, _, _ := ability.method()
	own := []string{"exportable-by-" + method}
	if !ability.wrapsEdwards {
		own = append(own, "wrap-refused", "exportable-by-attributes")
	}
	w.add("everything", all.environment, append([]string{"diagnose"}, all.flags...), append(own, "key-not-extractable", "key-generated-on-token",
		"original-may-exist", "certificate-without-key", "public-key-alone", "token-family-backup", "key-without-certificate", "certificate-expired", "certificate-not-yet-valid", "issuer-certificate")...)
	w.add("before the login", all.environment, []string{"diagnose"}, "keys-hidden-until-login")
	w.add("one of each", w.place.environment, []string{"diagnose", "--pin-source", w.place.pin}, "wrap-needs-trusted-key", "certificate-does-not-match-key", "certificate-recent")
	under("no-wrap", "no-wrapping-mechanism")
	under("only:0x210A", "exportable-by-wrap")
	under("cbc-pad", "exportable-by-shroud")
	under("unsupported:0x162", "attributes-not-told")
	under("garbage:0x100", "key-type-unsupported")
	under("garbage:0x11", "certificate-unreadable")
	under("flags:-0x400", "token-not-initialised")
	under("flags:+0x40000", "pin-locked")
	under("flags:+0x20000", "pin-last-attempt")
	under("flags:-0x8", "pin-not-set")
	under("flags:+0x80000", "pin-must-change")
	environment, args := w.faulty("pinpad", "diagnose", "--no-login")
	w.add("a keypad", environment, args, "pinpad-required")
	w.add("nothing set up", bare.environment, []string{"list"}, "softhsm-empty")
	under("error:C_Login:0xe0", "token-absent")
	tpm := newTPM(t)
	tpm.ptool(t, "addkey", "--label", "tpm", "--userpin", tpmPIN, "--algorithm", "ecc256", "--key-label", "generated", "--id", "01")
	w.add("a TPM", tpm.environment, []string{"diagnose", "--module", tpm.module, "--token", "tpm", "--pin-source", "file:" + write(t, w.directory, "tpm-pin.txt", []byte(tpmPIN+"\n"))},
		"token-family-no-backup")
	export := func(source ...string) []string {
		return append([]string{"export", "rsa", "-o", w.path("out.pfx"), "--force", "--iterations", "1000", "--token", "codes", "--password-source", "file:" + password}, source...)
	}
	w.add("no PIN", w.place.environment, export(), "pin-missing")
	w.add("a short PIN", w.place.environment, export("--pin-source", "file:"+short), "pin-length")
	w.add("no chain", w.place.environment, export("--pin-source", w.place.pin), "chain-incomplete")
	w.add("a wrong PIN", w.place.environment, export("--pin-source", "file:"+wrong), "pin-incorrect")
}

// addModules are witnesses of what doctor says of modules.
func (w *witnesses) addModules(t *testing.T) {
	t.Helper()
	doctor := func(name, library string, environment []string, codes ...string) {
		w.add(name, environment, []string{"doctor", "--module", library, "--timeout", callLimit(name)}, codes...)
	}
	broken := func(fault string, codes ...string) {
		doctor("doctor "+fault, w.bad, append(slices.Clone(w.place.environment), "P11FAULT="+fault), codes...)
	}
	doctor("no file", w.path("nowhere.so"), nil, "module-missing")
	doctor("a text", write(t, w.directory, "text.so", []byte("text")), nil, "module-not-a-library")
	doctor("no PKCS#11", compileLibrary(t, w.directory, "plain.so", "int nothing;"), nil, "module-not-pkcs11")
	doctor("a library is missing", compileDependent(t, w.directory), nil, "module-dependency-missing")
	broken("crush:C_Login", "module-function-list-failed")
	broken("error:C_Initialize:0x5", "module-initialize-failed")
	broken("error:C_GetSlotList:0x5", "module-failed")
	broken("crash:C_GetSlotList", "module-crashed")
	broken("exit:C_GetSlotList", "module-exited")
	broken("hang:C_GetSlotList", "module-hung")
	broken("print", "module-printed")
	doctor("SoftHSM without configuration", w.module, []string{"SOFTHSM2_CONF=" + w.path("nowhere.conf")}, "softhsm-configuration")
	doctor("no pcscd", library(t, "opensc-pkcs11.so"), []string{"PCSCLITE_CSOCK_NAME=" + w.path("nowhere")}, "pcscd-not-running")
}

// addFiles are witnesses of what is said of files.
func (w *witnesses) addFiles(t *testing.T) {
	t.Helper()
	verify := func(name, file string, codes ...string) {
		w.add(name, nil, []string{"verify", file, "--password-source", "file:" + write(t, w.directory, "test.txt", []byte("test\n"))}, codes...)
	}
	foreignFile := func(name string) string { return filepath.Join("..", "bridge", "pfx", "testdata", name) }
	verify("no PFX", write(t, w.directory, "text.pfx", []byte("text")), "not-a-pfx")
	verify("cut off", truncated(t, w.directory, foreignFile("own/modern.p12")), "file-damaged")
	verify("of absurd size", write(t, w.directory, "large.pfx", make([]byte, bridge.MaxFileSize+1)), "file-too-large")
	verify("PBMAC1 without a key length", foreignFile("rfc9579/a6.p12"), "format-unsupported")
	verify("no key", foreignFile("foreign/openssl-no-key.p12"), "no-private-key")
	verify("no certificate", foreignFile("foreign/openssl-no-certificate.p12"), "no-certificate")
	verify("a certificate", w.young, "certificate-only")
	verify("another password", foreignFile("foreign/openssl-empty-password.p12"), "password-incorrect")
	verify("in clear", foreignFile("foreign/openssl-clear-no-mac.p12"), "key-not-protected", "integrity-not-protected")
	verify("weak", foreignFile("foreign/openssl-3des.p12"), "weak-protection")
	verify("two keys", twoKeys(t, w.directory), "several-keys")
	verify("of another certificate", otherCertificate(t, w.directory), "key-of-another-certificate")
	w.add("no password", nil, []string{"verify", foreignFile("own/modern.p12")}, "password-missing")
	for code, row := range oneRowEach(append(builtRows(t), encodingRows(t)...)) {
		file, password := write(t, w.directory, code+".pfx", row.file), write(t, w.directory, code+".txt", []byte(row.password+"\n"))
		w.add("corpus: "+row.name, nil, []string{"verify", file, "--password-source", "file:" + password}, code)
	}
}

func issueYoung(t *testing.T, directory string) string {
	t.Helper()
	file := filepath.Join(directory, "young.der")
	mustForeign(t, directory, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "young.key", "-subj", "/CN=young",
		"-days", "60", "-addext", "basicConstraints=critical,CA:FALSE", "-outform", "DER", "-out", file)
	return file
}

// oneRowEach is a file of the corpus for every code.
func oneRowEach(rows []corpusRow) map[string]corpusRow {
	one := map[string]corpusRow{}
	for _, row := range rows {
		for _, code := range strings.Fields(row.want)[1:] {
			if _, there := one[code]; !there {
				one[code] = row
			}
		}
	}
	return one
}

func compileLibrary(t *testing.T, directory, name, source string, args ...string) string {
	t.Helper()
	file := write(t, directory, name+".c", []byte(source))
	mustForeign(t, directory, "gcc", append([]string{"-shared", "-fPIC", "-o", name, file}, args...)...)
	return filepath.Join(directory, name)
}

// compileDependent makes a library that needs another one, which goes away.
func compileDependent(t *testing.T, directory string) string {
	t.Helper()
	needed := compileLibrary(t, directory, "libneeded.so", "int needed(void) { return 1; }")
	file := compileLibrary(t, directory, "dependent.so", "int needed(void); int C_GetFunctionList(void) { return needed(); }", "-L"+directory, "-lneeded")
	if err := os.Remove(needed); err != nil {
		t.Fatal(err)
	}
	return file
}

func truncated(t *testing.T, directory, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, directory, "truncated.pfx", text[:len(text)*2/3])
}

// strangers is a PFX with a key and the certificate of another one.
func otherCertificate(t *testing.T, directory string) string {
	t.Helper()
	one, other := newEC(t, elliptic.P256()), newEC(t, elliptic.P256())
	a, b := issue(t, directory, "one", one), issue(t, directory, "other", other)
	return encodePFX(t, directory, "strangers.pfx", []string{a.keyPEM}, b.certificatePEM)
}

func twoKeys(t *testing.T, directory string) string {
	t.Helper()
	a, b := issue(t, directory, "first", newEC(t, elliptic.P256())), issue(t, directory, "second", newEC(t, elliptic.P256()))
	return encodePFX(t, directory, "two.pfx", []string{a.keyPEM, b.keyPEM}, a.certificatePEM)
}

// encodePFX makes a file of keys and a certificate that no tool would put together.
func encodePFX(t *testing.T, directory, name string, keys []string, certificate string) string {
	t.Helper()
	der := func(file string) []byte {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			t.Fatalf("%s is no PEM", file)
		}
		return block.Bytes
	}
	contents := pfx.Contents{Certificates: []pfx.Certificate{{DER: der(certificate)}}}
	for _, key := range keys {
		contents.Keys = append(contents.Keys, pfx.Key{PKCS8: der(key)})
	}
	file, err := pfx.Encode(t.Context(), rand.Reader, contents, []byte("test"), pfx.Options{Profile: pfx.Modern, Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return write(t, directory, name, file)
}

// TestEveryCodeIsProduced asks every witness, and counts: a code that no token, module or file produces fails.
func TestEveryCodeIsProduced(t *testing.T) {
	t.Parallel()
	produced := map[string][]string{}
	all := newWitnesses(t)
	all.addTokens(t)
	all.addModules(t)
	all.addFiles(t)
	for _, w := range all.list {
		t.Run(w.name, func(t *testing.T) {
			if len(w.codes) == 0 {
				t.Error("it is a witness of nothing")
			}
			r := p11bridge(t, w.environment, w.args...)
			var document any
			if err := json.Unmarshal([]byte(r.stdout), &document); err != nil {
				t.Fatal(err)
			}
			codes := map[string]bool{}
			collectCodes(document, codes)
			for code := range codes {
				produced[code] = append(produced[code], w.name)
			}
			for _, code := range w.codes {
				if !codes[code] {
					t.Errorf("%s is not said:\n%s%s", code, r.stdout, r.stderr)
				}
				if r.code != 0 && !strings.Contains(r.stderr+r.stdout, code) {
					t.Errorf("a person is not told %s", code)
				}
			}
		})
	}
	known := map[string]bool{}
	for _, entry := range verdict.Table() {
		code := string(entry.Code)
		known[code] = true
		elsewhere := namedInTests(t, code)
		switch {
		case slices.Contains(awaiting, code) && (len(produced[code]) > 0 || elsewhere != ""):
			t.Errorf("%s stands among those awaited, and %q and %s produce it: take it off the list", code, produced[code], elsewhere)
		case len(produced[code]) == 0 && elsewhere == "" && !slices.Contains(awaiting, code):
			t.Errorf("nothing produces %s", code)
		}
	}
	for code := range produced {
		if !known[code] {
			t.Errorf("%s is said and not in the table", code)
		}
	}
	for _, code := range awaiting {
		if !known[code] {
			t.Errorf("%s is awaited and not in the table", code)
		}
	}
}

// awaiting are codes of commands whose tests are still being written. One that a witness, a script or another test
// produces is to be taken off.
var awaiting = []string{
	"token-could-not-prove", "other-method-used",
}

// collectCodes finds every reason in a document.
func collectCodes(value any, codes map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		if code, is := value["code"].(string); is && value["evidence"] != nil {
			codes[code] = true
		}
		for _, member := range value {
			collectCodes(member, codes)
		}
	case []any:
		for _, element := range value {
			collectCodes(element, codes)
		}
	}
}

// namedInTests is the script, or the test, that expects a code of a real run: one that stands in an assertion of a script,
// or as a whole word in another test here.
func namedInTests(t *testing.T, code string) string {
	t.Helper()
	scriptNames, err := filepath.Glob(filepath.Join(scripts, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range scriptNames {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			asserted := strings.HasPrefix(line, "json ") || strings.HasPrefix(line, "reason ") || strings.HasPrefix(line, "stdout ") || strings.HasPrefix(line, "stderr ") || strings.HasPrefix(line, "grep ")
			if asserted && !strings.HasPrefix(filepath.Base(name), "explain_") && wholeCode(line, code) {
				return filepath.Base(name)
			}
		}
	}
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tests {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name != "codes_test.go" && strings.Contains(string(text), `"`+code+`"`) {
			return name
		}
	}
	return ""
}

func wholeCode(line, code string) bool {
	for rest := line; ; {
		i := strings.Index(rest, code)
		if i < 0 {
			return false
		}
		left, right := byte(' '), byte(' ')
		if i > 0 {
			left = rest[i-1]
		}
		if i+len(code) < len(rest) {
			right = rest[i+len(code)]
		}
		word := func(b byte) bool { return b == '-' || b >= 'a' && b <= 'z' }
		if !word(left) && !word(right) {
			return true
		}
		rest = rest[i+1:]
	}
}
