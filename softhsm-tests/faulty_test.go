package softhsmtests

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFaultyModule tries some cases of each kind.
func TestFaultyModule(t *testing.T) {
	t.Parallel()
	f := newFaulty(t)
	f.every = 20
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
	refusedAll := func(function, number string) faultyCase { // not for the key's sake: nobody knows that it cannot leave
		return faultyCase{faults: "error:" + function + ":" + number, export: "alice", code: 5, unwritten: true, reason: "no-wrapping-mechanism"}
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
		login("0xA4", "pin-locked"),
		answer("C_Login", "0x102", "CKR_USER_PIN_NOT_INITIALIZED"), // which the flags contradict
		wrap("C_WrapKey", "0x6A", "wrap-refused"), wrap("C_WrapKey", "0x69", "wrap-refused"),
		refusedAll("C_WrapKey", "0x70"), refusedAll("C_WrapKey", "0x54"),
		refusedAll("C_WrapKey", "0x115"),
		refusedAll("C_CreateObject", "0xD1"), refusedAll("C_CreateObject", "0x54"),
		refusedAll("C_CreateObject", "0xE2"),              // CKR_TOKEN_WRITE_PROTECTED says nothing about the private key
		{faults: "error:C_WrapKey:0x70", export: "frank"}, // may be read instead
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
	cases := append(policyFaults(), keyFaults()...)
	for _, length := range []string{"0x7fffffff", "0x80000010", "0xffffffff", "0x4000000000000000", "0x4000000000100000", "0x400000007fffffff", "0xfffffffffffffffe"} {
		cases = append(cases, faultyCase{faults: "huge:0x3:" + length, check: f.onlyKnownLabels}) // CKA_LABEL
	}
	cases = append(cases,
		faultyCase{faults: "short-ulong", export: "alice"}, faultyCase{faults: "short-ulong", export: "dave"},
		firstReason("short-ulong", "bob", "key-not-extractable"),
		firstReason("garbage:0x102", "dave", "exportable-by-wrap"), firstReason("unavailable:0x102", "alice", "exportable-by-wrap"),
		faultyCase{faults: "garbage:0x162", export: "bob", code: 3, reason: "wrap-refused"},
		faultyCase{faults: "garbage:0x103,garbage:0x162", export: "judy", code: 3, reason: "wrap-refused"},
		faultyCase{faults: "overlong:0x3", check: f.onlyKnownLabels}, faultyCase{faults: "unavailable:0x3", check: f.onlyKnownLabels},
		faultyCase{faults: "overlong:0x11", export: rsaKey, orCode: 3},
	)
	f.run(t, 3, cases)
}

// policyFaults are about the attributes that say what may be done with a key.
func policyFaults() []faultyCase {
	var cases []faultyCase
	for _, kind := range []string{"unavailable", "unsupported"} {
		cases = append(cases,
			firstReason(kind+":0x162", "alice", "attributes-not-told"), // CKA_EXTRACTABLE
			faultyCase{faults: kind + ":0x162", export: "alice", code: 1, reason: "attributes-not-told"},
			firstReason(kind+":0x103", "alice", "exportable-by-wrap"), // CKA_SENSITIVE
			faultyCase{faults: kind + ":0x103,no-wrap", export: "frank", code: 3, reason: "no-wrapping-mechanism"},
		)
	}
	unread := func(faults string) faultyCase {
		c := firstReason(faults, "alice", "object-unreadable")
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
			firstReason(kind+":0x164", "alice", "exportable-by-wrap"), // CKA_NEVER_EXTRACTABLE
			firstReason(kind+":0x210", "alice", "exportable-by-wrap"), // CKA_WRAP_WITH_TRUSTED
		)
	}
	return cases
}

// keyFaults are about the attributes that say which key it is.
func keyFaults() []faultyCase {
	var cases []faultyCase
	for _, kind := range []string{"unavailable", "unsupported", "empty", "garbage", "huge"} {
		untold := neverReason("key-type-unsupported") // what was not told is not unsupported
		modulus, keyType := 3, 1                      // without its type nobody knows whether the key may leave
		if kind == "garbage" {
			untold, modulus, keyType = nil, anyCode, 5 // by chance it is the modulus of some key or of none; the type is one that is unknown
		}
		impossible := 0 // a length that no answer has is the token's failure
		if kind == "huge" {
			impossible, modulus = 1, 1
		}
		cases = append(cases,
			faultyCase{faults: kind + ":0x102", export: "alice", code: impossible},                                     // CKA_ID: the public key links
			faultyCase{faults: kind + ":0x11", export: rsaKey, code: 1, orCode: 3},                                     // CKA_VALUE: no certificate
			faultyCase{faults: kind + ":0x100", export: rsaKey, code: keyType, unwritten: keyType == 5, check: untold}, // CKA_KEY_TYPE
			faultyCase{faults: kind + ":0x120", export: rsaKey, code: impossible, orCode: modulus, check: untold},      // CKA_MODULUS
			faultyCase{faults: kind + ":0x180", export: ecKey},                                                         // CKA_EC_PARAMS
			faultyCase{faults: kind + ":0x181", export: ecKey},                                                         // CKA_EC_POINT
		)
	}
	return cases
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
			faultyCase{faults: "only:0x210B", export: object, code: 5, unwritten: true, reason: "no-wrapping-mechanism"},
			faultyCase{faults: "only:0x1054", export: object, code: 5, unwritten: true, reason: "no-wrapping-mechanism"},
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
