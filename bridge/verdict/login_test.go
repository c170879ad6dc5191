package verdict

import (
	"errors"
	"testing"

	"p11bridge/token"
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
			`pin-incorrect {"CKR":"CKR_PIN_INCORRECT","CKF_USER_PIN_COUNT_LOW":true,"CKF_USER_PIN_FINAL_TRY":true}; pin-last-attempt {"CKF_USER_PIN_FINAL_TRY":true}`},
		{"wrong, and that was the last", failed(token.CKRPINIncorrect, token.CKFUserPINLocked), `pin-locked {"CKR":"CKR_PIN_INCORRECT","CKF_USER_PIN_LOCKED":true}`},
		{"of another length", failed(token.CKRPINLenRange, 0), `pin-incorrect {"CKR":"CKR_PIN_LEN_RANGE","CKF_USER_PIN_COUNT_LOW":false,"CKF_USER_PIN_FINAL_TRY":false}`},
		{"wrong, and the flags are not known", &token.Error{Function: "C_Login", Code: token.CKRPINIncorrect}, `pin-incorrect {"CKR":"CKR_PIN_INCORRECT"}`},
		{"wrong, and the token asked for it itself", failed(token.CKRPINIncorrect, token.CKFProtectedAuthenticationPath), `protected-login-failed {"CKR":"CKR_PIN_INCORRECT","CKF_PROTECTED_AUTHENTICATION_PATH":true}`},
		{"the question was cancelled", failed(token.CKRFunctionCanceled, token.CKFProtectedAuthenticationPath), `protected-login-failed {"CKR":"CKR_FUNCTION_CANCELED"}`},
		{"the password of a browser's database", &token.LoginError{Err: &token.Error{Function: "C_Login", Code: token.CKRPINIncorrect}, Manufacturer: "Mozilla Foundation"},
			`pin-incorrect {"CKR":"CKR_PIN_INCORRECT","CKF_USER_PIN_COUNT_LOW":false,"CKF_USER_PIN_FINAL_TRY":false,"family":"nss"}`},
		{"locked", failed(token.CKRPINLocked, 0), `pin-locked {"CKR":"CKR_PIN_LOCKED"}`},
		{"expired", failed(token.CKRPINExpired, 0), `pin-must-change {"CKR":"CKR_PIN_EXPIRED"}`},
		{"never set", failed(token.CKRUserPINNotInitialized, 0), `pin-not-set {"CKR":"CKR_USER_PIN_NOT_INITIALIZED"}`},
		{"never set, and the flags say that it is", failed(token.CKRUserPINNotInitialized, token.CKFUserPINInitialized), ""},
		{"pulled out", failed(token.CKRTokenNotPresent, 0), `token-absent {"function":"C_Login","CKR":"CKR_TOKEN_NOT_PRESENT"}`},
		{"a failure is no verdict", failed(token.CKRGeneralError, 0), ""},
		{"nor is one of ours", errors.New("no"), ""},
	}
}

// TestJudgeLogin is also about token-absent: its evidence says what the token answered where no slots were counted.
func TestJudgeLogin(t *testing.T) {
	for _, row := range loginRows() {
		t.Run(row.name, func(t *testing.T) {
			reasons := JudgeLogin(row.err)
			if got := Text(reasons); got != row.want {
				t.Errorf("%s\nnot\n%s", got, row.want)
			}
			for _, reason := range reasons {
				if err := reason.Validate(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if got, want := Text([]Reason{PINLengthReason(&token.Info{MinPINLen: 4, MaxPINLen: 8})}), `pin-length {"min_pin_len":4,"max_pin_len":8}`; got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
}

// unlockedBrowser is a browser's database without a primary password.
func unlockedBrowser() *token.Inventory {
	return &token.Inventory{Token: token.Info{Manufacturer: "Mozilla Foundation", Flags: token.CKFTokenInitialized | token.CKFUserPINInitialized}}
}

// TestBrowser holds what is said of the password of a browser's database, which is no PIN.
func TestBrowser(t *testing.T) {
	info := token.Info{Manufacturer: "Mozilla Foundation", Flags: token.CKFTokenInitialized | token.CKFLoginRequired, MaxPINLen: 500}
	for _, row := range []struct {
		reasons []Reason
		want    string
	}{
		{JudgeInventory(unlockedBrowser()), `primary-password-not-set {"CKF_LOGIN_REQUIRED":false,"family":"nss"}`},
		{JudgeInventory(&token.Inventory{Token: info, LoggedIn: true}), `pin-not-set {"CKF_USER_PIN_INITIALIZED":false,"family":"nss"}`},
		{[]Reason{HiddenReason(&info)}, `keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true,"family":"nss"}`},
		{[]Reason{PINMissingReason(&info)}, `pin-missing {"CKF_LOGIN_REQUIRED":true,"family":"nss"}`},
		{[]Reason{PINLengthReason(&info)}, `pin-length {"min_pin_len":0,"max_pin_len":500,"family":"nss"}`},
	} {
		if got := Text(row.reasons); got != row.want {
			t.Errorf("%s\nnot\n%s", got, row.want)
		}
		for _, reason := range row.reasons {
			if err := reason.Validate(); err != nil {
				t.Error(err)
			}
		}
	}
}
