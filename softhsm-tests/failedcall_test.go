package softhsmtests

import (
	"strings"
	"testing"
)

// TestFailedCallIsNamed has calls fail for which the product has words of its own, or after which it goes on: whatever it says, the
// call that failed is named, in the text and in the document, and no more than is known is said.
func TestFailedCallIsNamed(t *testing.T) {
	t.Parallel()
	failed := func(fault, function, code string) faultyCase {
		return faultyCase{faults: "error:" + fault, code: 1, stderr: []string{function, code}}
	}
	said := func(text string) func(*testing.T, *faultyRun) {
		return func(t *testing.T, r *faultyRun) { r.says(t, text) }
	}
	cases := []faultyCase{
		failed("C_Initialize:0x191", "C_Initialize", "CKR_CRYPTOKI_ALREADY_INITIALIZED"), // and it is not
		failed("C_OpenSession:0xE2", "C_OpenSession", "CKR_TOKEN_WRITE_PROTECTED"),       // a session that writes nothing
		failed("C_GetTokenInfo:0xE0", "C_GetTokenInfo", "CKR_TOKEN_NOT_PRESENT"),         // beside SoftHSM's free slot
		failed("C_Login:0xE0", "C_Login", "CKR_TOKEN_NOT_PRESENT"),
		failed("C_GetSessionInfo:0xE0", "C_GetSessionInfo", "CKR_TOKEN_NOT_PRESENT"),
		failed("C_GetSessionInfo:0xA0", "C_GetSessionInfo", "CKR_PIN_INCORRECT"), // who asks for a state has given no PIN
	}
	for i := range cases[:5] {
		cases[i].check = func(t *testing.T, r *faultyRun) { r.says(t, cases[i].stderr[0]) }
	}
	signing := faultyCase{faults: "error:C_SignInit:0x54", check: said("CKR_FUNCTION_NOT_SUPPORTED")}
	unread := faultyCase{faults: "overlong:0x162", code: 1, unread: true, check: said(`"object": "pkcs11:`)}
	twin := faultyCase{faults: "cbc-pad,error:C_UnwrapKey@2:0x13", export: rsaKey, args: []string{"--require-shroud"}, code: 1, stderr: []string{"C_UnwrapKey"}}
	newFaulty(t).run(t, 2, append(cases, signing, unread, twin,
		faultyCase{faults: "overlong:0x162", export: "nobody", code: 1, stderr: []string{"C_GetAttributeValue", "CKA_EXTRACTABLE"}},
	))
}

// says wants a text in the document.
func (r *faultyRun) says(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(r.stdout, text) {
		t.Errorf("the document does not say %q", text)
	}
}
