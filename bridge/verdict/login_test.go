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
			`pin-incorrect {"CKR":"CKR_PIN_INCORRECT","CKF_USER_PIN_COUNT_LOW":true,"CKF_USER_PIN_FINAL_TRY":true}`},
		{"wrong, and that was the last", failed(token.CKRPINIncorrect, token.CKFUserPINLocked), `pin-locked {"CKR":"CKR_PIN_INCORRECT","CKF_USER_PIN_LOCKED":true}`},
		{"of another length", failed(token.CKRPINLenRange, 0), `pin-incorrect {"CKR":"CKR_PIN_LEN_RANGE","CKF_USER_PIN_COUNT_LOW":false,"CKF_USER_PIN_FINAL_TRY":false}`},
		{"wrong, and the flags are not known", &token.Error{Function: "C_Login", Code: token.CKRPINIncorrect}, `pin-incorrect {"CKR":"CKR_PIN_INCORRECT"}`},
		{"locked", failed(token.CKRPINLocked, 0), `pin-locked {"CKR":"CKR_PIN_LOCKED"}`},
		{"expired", failed(token.CKRPINExpired, 0), `pin-must-change {"CKR":"CKR_PIN_EXPIRED"}`},
		{"never set", failed(token.CKRUserPINNotInitialized, 0), `pin-not-set {"CKR":"CKR_USER_PIN_NOT_INITIALIZED"}`},
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
