package verdict

import (
	"errors"
	"strings"

	"p11bridge/token"
	"p11bridge/token/foreign"
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
			if failure.Flags.Has(token.CKFProtectedAuthenticationPath) { // nobody typed a PIN here
				return []Reason{Because(ProtectedLoginFailed, answer, Fact{"CKF_PROTECTED_AUTHENTICATION_PATH", true})}
			}
			if failure.Flags.Has(token.CKFUserPINLocked) {
				return []Reason{Because(PINLocked, answer, Fact{"CKF_USER_PIN_LOCKED", true})}
			}
			facts = append(facts, Fact{"CKF_USER_PIN_COUNT_LOW", failure.Flags.Has(token.CKFUserPINCountLow)},
				Fact{"CKF_USER_PIN_FINAL_TRY", failure.Flags.Has(token.CKFUserPINFinalTry)})
			facts = ofBrowser(failure.Manufacturer, facts...)
			if failure.Flags.Has(token.CKFUserPINFinalTry) { // the next run will not use it
				return []Reason{Because(PINIncorrect, facts...), Because(PINLastAttempt, Fact{"CKF_USER_PIN_FINAL_TRY", true})}
			}
		}
		return []Reason{Because(PINIncorrect, facts...)}
	case token.CKRFunctionCanceled, token.CKRFunctionRejected: // by the person, where the token asks
		return []Reason{Because(ProtectedLoginFailed, answer)}
	case token.CKRPINLocked:
		return []Reason{Because(PINLocked, answer)}
	case token.CKRPINExpired:
		return []Reason{Because(PINMustChange, answer)}
	case token.CKRUserPINNotInitialized:
		var failure *token.LoginError
		if errors.As(err, &failure) && failure.Flags.Has(token.CKFUserPINInitialized) { // as SoftHSM answers while another login rewrites the token's file
			return nil
		}
		return []Reason{Because(PINNotSet, answer)}
	case token.CKRTokenNotPresent:
		return []Reason{Because(TokenAbsent, Fact{"function", "C_Login"}, answer)}
	}
	return nil
}

// PINLengthReason is the reason for a PIN that cannot be right, because the token takes none of its length. No attempt
// is made with it.
func PINLengthReason(info *token.Info) Reason {
	return Because(PINLength, ofBrowser(info.Manufacturer, Fact{"min_pin_len", info.MinPINLen}, Fact{"max_pin_len", info.MaxPINLen})...)
}

// PINMissingReason is the reason where a PIN is needed and nobody gave one.
func PINMissingReason(info *token.Info) Reason {
	return Because(PINMissing, ofBrowser(info.Manufacturer, Fact{"CKF_LOGIN_REQUIRED", info.Flags.Has(token.CKFLoginRequired)})...)
}

// browserFamily is the family whose tokens have a password and no PIN: the certificate database of a browser.
const browserFamily = "nss"

func isBrowser(manufacturer foreign.Text) bool {
	return strings.HasPrefix(string(manufacturer), "Mozilla Foundation")
}

// AsksForPassword reports whether what the token calls a PIN is the password of a browser's database.
func AsksForPassword(info *token.Info) bool { return isBrowser(info.Manufacturer) }

// ofBrowser adds to facts about a PIN that it is the password of a browser's database: the words are others.
func ofBrowser(manufacturer foreign.Text, facts ...Fact) []Fact {
	if !isBrowser(manufacturer) {
		return facts
	}
	return append(facts, Fact{"family", browserFamily})
}
