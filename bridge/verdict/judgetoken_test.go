package verdict

import (
	"testing"

	"p11bridge/token"
	"p11bridge/token/tokentest"
)

// tokenRow is a token's flags and what stands in the way of a login.
type tokenRow struct {
	name  string
	flags token.Flags
	want  string
}

const usual = token.CKFTokenInitialized | token.CKFLoginRequired | token.CKFUserPINInitialized

func tokenRows() []tokenRow {
	return []tokenRow{
		{"nothing", usual, ""},
		{"not initialised", token.CKFLoginRequired | token.CKFUserPINLocked, `token-not-initialised {"CKF_TOKEN_INITIALIZED":false}`},
		{"no login", token.CKFTokenInitialized | token.CKFUserPINLocked, ""},
		{"no PIN", token.CKFTokenInitialized | token.CKFLoginRequired, `pin-not-set {"CKF_USER_PIN_INITIALIZED":false}`},
		{"locked", usual | token.CKFUserPINLocked | token.CKFUserPINFinalTry, `pin-locked {"CKF_USER_PIN_LOCKED":true}`},
		{"no PIN, and locked", token.CKFTokenInitialized | token.CKFLoginRequired | token.CKFUserPINLocked,
			`pin-not-set {"CKF_USER_PIN_INITIALIZED":false}; pin-locked {"CKF_USER_PIN_LOCKED":true}`},
		{"one attempt left", usual | token.CKFUserPINFinalTry | token.CKFUserPINCountLow, `pin-last-attempt {"CKF_USER_PIN_FINAL_TRY":true}`},
		{"to be changed, and none is set", token.CKFTokenInitialized | token.CKFLoginRequired | token.CKFUserPINToBeChanged, `pin-not-set {"CKF_USER_PIN_INITIALIZED":false}`},
		{"to be changed", usual | token.CKFUserPINToBeChanged, `pin-must-change {"CKF_USER_PIN_TO_BE_CHANGED":true}`},
		{"keypad", usual | token.CKFProtectedAuthenticationPath, `pinpad-required {"CKF_PROTECTED_AUTHENTICATION_PATH":true}`},
		{"all at once", usual | token.CKFUserPINFinalTry | token.CKFUserPINToBeChanged | token.CKFProtectedAuthenticationPath,
			`pin-last-attempt {"CKF_USER_PIN_FINAL_TRY":true}; pin-must-change {"CKF_USER_PIN_TO_BE_CHANGED":true}; pinpad-required {"CKF_PROTECTED_AUTHENTICATION_PATH":true}`},
	}
}

func TestJudgeToken(t *testing.T) {
	for _, row := range tokenRows() {
		t.Run(row.name, func(t *testing.T) {
			reasons := JudgeToken(&token.Info{Flags: row.flags})
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
}

func TestJudgeInventory(t *testing.T) {
	hidden := `keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":true}`
	perhaps := `keys-hidden-until-login {"logged_in":false,"CKF_LOGIN_REQUIRED":false,"CKF_USER_PIN_INITIALIZED":true}`
	const withPIN = token.CKFTokenInitialized | token.CKFUserPINInitialized
	key := func(private bool) []*token.Object {
		return []*token.Object{{Class: token.CKOPrivateKey, Attributes: tokentest.Answers(tokentest.Values{token.CKAPrivate: private})}}
	}
	for _, row := range []struct {
		name     string
		flags    token.Flags
		loggedIn bool
		objects  []*token.Object
		want     string
	}{
		{"logged in", usual, true, nil, ""},
		{"not logged in", usual, false, nil, hidden},
		{"not logged in, and a private object shows", usual, false, key(true), hidden},
		{"not logged in, and the PIN is locked", usual | token.CKFUserPINLocked, false, nil, hidden + `; pin-locked {"CKF_USER_PIN_LOCKED":true}`},
		{"no login needed", token.CKFTokenInitialized, false, nil, ""},
		{"a PIN, and no login needed", withPIN, false, nil, perhaps},
		{"a PIN, no login needed, and a key that is not private", withPIN, false, key(false), perhaps},
		{"a PIN, no login needed, and a private object shows", withPIN, false, key(true), ""},
		{"a PIN, no login needed, and logged in", withPIN, true, nil, ""},
	} {
		inventory := &token.Inventory{Token: token.Info{Flags: row.flags}, LoggedIn: row.loggedIn, Objects: row.objects}
		for _, indexed := range []string{"", ", indexed"} {
			if got := Text(JudgeInventory(inventory)); got != row.want {
				t.Errorf("%s%s: %s\nnot\n%s", row.name, indexed, got, row.want)
			}
			inventory.Index()
		}
	}
}
