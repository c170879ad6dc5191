package token

import "testing"

func TestNamesOfReturnValues(t *testing.T) {
	for code, want := range map[CKR]string{
		0: "CKR_OK", 0x05: "CKR_GENERAL_ERROR", 0x1B: "CKR_ACTION_PROHIBITED", 0x140: "CKR_CURVE_NOT_SUPPORTED", 0x203: "CKR_KEY_EXHAUSTED",
		0xCE534351: "CKR_NSS_CERTDB_FAILED", 0x80000001: "CKR_0x80000001",
	} {
		if got := code.String(); got != want {
			t.Errorf("%#x is %s, not %s", uint(code), got, want)
		}
	}
}
