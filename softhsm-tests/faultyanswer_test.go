package softhsmtests

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// testAnswer has the module say CKR_OK to what cannot be: the token failed, which is exit code 1 and no verdict on the key,
// and the text names the call.
func (f *faulty) testAnswer(t *testing.T) { f.run(t, 3, impossibleAnswers()) }

func impossibleAnswers() []faultyCase {
	var cases []faultyCase
	for _, kind := range []string{"longer", "grows"} {
		for _, function := range []string{"C_GetSlotList", "C_GetMechanismList", "C_FindObjects", "C_WrapKey"} {
			cases = append(cases, faultyCase{faults: kind + ":" + function, export: "alice"})
		}
	}
	for _, more := range []string{"8", "0x4000", "0xffffff00", "0x4000000000000000", "0xffffffffffff0000"} {
		cases = append(cases, faultyCase{faults: "longer:C_WrapKey:" + more, export: "alice"}, faultyCase{faults: "longer:C_FindObjects:" + more},
			faultyCase{faults: "longer:C_GetSlotList:" + more})
	}
	for _, function := range []string{"C_OpenSession", "C_CreateObject", "C_FindObjects"} {
		cases = append(cases, faultyCase{faults: "no-handle:" + function, export: "alice"})
	}
	for _, function := range []string{"C_Initialize", "C_GetInfo", "C_GetSlotList", "C_GetSlotInfo", "C_GetTokenInfo", "C_GetMechanismList", "C_OpenSession",
		"C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal", "C_GetAttributeValue", "C_CreateObject", "C_DestroyObject", "C_WrapKey"} {
		cases = append(cases, faultyCase{faults: "null:" + function, export: "alice"})
	}
	for _, object := range []string{"alice", "dave"} {
		cases = append(cases, faultyCase{faults: "rubbish:C_WrapKey", export: object}, faultyCase{faults: "rsa-aes,rubbish:C_WrapKey", export: object},
			faultyCase{faults: "kwp,rubbish:C_WrapKey", export: object}, faultyCase{faults: "corrupt-wrap", export: object},
			faultyCase{faults: "short:C_WrapKey", export: object}, faultyCase{faults: "cbc-pad,short:C_WrapKey", export: object},
			faultyCase{faults: "cbc-pad,no-handle:C_UnwrapKey", export: object, args: []string{"--require-shroud"}},
			faultyCase{faults: "cbc-pad,null:C_UnwrapKey", export: object, args: []string{"--require-shroud"}},
			faultyCase{faults: "cbc-pad,longer:C_Sign", export: object, args: []string{"--require-shroud"}})
	}
	for _, code := range []string{"0x113", "0x60"} { // CKR_WRAPPING_KEY_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID: the token gave the handle
		cases = append(cases, faultyCase{faults: "error:C_WrapKey:" + code, export: "alice"})
	}
	cases = append(cases, faultyCase{faults: "repeated", export: "alice", stderr: []string{"C_FindObjects"}}, faultyCase{faults: "repeated"})
	for _, part := range []string{"0x123", "0x124", "0x128"} { // CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_COEFFICIENT
		cases = append(cases, faultyCase{faults: "overlong:" + part, export: "heidi", args: []string{"--method", "attributes"}, stderr: []string{"C_GetAttributeValue"}})
	}
	for i := range cases {
		c := &cases[i]
		fault := c.faults[strings.LastIndex(c.faults, ",")+1:]
		if _, function, named := strings.Cut(fault, ":"); named && len(c.stderr) == 0 {
			function, _, _ = strings.Cut(function, ":")
			c.stderr = append(c.stderr, function)
		}
		c.code = 1
		c.check = func(t *testing.T, r *faultyRun) { // AddressSanitizer ends the process, too
			for _, code := range []string{"module-crashed", "module-exited", "module-hung"} {
				if strings.Contains(r.stdout, strconv.Quote(code)) {
					t.Errorf("the reason is %s", code)
				}
			}
		}
	}
	return cases
}

// TestAddressSanitizerLong has AddressSanitizer look at every byte that the product's Go code and its C code read and write while
// a module answers with what cannot be. Its reports are files; a module that does write past the room shows that there would
// be one.
func TestAddressSanitizerLong(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	reports := t.TempDir()
	f := newFaulty(t)
	f.program = filepath.Join(t.TempDir(), "p11bridge")
	f.environment = []string{"ASAN_OPTIONS=detect_leaks=0:log_path=" + filepath.Join(reports, "report")}
	mustForeign(t, root, "go", "build", "-asan", "-buildvcs=false", "-o", f.program, "./cmd/p11bridge")
	f.inventory(t, f.tokens[0])
	found := func(t *testing.T) []string {
		files, err := filepath.Glob(filepath.Join(reports, "report*"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	t.Run("none", f.testNoFault)
	t.Run("answer", f.testAnswer)
	t.Run("attribute", f.testAttribute)
	for _, file := range found(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s", text)
	}
	t.Run("control", func(t *testing.T) {
		f.run(t, 1, []faultyCase{{faults: "overrun:C_WrapKey", export: "alice", code: 1, stderr: []string{"C_WrapKey"}}})
		if len(found(t)) == 0 {
			t.Error("AddressSanitizer does not see a module that writes past the room")
		}
	})
}
