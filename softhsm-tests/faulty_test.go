package softhsmtests

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// faultyBuild is the compiled testdata/faulty.c. It lives as long as a test uses it.
var faultyBuild struct {
	sync.Mutex
	users     int
	directory string
}

// faultyModule compiles testdata/faulty.c, once for all tests that use it at the same time, and gives its path.
func faultyModule(t testing.TB) string {
	t.Helper()
	faultyBuild.Lock()
	defer faultyBuild.Unlock()
	if faultyBuild.users == 0 {
		directory, err := os.MkdirTemp("", "p11bridge-faulty-")
		if err != nil {
			t.Fatal(err)
		}
		compile := exec.Command("gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
			"-o", filepath.Join(directory, "faulty.so"), filepath.Join("testdata", "faulty.c"), "-ldl")
		if out, err := compile.CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", errors.Join(err, os.RemoveAll(directory)), out)
		}
		faultyBuild.directory = directory
	}
	faultyBuild.users++
	t.Cleanup(func() {
		faultyBuild.Lock()
		defer faultyBuild.Unlock()
		if faultyBuild.users--; faultyBuild.users > 0 {
			return
		}
		if err := os.RemoveAll(faultyBuild.directory); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(faultyBuild.directory, "faulty.so")
}

// faulty is what all cases share: the module, and copies of one token. A copy has one run at a time, since SoftHSM2 writes
// to a token at C_Login and other processes may then read half of it. No run may change a token's objects.
type faulty struct {
	program      string
	environment  []string // more of it
	module       string
	directory    string
	tokens       []string // the configuration of each copy
	pin          string
	password     string            // a file
	certificates map[string]string // SHA-256 of those that cases export, by the name that they use
	labels       []string          // of all objects
	every        int               // tries one case in so many; all where it is zero
}

// mostAtOnce is how many runs there are at the same time where they only wait.
const mostAtOnce = 8

// faultyPassword stands nowhere else, so that its absence can be shown.
const faultyPassword = "Siebenschlaefer-0815"

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	f := &faulty{program: "p11bridge", module: faultyModule(t), directory: filepath.Join(t.TempDir(), "token"), certificates: map[string]string{}}
	if err := runMktoken("everything", f.directory); err != nil {
		t.Fatal(err)
	}
	pin, err := os.ReadFile(f.path("pin.txt"))
	if err != nil {
		t.Fatal(err)
	}
	f.pin, f.password = strings.TrimSpace(string(pin)), f.path("password.txt")
	if err := os.WriteFile(f.password, []byte(faultyPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range mostAtOnce {
		if err := f.copyToken(f.path(fmt.Sprintf("copy-%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *faulty) copyToken(directory string) error {
	if err := os.CopyFS(filepath.Join(directory, "tokens"), os.DirFS(f.path("tokens"))); err != nil {
		return err
	}
	text, err := os.ReadFile(f.path("softhsm2.conf"))
	if err != nil {
		return err
	}
	configuration := filepath.Join(directory, "softhsm2.conf")
	f.tokens = append(f.tokens, configuration)
	return os.WriteFile(configuration, bytes.ReplaceAll(text, []byte(f.directory), []byte(directory)), 0o600)
}

func (f *faulty) path(name string) string { return filepath.Join(f.directory, name) }

// faultyCase is one run on one fault, and what is to come of it.
type faultyCase struct {
	faults string
	export string   // exports this object; empty lists the token
	args   []string // more arguments
	keypad bool     // no PIN source: the PIN is typed on the token
	alone  bool     // no --token: the one that is there is meant

	code      int
	orCode    int    // where not zero, this exit code is as good; anyCode for all that an export may end with
	reason    string // the first reason of the failure, or one of the token's in a list
	mechanism string // of the receipt
	stderr    []string
	noLogin   bool // C_Login is never called
	unread    bool // a list that tells everything, and ends with 1 for an object that could not be read
	check     func(t *testing.T, r *faultyRun)
}

func (c faultyCase) name() string {
	return strings.Join(append([]string{c.faults, c.command(), c.export}, c.args...), " ")
}

func (c faultyCase) command() string {
	if c.export != "" {
		return "export"
	}
	return "list"
}

const anyCode = -1

// faultyRun is what came of a case.
type faultyRun struct {
	faultyCase
	directory string // where the file was to be
	code      int
	stdout    string
	stderr    string
	took      time.Duration
	inTime    bool
	counts    map[string]int // calls by function and strikes by fault; nil where C_Finalize was not reached
	document  map[string]any
}

// try runs the product as a person does, with nobody at a terminal.
func (f *faulty) try(c faultyCase, token, directory string) (*faultyRun, error) {
	r := &faultyRun{faultyCase: c, directory: directory, inTime: true}
	counts := directory + ".counts"
	args := []string{c.command(), "--module", f.module, "--json", "--timeout", callLimit(c.faults)}
	if !c.alone {
		args = append(args, "--token", "demo")
	}
	if !c.keypad {
		args = append(args, "--pin-source", "file:"+f.path("pin.txt"))
	}
	if c.export != "" {
		args = append(args, c.export, "-o", r.target(), "--password-source", "file:"+f.password, "--iterations", "2000")
	}
	ctx, cancel := context.WithDeadline(context.Background(), lastMoment())
	defer cancel()
	command := exec.CommandContext(ctx, f.program, append(args, c.args...)...)
	command.Env = append(os.Environ(), "LC_ALL=C", "SOFTHSM2_CONF="+token, "P11FAULT="+strings.TrimPrefix(c.faults+",count", ","),
		"P11FAULT_COUNT="+counts)
	command.Env = append(command.Env, f.environment...)
	if c.keypad {
		command.Env = append(command.Env, "P11FAULT_PIN="+f.pin)
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	command.WaitDelay = 5 * time.Second
	start := time.Now()
	err := command.Run()
	r.took, r.stdout, r.stderr, r.inTime = time.Since(start), stdout.String(), stderr.String(), ctx.Err() == nil
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	r.code = command.ProcessState.ExitCode()
	text, err := os.ReadFile(counts)
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	r.counts = map[string]int{}
	for line := range strings.Lines(string(text)) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", counts, err)
		}
		r.counts[name] += n
	}
	return r, err
}

// callLimit is --timeout for a run on these faults: short where a call hangs, and else longer than a busy machine needs.
func callLimit(faults string) string {
	if strings.Contains(faults, "hang") {
		return "2s"
	}
	return "2m"
}

func (r *faultyRun) target() string { return filepath.Join(r.directory, "copy.pfx") }

// done tells whether the run did what it was asked for, if not all that it would.
func (r *faultyRun) done() bool { return r.code == 0 || r.code == 5 || r.unread }

// run tries all cases, several at a time, and then checks each.
func (f *faulty) run(t *testing.T, atOnce int, cases []faultyCase) {
	t.Helper()
	cases = f.some(cases)
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	runs, failures := make([]*faultyRun, len(cases)), make([]error, len(cases))
	places := t.TempDir()
	var group sync.WaitGroup
	free := make(chan string, atOnce)
	for _, token := range f.tokens[:atOnce] {
		free <- token
	}
	for i, c := range cases {
		directory := filepath.Join(places, strconv.Itoa(i))
		if err := os.Mkdir(directory, 0o700); err != nil {
			t.Fatal(err)
		}
		token := <-free
		group.Go(func() {
			runs[i], failures[i] = f.try(c, token, directory)
			free <- token
		})
	}
	group.Wait()
	for i, c := range cases {
		t.Run(c.name(), func(t *testing.T) {
			if failures[i] != nil {
				t.Fatal(failures[i])
			}
			f.check(t, runs[i])
			if t.Failed() {
				t.Logf("exit code %d after %s\n[stdout]\n%s[stderr]\n%s[calls] %v", runs[i].code, runs[i].took, runs[i].stdout, runs[i].stderr, runs[i].counts)
			}
		})
	}
}

// some thins the cases out, where not every one is to be tried.
func (f *faulty) some(cases []faultyCase) []faultyCase {
	if f.every == 0 {
		return cases
	}
	var kept []faultyCase
	for i := 0; i < len(cases); i += f.every {
		kept = append(kept, cases[i])
	}
	return kept
}

// check holds a run against its case and against what is true of every run.
func (f *faulty) check(t *testing.T, r *faultyRun) {
	t.Helper()
	c := r.faultyCase
	if !r.inTime {
		t.Fatal("it never ends")
	}
	asGood := c.orCode != 0 && r.code == c.orCode || c.orCode == anyCode && (r.code == 0 || r.code == 1 || r.code == 3)
	if r.code != c.code && !asGood {
		t.Errorf("exit code %d instead of %d", r.code, c.code)
	}
	f.checkOutput(t, r)
	f.checkFiles(t, r)
	checkCalls(t, r)
	for _, text := range c.stderr {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("standard error does not name %q", text)
		}
	}
	if c.reason != "" && !slices.Contains(reasonsOf(t, r.document), c.reason) {
		t.Errorf("the reasons %q have no %q", reasonsOf(t, r.document), c.reason)
	}
	if c.mechanism != "" && r.document["mechanism"] != c.mechanism {
		t.Errorf("mechanism %v instead of %s", r.document["mechanism"], c.mechanism)
	}
	if c.check != nil {
		c.check(t, r)
	}
}

// checkOutput wants one JSON document that says the same as the exit code, nothing that a module wrote, and no secret.
func (f *faulty) checkOutput(t *testing.T, r *faultyRun) {
	t.Helper()
	for name, text := range map[string]string{"output": r.stdout, "error": r.stderr} {
		if strings.Contains(text, "P11FAULT") || strings.ContainsAny(text, "\x1b\x07\r\u202e") {
			t.Errorf("what a module printed, or a control character, is on standard %s", name)
		}
		if strings.Contains(text, faultyPassword) || strings.Contains(text, f.pin) {
			t.Errorf("a secret is on standard %s", name)
		}
	}
	decoder := json.NewDecoder(strings.NewReader(r.stdout))
	if err := decoder.Decode(&r.document); err != nil {
		t.Fatalf("standard output: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Error("more than one document on standard output")
	}
	want := "p11bridge." + r.command() + "/1"
	if !r.done() {
		want = "p11bridge.error/1"
		if r.document["exit_code"] != float64(r.code) {
			t.Errorf("the document says exit code %v", r.document["exit_code"])
		}
		if text, ok := r.document["error"].(string); !ok || text == "" || strings.Contains(text, `\x`) {
			t.Errorf("the document's error is %q", text)
		}
		if r.stderr == "" {
			t.Error("a failure without a word on standard error")
		}
	}
	if r.document["schema"] != want {
		t.Errorf("schema %v instead of %s", r.document["schema"], want)
	}
}

// checkFiles wants the copy where the exit code says that there is one, and nothing else.
func (f *faulty) checkFiles(t *testing.T, r *faultyRun) {
	t.Helper()
	entries, err := os.ReadDir(r.directory)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	var want []string
	if r.done() && r.export != "" {
		want = []string{filepath.Base(r.target())}
	}
	if !slices.Equal(names, want) {
		t.Errorf("exit code %d left %q instead of %q", r.code, names, want)
	}
	if r.done() && r.export != "" {
		f.checkCopy(t, r)
	}
}

// checkCopy opens the file with openssl: it holds the key that was asked for, and its certificate.
func (f *faulty) checkCopy(t *testing.T, r *faultyRun) {
	t.Helper()
	text, err := exec.Command("openssl", "pkcs12", "-in", r.target(), "-passin", "file:"+f.password, "-nodes", "-clcerts").Output()
	if err != nil {
		t.Fatalf("openssl cannot open the file: %v", err)
	}
	var key any
	var certificate *x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "CERTIFICATE":
			certificate, err = x509.ParseCertificate(block.Bytes)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	signer, ok := key.(crypto.Signer)
	if !ok || certificate == nil {
		t.Fatalf("the file holds a key of type %T and the certificate %v", key, certificate)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(certificate.PublicKey) {
		t.Error("the key is not the certificate's")
	}
	digest := sha256.Sum256(certificate.Raw)
	if got, want := hex.EncodeToString(digest[:]), f.certificates[r.export]; got != want {
		t.Errorf("asked for %s, the copy's certificate is %s instead of %s (%s)", r.export, got, want, certificate.Subject)
	}
}

// checkCalls wants what is true of every run that got as far as C_Finalize: one login at the most, everything that was
// begun was ended, and nothing was written to the token.
func checkCalls(t *testing.T, r *faultyRun) {
	t.Helper()
	if r.counts == nil {
		if r.noLogin {
			t.Error("the calls were not counted")
		}
		return
	}
	if n := r.counts["C_Login"]; n > 1 || n == 0 && r.code == 0 && r.export != "" || n > 0 && r.noLogin {
		t.Errorf("C_Login was called %d times", n)
	}
	for _, function := range []string{"C_InitToken", "C_InitPIN", "C_SetPIN", "C_SetAttributeValue", "C_CopyObject", "C_GenerateKey", "C_GenerateKeyPair"} {
		if n := r.counts[function]; n > 0 {
			t.Errorf("%s was called %d times", function, n)
		}
	}
	ended := map[string]int{"C_CloseSession": r.counts["C_OpenSession"], "C_Finalize": r.counts["C_Initialize"],
		"C_FindObjectsFinal": r.counts["C_FindObjectsInit"]}
	if !strings.Contains(r.faults, "cbc-pad,corrupt-wrap") { // of which C_UnwrapKey may make nothing
		ended["C_DestroyObject"] = r.counts["C_CreateObject"] + r.counts["C_UnwrapKey"]
	}
	for function, n := range ended {
		cut := slices.ContainsFunc([]string{"error", "removed", "null:", "no-handle:"}, func(kind string) bool { return strings.Contains(r.faults, kind) })
		if !cut && r.counts[function] != n {
			t.Errorf("%s was called %d times instead of %d", function, r.counts[function], n)
		}
	}
	for fault := range strings.SplitSeq(r.faults, ",") {
		kind, _, _ := strings.Cut(fault, ":")
		if n, counted := r.counts[kind]; counted && n == 0 {
			t.Errorf("the fault %s never struck", fault)
		}
	}
}

// reasonsOf lists the codes of an error's document, or of a list's first token.
func reasonsOf(t *testing.T, document map[string]any) []string {
	t.Helper()
	if tokens, ok := document["tokens"].([]any); ok && len(tokens) > 0 {
		document = tokens[0].(map[string]any)
	}
	reasons, ok := document["reasons"].([]any)
	if !ok {
		t.Fatalf("no reasons in %v", document)
	}
	var codes []string
	for _, reason := range reasons {
		codes = append(codes, reason.(map[string]any)["code"].(string))
	}
	return codes
}

// identity finds an identity of a list by its label; the reasons of its verdict.
func (r *faultyRun) identity(t *testing.T, label string) (map[string]any, []string) {
	t.Helper()
	for _, token := range r.document["tokens"].([]any) {
		for _, identity := range token.(map[string]any)["identities"].([]any) {
			if identity := identity.(map[string]any); identity["label"] == label {
				return identity, reasonsOf(t, identity["verdict"].(map[string]any))
			}
		}
	}
	t.Fatalf("the list has no %q", label)
	return nil, nil
}

// TestFaultyModule tries some cases of each kind.
func TestFaultyModule(t *testing.T) {
	t.Parallel()
	f := newFaulty(t)
	f.every = 5
	f.testAll(t)
}

// TestFaultyModuleLong tries them all.
func TestFaultyModuleLong(t *testing.T) {
	t.Parallel()
	newFaulty(t).testAll(t)
}

func (f *faulty) testAll(t *testing.T) {
	t.Helper()
	original := f.inventory(t, f.tokens[0])
	t.Run("none", f.testNoFault)
	t.Run("death", f.testDeath)
	t.Run("hang", f.testHang)
	t.Run("error", f.testError)
	t.Run("removed", f.testRemoved)
	t.Run("flags", f.testFlags)
	t.Run("attribute", f.testAttribute)
	t.Run("wrap", f.testWrap)
	t.Run("shroud", f.testShroud)
	t.Run("answer", f.testAnswer)
	t.Run("output", f.testOutput)
	t.Run("unknown", f.testUnknownFault)
	for _, token := range f.tokens {
		if after := f.inventory(t, token); after != original {
			t.Errorf("the token changed\n[before]\n%s[after]\n%s", original, after)
		}
	}
}

// inventory is what the real module tells, and the measure of which certificate belongs to whom.
func (f *faulty) inventory(t *testing.T, token string) string {
	t.Helper()
	r, err := f.try(faultyCase{}, token, filepath.Join(t.TempDir(), "inventory"))
	if err != nil || r.code != 0 {
		t.Fatalf("list: %v, exit code %d\n%s", err, r.code, r.stderr)
	}
	if err := json.Unmarshal([]byte(r.stdout), &r.document); err != nil {
		t.Fatal(err)
	}
	for name, label := range map[string]string{"alice": "alice", "dave": "dave", "frank": "frank", rsaKey: "alice", ecKey: "dave"} {
		identity, _ := r.identity(t, label)
		f.certificates[name] = identity["certificate"].(map[string]any)["sha256"].(string)
	}
	f.labels = labelsIn(r.stdout)
	return r.stdout
}

// Names of alice's and dave's private keys that do not need their labels.
const rsaKey, ecKey = "pkcs11:token=demo;id=%01;type=private", "pkcs11:token=demo;id=%04;type=private"

var labelInJSON = regexp.MustCompile(`"label": ("(?:[^"\\]|\\.)*")`)

// labelsIn gives the labels in a list as they are written.
func labelsIn(list string) []string {
	var labels []string
	for _, match := range labelInJSON.FindAllStringSubmatch(list, -1) {
		labels = append(labels, match[1])
	}
	return labels
}

// onlyKnownLabels wants a list with no label that the token does not have, and so no byte that a module did not write.
func (f *faulty) onlyKnownLabels(t *testing.T, r *faultyRun) {
	t.Helper()
	labels := labelsIn(r.stdout)
	if len(labels) != len(f.labels) {
		t.Errorf("%d labels instead of %d", len(labels), len(f.labels))
	}
	for _, label := range labels {
		if label != `""` && !slices.Contains(f.labels, label) {
			t.Errorf("the label %.60s is none of the token's", label)
		}
	}
}

func (f *faulty) testNoFault(t *testing.T) {
	f.run(t, 2, []faultyCase{
		{export: "alice", mechanism: "CKM_AES_KEY_WRAP_PAD"},
		{export: "dave", mechanism: "CKM_AES_KEY_WRAP_PAD"},
		{export: "frank", mechanism: "CKM_AES_KEY_WRAP_PAD"},
		{export: "bob", code: 3, reason: "key-not-extractable"},
	})
}

// deadly are the functions that an export calls, each a place to die in.
var deadly = []string{
	"C_GetFunctionList", "C_Initialize", "C_GetInfo", "C_GetSlotList", "C_GetSlotInfo", "C_GetTokenInfo", "C_OpenSession", "C_Login",
	"C_GetMechanismList", "C_GetMechanismInfo", "C_FindObjectsInit", "C_FindObjects", "C_GetAttributeValue", "C_FindObjectsFinal",
	"C_CreateObject", "C_WrapKey", "C_DestroyObject", "C_CloseSession", "C_Finalize",
}

// deaths makes a case of a fault in each function. In the last two the copy is proven and in place already: the run is
// done, and says what happened, or it failed, and takes the copy back.
func deaths(f *faulty, fault string, words ...string) []faultyCase {
	var cases []faultyCase
	for _, function := range deadly {
		c := faultyCase{faults: fault + ":" + function, export: "alice", code: 1, stderr: append([]string{f.module, function}, words...)}
		if function == "C_CloseSession" || function == "C_Finalize" {
			c.code, c.orCode = 0, 1
		}
		cases = append(cases, c)
	}
	return cases
}

func (f *faulty) testDeath(t *testing.T) {
	cases := append(deaths(f, "crash", "SIGSEGV"), deaths(f, "abort", "SIGABRT")...)
	cases = append(cases, deaths(f, "exit")...)
	for _, function := range []string{"C_Initialize", "C_GetSlotList", "C_FindObjects", "C_Sign"} {
		cases = append(cases, faultyCase{faults: "crash:" + function, code: 1, stderr: []string{f.module, function, "SIGSEGV"}})
	}
	cases = append(cases, faultyCase{faults: "crash:C_GetTokenInfo@3", export: "alice", code: 1, stderr: []string{f.module, "C_GetTokenInfo", "SIGSEGV"}})
	f.run(t, 3, cases)
}

func (f *faulty) testHang(t *testing.T) {
	cases := deaths(f, "hang", "within 2")
	for _, function := range []string{"C_Initialize", "C_GetSlotList", "C_FindObjects"} {
		cases = append(cases, faultyCase{faults: "hang:" + function, code: 1, stderr: []string{f.module, function}})
	}
	for i := range cases {
		cases[i].check = func(t *testing.T, r *faultyRun) {
			if r.took < 2*time.Second {
				t.Errorf("a call that may take 2 s ended the run after %s", r.took)
			}
		}
	}
	f.run(t, mostAtOnce, cases)
}

func (f *faulty) testError(t *testing.T) {
	answer := func(function, number, code string) faultyCase {
		return faultyCase{faults: "error:" + function + ":" + number, export: "alice", code: 1, stderr: []string{function, code}}
	}
	login := func(number, reason string) faultyCase {
		return faultyCase{faults: "error:C_Login:" + number, export: "alice", code: 4, reason: reason}
	}
	wrap := func(function, number, reason string) faultyCase {
		return faultyCase{faults: "error:" + function + ":" + number, export: "alice", code: 3, reason: reason}
	}
	cases := []faultyCase{
		answer("C_Initialize", "0x5", "CKR_GENERAL_ERROR"),
		answer("C_GetInfo", "0x6", "CKR_FUNCTION_FAILED"),
		answer("C_GetSlotList", "0x30", "CKR_DEVICE_ERROR"),
		answer("C_GetSlotInfo", "0x30", "CKR_DEVICE_ERROR"),
		answer("C_GetTokenInfo", "0xE1", "CKR_TOKEN_NOT_RECOGNIZED"),
		answer("C_OpenSession", "0xB1", "CKR_SESSION_COUNT"),
		answer("C_Login", "0x30", "CKR_DEVICE_ERROR"),
		answer("C_GetMechanismList", "0x30", "CKR_DEVICE_ERROR"),
		answer("C_FindObjectsInit", "0x90", "CKR_OPERATION_ACTIVE"),
		answer("C_FindObjects", "0x5", "CKR_GENERAL_ERROR"),
		answer("C_FindObjects@2", "0x30", "CKR_DEVICE_ERROR"),
		answer("C_GetAttributeValue", "0x30", "CKR_DEVICE_ERROR"),
		answer("C_GetAttributeValue@40", "0xB3", "CKR_SESSION_HANDLE_INVALID"),
		answer("C_CreateObject", "0x30", "CKR_DEVICE_ERROR"),
		answer("C_WrapKey", "0x30", "CKR_DEVICE_ERROR"),
		answer("C_WrapKey", "0x1234", "CKR_0x00001234"),
		answer("C_WrapKey", "0x5", "CKR_GENERAL_ERROR"),
		login("0xA0", "pin-incorrect"), login("0xA2", "pin-incorrect"), login("0xA3", "pin-must-change"),
		login("0xA4", "pin-locked"), login("0x102", "pin-not-set"),
		wrap("C_WrapKey", "0x6A", "wrap-refused"), wrap("C_WrapKey", "0x69", "wrap-refused"),
		wrap("C_WrapKey", "0x70", "no-wrapping-mechanism"), wrap("C_WrapKey", "0x54", "no-wrapping-mechanism"),
		wrap("C_WrapKey", "0x115", "no-wrapping-mechanism"),
		wrap("C_CreateObject", "0xD1", "no-wrapping-mechanism"), wrap("C_CreateObject", "0x54", "no-wrapping-mechanism"),
		wrap("C_CreateObject", "0xE2", "no-wrapping-mechanism"), // CKR_TOKEN_WRITE_PROTECTED says nothing about the private key
		{faults: "error:C_WrapKey:0x70", export: "frank"},       // may be read instead
		{faults: "error:C_WrapKey:0x54", export: "frank"},
		{faults: "error:C_Sign:0x5", export: "alice"},
		{faults: "error:C_GetMechanismInfo:0x5", export: "alice"},
		{faults: "error:C_CloseSession:0x30", export: "alice", orCode: 1, stderr: []string{"C_CloseSession", "CKR_DEVICE_ERROR"}},
		{faults: "error:C_Finalize:0x5", export: "alice", orCode: 1, stderr: []string{"C_Finalize", "CKR_GENERAL_ERROR"}},
		{faults: "error:C_GetAttributeValue:0x5", code: 1, stderr: []string{"C_GetAttributeValue", "CKR_GENERAL_ERROR"}}, // not even the classes are told
	}
	for i := range cases {
		cases[i].stderr = slices.Clone(cases[i].stderr)
		for j, text := range cases[i].stderr {
			cases[i].stderr[j], _, _ = strings.Cut(text, "@")
		}
	}
	f.run(t, 3, cases)
}

// testRemoved pulls the token at places all over a run.
func (f *faulty) testRemoved(t *testing.T) {
	r, err := f.try(faultyCase{export: "alice"}, f.tokens[0], t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for name, n := range r.counts {
		if strings.HasPrefix(name, "C_") && name != "C_GetFunctionList" {
			all += n
		}
	}
	if all < 100 {
		t.Fatalf("an export made only %d calls: %v", all, r.counts)
	}
	var cases []faultyCase
	for after := 0; after < all; {
		c := faultyCase{faults: fmt.Sprintf("removed:%d", after), export: "alice", code: 1, stderr: []string{"CKR_DEVICE_REMOVED"}}
		if all-after <= 2 { // C_CloseSession and C_Finalize
			c.code, c.orCode = 0, 1
		}
		cases = append(cases, c)
		if after < 12 || all-after < 12 {
			after++
		} else {
			after += min(all/12, max(1, all-after-12))
		}
	}
	f.run(t, 3, cases)
}

func (f *faulty) testFlags(t *testing.T) {
	const finalTry, locked, toBeChanged, noPIN, noToken, writeProtected = "flags:+0x20000", "flags:+0x40000", "flags:+0x80000", "flags:-0x8", "flags:-0x400", "flags:+0x2"
	quiet := func(faults, reason string) faultyCase { // nobody gave a PIN: the list says what stands in the way
		return faultyCase{faults: faults, keypad: true, reason: reason, noLogin: true}
	}
	blocked := func(faults, reason string) faultyCase {
		return faultyCase{faults: faults, export: "alice", code: 4, reason: reason, noLogin: true}
	}
	f.run(t, 3, []faultyCase{
		blocked(finalTry, "pin-last-attempt"), blocked(locked, "pin-locked"), blocked(toBeChanged, "pin-must-change"), blocked(noPIN, "pin-not-set"),
		{faults: finalTry, code: 4, reason: "pin-last-attempt", noLogin: true},
		{faults: locked, code: 4, reason: "pin-locked", noLogin: true},
		{faults: finalTry + "," + locked, export: "alice", args: []string{"--allow-last-attempt"}, code: 4, reason: "pin-locked", noLogin: true},
		quiet(finalTry, "pin-last-attempt"), quiet(locked, "pin-locked"), quiet(toBeChanged, "pin-must-change"), quiet(noPIN, "pin-not-set"),
		quiet("pinpad", "pinpad-required"), quiet(locked, "keys-hidden-until-login"),
		{faults: finalTry, export: "alice", args: []string{"--allow-last-attempt"}},
		{faults: writeProtected, export: "alice"},
		{faults: noToken, export: "alice", code: 1, reason: "token-not-initialised", noLogin: true},
		{faults: noToken, alone: true, export: "alice", code: 1, reason: "token-not-initialised", noLogin: true},
		{faults: noToken, alone: true, code: 1, reason: "token-not-initialised", noLogin: true},
		{faults: "pinpad", export: "alice", keypad: true},
		{faults: "pinpad," + locked, export: "alice", keypad: true, code: 4, reason: "pin-locked", noLogin: true},
		{faults: "pinpad,hang:C_Login", export: "alice", keypad: true, code: 1, stderr: []string{f.module, "C_Login"}},
	})
}

func (f *faulty) testAttribute(t *testing.T) {
	verdict := func(faults, label string, codes ...string) faultyCase {
		return faultyCase{faults: faults, check: func(t *testing.T, r *faultyRun) {
			if _, got := r.identity(t, label); !slices.Contains(codes, got[0]) {
				t.Errorf("%s: the first reason is %s instead of one of %q", label, got[0], codes)
			}
		}}
	}
	var cases []faultyCase
	for _, kind := range []string{"unavailable", "unsupported"} {
		cases = append(cases,
			verdict(kind+":0x162", "alice", "attributes-not-told"), // CKA_EXTRACTABLE
			faultyCase{faults: kind + ":0x162", export: "alice", code: 3, reason: "attributes-not-told"},
			verdict(kind+":0x103", "alice", "exportable-by-wrap"), // CKA_SENSITIVE
			faultyCase{faults: kind + ":0x103,no-wrap", export: "frank", code: 3, reason: "no-wrapping-mechanism"},
		)
	}
	unread := func(faults string) faultyCase {
		c := verdict(faults, "alice", "object-unreadable")
		c.code, c.unread = 1, true
		return c
	}
	for _, kind := range []string{"empty", "overlong"} { // CKR_OK with what is no CK_BBOOL: the token failed, and no verdict rests on it
		cases = append(cases,
			unread(kind+":0x162"),
			faultyCase{faults: kind + ":0x162", export: "alice", code: 1, reason: "object-unreadable"},
			unread(kind+":0x103"),
			faultyCase{faults: kind + ":0x103,no-wrap", export: "frank", code: 1, reason: "object-unreadable"},
		)
	}
	for _, kind := range []string{"unavailable", "unsupported", "empty", "overlong"} {
		cases = append(cases,
			verdict(kind+":0x164", "alice", "exportable-by-wrap"), // CKA_NEVER_EXTRACTABLE
			verdict(kind+":0x210", "alice", "exportable-by-wrap"), // CKA_WRAP_WITH_TRUSTED
		)
	}
	for _, kind := range []string{"unavailable", "unsupported", "empty", "garbage", "huge"} {
		untold := neverReason("key-type-unsupported") // what was not told is not unsupported
		modulus := 3
		if kind == "garbage" {
			untold, modulus = nil, anyCode // by chance it is the modulus of some key or of none
		}
		impossible := 0 // a length that no answer has is the token's failure
		if kind == "huge" {
			impossible, modulus = 1, 1
		}
		cases = append(cases,
			faultyCase{faults: kind + ":0x102", export: "alice", code: impossible},                                // CKA_ID: the public key links
			faultyCase{faults: kind + ":0x11", export: rsaKey, code: 1, orCode: 3},                                // CKA_VALUE: no certificate
			faultyCase{faults: kind + ":0x100", export: rsaKey, code: impossible, orCode: 3, check: untold},       // CKA_KEY_TYPE
			faultyCase{faults: kind + ":0x120", export: rsaKey, code: impossible, orCode: modulus, check: untold}, // CKA_MODULUS
			faultyCase{faults: kind + ":0x180", export: ecKey},                                                    // CKA_EC_PARAMS
			faultyCase{faults: kind + ":0x181", export: ecKey},                                                    // CKA_EC_POINT
		)
	}
	for _, length := range []string{"0x7fffffff", "0x80000010", "0xffffffff", "0x4000000000000000", "0x4000000000100000", "0x400000007fffffff", "0xfffffffffffffffe"} {
		cases = append(cases, faultyCase{faults: "huge:0x3:" + length, check: f.onlyKnownLabels}) // CKA_LABEL
	}
	cases = append(cases,
		faultyCase{faults: "short-ulong", export: "alice"}, faultyCase{faults: "short-ulong", export: "dave"},
		verdict("short-ulong", "bob", "key-not-extractable"),
		verdict("garbage:0x102", "dave", "exportable-by-wrap"), verdict("unavailable:0x102", "alice", "exportable-by-wrap"),
		faultyCase{faults: "garbage:0x162", export: "bob", code: 3, reason: "wrap-refused"},
		faultyCase{faults: "garbage:0x103,garbage:0x162", export: "judy", code: 3, reason: "wrap-refused"},
		faultyCase{faults: "overlong:0x3", check: f.onlyKnownLabels}, faultyCase{faults: "unavailable:0x3", check: f.onlyKnownLabels},
		faultyCase{faults: "overlong:0x11", export: rsaKey, orCode: 3},
	)
	f.run(t, 3, cases)
}

// neverReason wants a run that does not claim any of the reasons.
func neverReason(codes ...string) func(*testing.T, *faultyRun) {
	return func(t *testing.T, r *faultyRun) {
		for _, code := range codes {
			if slices.Contains(reasonsOf(t, r.document), code) {
				t.Errorf("%s is said of a key of which too little was told", code)
			}
		}
	}
}

func (f *faulty) testWrap(t *testing.T) {
	const pad, kwp, wrap, rsaAES = "CKM_AES_KEY_WRAP_PAD", "CKM_AES_KEY_WRAP_KWP", "CKM_AES_KEY_WRAP", "CKM_RSA_AES_KEY_WRAP"
	var cases []faultyCase
	for _, way := range []struct{ faults, mechanism string }{
		{"kwp", kwp}, {"rsa-aes", rsaAES}, {"nss-dialect", pad}, {"only:0x2109", wrap}, {"only:0x210A", pad}, {"hide-mechanisms", pad}, {"destroy-lies", pad},
	} {
		for _, object := range []string{"alice", "dave"} {
			cases = append(cases, faultyCase{faults: way.faults, export: object, mechanism: way.mechanism})
		}
	}
	for _, object := range []string{"alice", "dave"} {
		cases = append(cases,
			faultyCase{faults: "no-wrap", export: object, code: 3, reason: "no-wrapping-mechanism"},
			faultyCase{faults: "only:0x210B", export: object, code: 3, reason: "no-wrapping-mechanism"},
			faultyCase{faults: "only:0x1054", export: object, code: 3, reason: "no-wrapping-mechanism"},
			faultyCase{faults: "wrong-wrap", export: object, code: 1, orCode: 3},
			faultyCase{faults: "rsa-aes,corrupt-wrap", export: object, code: 1, orCode: 3},
			faultyCase{faults: "kwp,corrupt-wrap", export: object, code: 1, orCode: 3},
			faultyCase{faults: "corrupt-wrap", export: object, code: 1, orCode: 3},
		)
	}
	cases = append(cases,
		faultyCase{faults: "no-wrap", export: "frank"},
		faultyCase{faults: "no-wrap", export: "bob", code: 3, reason: "key-not-extractable"},
		faultyCase{faults: "hide-mechanisms", export: "bob", code: 3, reason: "key-not-extractable"},
	)
	f.run(t, 3, cases)
}

// testShroud is the way out that SoftHSM2 2.6 does not have: the token itself makes the key bag. Here a draft of the file
// is there while the token is asked to prove it.
func (f *faulty) testShroud(t *testing.T) {
	const cbcPad = "CKM_AES_CBC_PAD"
	proof := func(want string) func(*testing.T, *faultyRun) {
		return func(t *testing.T, r *faultyRun) {
			if r.document["proof"] != want {
				t.Errorf("proof %v instead of %s", r.document["proof"], want)
			}
		}
	}
	var cases []faultyCase
	for _, object := range []string{"alice", "dave"} {
		cases = append(cases,
			faultyCase{faults: "cbc-pad", export: object, mechanism: cbcPad, check: proof("token-signature")},
			faultyCase{faults: "cbc-pad,short-ulong", export: object, args: []string{"--require-shroud"}, mechanism: cbcPad},
			faultyCase{faults: "cbc-pad,wrong-wrap", export: object, code: 1, orCode: 3},
			faultyCase{faults: "cbc-pad,corrupt-wrap", export: object, code: 1, orCode: 3},
			faultyCase{faults: "cbc-pad,wrong-wrap", export: object, args: []string{"--require-shroud"}, code: 1, orCode: 3},
			faultyCase{faults: "cbc-pad,corrupt-wrap", export: object, args: []string{"--require-shroud"}, code: 1, orCode: 3},
			faultyCase{faults: "cbc-pad,error:C_UnwrapKey:0x5", export: object, mechanism: "CKM_AES_KEY_WRAP_PAD"},
		)
	}
	for _, fault := range []string{"crash", "abort", "exit", "hang"} {
		for _, function := range []string{"C_UnwrapKey", "C_Sign@16", "C_DestroyObject@2", "C_DestroyObject@3"} {
			name, _, _ := strings.Cut(function, "@")
			cases = append(cases, faultyCase{faults: "cbc-pad," + fault + ":" + function, export: "alice", code: 1, stderr: []string{f.module, name}})
		}
	}
	cases = append(cases, // what the token will not prove, it is not believed
		faultyCase{faults: "cbc-pad,error:C_UnwrapKey:0x70", export: "alice", mechanism: "CKM_AES_KEY_WRAP_PAD", check: proof("independent-reader")},
		faultyCase{faults: "cbc-pad,error:C_UnwrapKey:0x70", export: "alice", args: []string{"--require-shroud"}, code: 5, mechanism: cbcPad, check: proof("structure")},
		faultyCase{faults: "cbc-pad,error:C_Sign@16:0x5", export: "alice", mechanism: "CKM_AES_KEY_WRAP_PAD", check: proof("independent-reader")},
		faultyCase{faults: "cbc-pad,error:C_DestroyObject@3:0x32", export: "alice", code: 1, stderr: []string{"C_DestroyObject", "CKR_DEVICE_REMOVED"}},
	)
	f.run(t, 3, cases)
}

func (f *faulty) testOutput(t *testing.T) {
	f.run(t, 3, []faultyCase{
		{faults: "print"}, {faults: "print", export: "alice"}, {faults: "print", export: "bob", code: 3, reason: "key-not-extractable"},
		{faults: "print,crash:C_Login", export: "alice", code: 1, stderr: []string{f.module, "C_Login", "SIGSEGV"}},
		{faults: "print,exit:C_GetSlotList@2", code: 1, stderr: []string{f.module, "C_GetSlotList"}},
		{faults: "endless", code: 1, stderr: []string{"C_FindObjects"}},
		{faults: "endless:1", export: "alice", code: 1, stderr: []string{"C_FindObjects"}},
	})
}

// testUnknownFault shows that a misspelt fault is not taken for none.
func (f *faulty) testUnknownFault(t *testing.T) {
	var cases []faultyCase
	for _, faults := range []string{"crush:C_Login", "crash", "crash:C_Logon", "crash:C_Login@x", "removed", "print:1", "flags:0x4", "error:C_Login"} {
		cases = append(cases, faultyCase{faults: faults, code: 1, stderr: []string{"C_GetFunctionList", "CKR_ARGUMENTS_BAD"}})
	}
	f.run(t, 3, cases)
}
