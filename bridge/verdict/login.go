package verdict

import (
	"errors"

	"p11bridge/token"
)

// JudgeLogin turns a failed login into reasons: what the token answered, and what its flags say after the attempt. There are none
// for what no PIN is the cause of.
func JudgeLogin(err error) []Reason {
	var refused *token.Error
	if !errors.As(err, &refused) || refused.Function != "C_Login" {
		return nil
	}
	code := refused.Code
	answer := Fact{"CKR", code.String()}
	switch code {
	case token.CKRPINIncorrect, token.CKRPINLenRange:
		facts := []Fact{answer}
		var failure *token.LoginError
		if errors.As(err, &failure) {
			if failure.Flags.Has(token.CKFUserPINLocked) {
				return []Reason{Because(PINLocked, answer, Fact{"CKF_USER_PIN_LOCKED", true})}
			}
			facts = append(facts, Fact{"CKF_USER_PIN_COUNT_LOW", failure.Flags.Has(token.CKFUserPINCountLow)},
				Fact{"CKF_USER_PIN_FINAL_TRY", failure.Flags.Has(token.CKFUserPINFinalTry)})
		}
		return []Reason{Because(PINIncorrect, facts...)}
	case token.CKRPINLocked:
		return []Reason{Because(PINLocked, answer)}
	case token.CKRPINExpired:
		return []Reason{Because(PINMustChange, answer)}
	case token.CKRUserPINNotInitialized:
		return []Reason{Because(PINNotSet, answer)}
	case token.CKRTokenNotPresent:
		return []Reason{Because(TokenAbsent, Fact{"function", "C_Login"}, answer)}
	}
	return nil
}

// PINLengthReason is the reason for a PIN that cannot be right, because the token takes none of its length. No attempt
// is made with it.
func PINLengthReason(info *token.Info) Reason {
	return Because(PINLength, Fact{"min_pin_len", info.MinPINLen}, Fact{"max_pin_len", info.MaxPINLen})
}
