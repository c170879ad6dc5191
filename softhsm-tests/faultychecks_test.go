package softhsmtests

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

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
		if f.said != nil {
			text = f.said(text)
		}
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

// firstReason wants one of these codes to be the first of an identity's reasons.
func firstReason(faults, label string, codes ...string) faultyCase {
	return faultyCase{faults: faults, check: func(t *testing.T, r *faultyRun) {
		if _, got := r.identity(t, label); !slices.Contains(codes, got[0]) {
			t.Errorf("%s: the first reason is %s instead of one of %q", label, got[0], codes)
		}
	}}
}
