package verdict

import (
	"strings"

	"p11bridge/token"
)

// Hides reports whether private keys may be on the token that were not visible when the inventory was read. CKF_LOGIN_REQUIRED is about functions:
// a token without it may hide its private objects all the same (PKCS#11 v3.1 §4.4, CKA_PRIVATE), unless it shows one.
func Hides(inventory *token.Inventory) bool {
	info := &inventory.Token
	return !inventory.LoggedIn && HasPIN(info) && (info.Flags.Has(token.CKFLoginRequired) || !inventory.ShowsPrivate())
}

// HasPIN reports whether there is something to log in with. A browser's database without a primary password says that its PIN is initialised.
func HasPIN(info *token.Info) bool {
	return info.Flags.Has(token.CKFLoginRequired) || info.Flags.Has(token.CKFUserPINInitialized) && !isBrowser(info.Manufacturer)
}

// HiddenReason says that private keys may show only after a login.
func HiddenReason(info *token.Info) Reason {
	facts := []Fact{{"logged_in", false}, {"CKF_LOGIN_REQUIRED", info.Flags.Has(token.CKFLoginRequired)}}
	if !info.Flags.Has(token.CKFLoginRequired) {
		facts = append(facts, Fact{"CKF_USER_PIN_INITIALIZED", true})
	}
	return Because(KeysHiddenUntilLogin, ofBrowser(info.Manufacturer, facts...)...)
}

// JudgeInventory gives what is to be said of a token as a whole.
func JudgeInventory(inventory *token.Inventory) []Reason {
	var reasons []Reason
	if Hides(inventory) {
		reasons = append(reasons, HiddenReason(&inventory.Token))
	}
	if isBrowser(inventory.Token.Manufacturer) && !inventory.Token.Flags.Has(token.CKFLoginRequired) {
		reasons = append(reasons, Because(PrimaryPasswordNotSet, ofBrowser(inventory.Token.Manufacturer, Fact{"CKF_LOGIN_REQUIRED", false})...))
	}
	if inventory.PassedOver != "" {
		reasons = append(reasons, PassedOverReason(inventory))
	}
	for _, o := range inventory.Unread() {
		reasons = append(reasons, UnreadReason(inventory, o))
	}
	return append(reasons, JudgeToken(&inventory.Token)...)
}

// PassedOverReason says that the module shows the token without what is in a file of it.
func PassedOverReason(inventory *token.Inventory) Reason {
	return Because(TokenFileUnreadable, Fact{"path", inventory.PassedOver})
}

// UnreadReason says which object the token failed to tell of, and what it answered.
func UnreadReason(inventory *token.Inventory, o *token.Object) Reason {
	return Because(ObjectUnreadable, append([]Fact{{"object", inventory.Token.URI().With(o).String()}}, faultFacts(o.Fault())...)...)
}

// FreePlace reports whether this is the place for a further token that SoftHSM always shows. It is no token that could be initialised.
func FreePlace(info *token.Info) bool {
	return !info.Flags.Has(token.CKFTokenInitialized) && info.Label == "" && info.Serial == "" && strings.HasPrefix(string(info.Manufacturer), "SoftHSM")
}

// JudgeToken decides from a token's flags what stands in the way of a login, before any is tried. An empty result means
// that nothing does.
func JudgeToken(info *token.Info) []Reason {
	var reasons []Reason
	flag := func(f token.Flags, name string) Fact { return Fact{name, info.Flags.Has(f)} }
	if FreePlace(info) {
		return []Reason{Because(SoftHSMEmpty, flag(token.CKFTokenInitialized, "CKF_TOKEN_INITIALIZED"))}
	}
	if !info.Flags.Has(token.CKFTokenInitialized) {
		return []Reason{Because(TokenNotInitialised, flag(token.CKFTokenInitialized, "CKF_TOKEN_INITIALIZED"))}
	}
	if !info.Flags.Has(token.CKFLoginRequired) {
		return nil
	}
	if !info.Flags.Has(token.CKFUserPINInitialized) {
		reasons = append(reasons, Because(PINNotSet, ofBrowser(info.Manufacturer, flag(token.CKFUserPINInitialized, "CKF_USER_PIN_INITIALIZED"))...))
	}
	if info.Flags.Has(token.CKFUserPINLocked) {
		return append(reasons, Because(PINLocked, flag(token.CKFUserPINLocked, "CKF_USER_PIN_LOCKED")))
	}
	if info.Flags.Has(token.CKFUserPINFinalTry) {
		reasons = append(reasons, Because(PINLastAttempt, flag(token.CKFUserPINFinalTry, "CKF_USER_PIN_FINAL_TRY")))
	}
	if info.Flags.Has(token.CKFUserPINToBeChanged) && info.Flags.Has(token.CKFUserPINInitialized) { // openCryptoki says so before there is a PIN
		reasons = append(reasons, Because(PINMustChange, flag(token.CKFUserPINToBeChanged, "CKF_USER_PIN_TO_BE_CHANGED")))
	}
	if info.Flags.Has(token.CKFProtectedAuthenticationPath) {
		reasons = append(reasons, Because(PinpadRequired, flag(token.CKFProtectedAuthenticationPath, "CKF_PROTECTED_AUTHENTICATION_PATH")))
	}
	return reasons
}
