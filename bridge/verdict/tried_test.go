package verdict

import (
	"testing"

	"p11bridge/token"
	"p11bridge/token/tokentest"
)

// TestTried has for every kind of answer the verdict that an export would come to.
func TestTried(t *testing.T) {
	const (
		notWrappable = token.CKRKeyNotWrappable
		unknown      = token.CKRMechanismInvalid
		general      = token.CKR(5)
	)
	wrapped := func(m token.CKM, code token.CKR) token.Attempt {
		return token.Attempt{Mechanism: m, Function: "C_WrapKey", Code: code}
	}
	listsWrap := []token.Mechanism{{Type: token.CKMAESKeyWrapPad, Wrap: true}}
	listsShroud := []token.Mechanism{{Type: token.CKMAESCBCPad, Wrap: true}}
	for _, row := range []struct {
		name     string
		key      tokentest.Values
		listed   []token.Mechanism
		attempts []token.Attempt
		want     string
	}{
		{"nothing was tried", tokentest.Wrappable, listsWrap, nil, yesByWrap},
		{"the listed way works", tokentest.Wrappable, listsWrap, []token.Attempt{wrapped(token.CKMAESCBCPad, unknown), wrapped(token.CKMAESKeyWrapPad, token.CKROK)}, yesByWrap},
		{"an export takes no way that is not listed where one is", tokentest.Wrappable, listsWrap, []token.Attempt{wrapped(token.CKMAESCBCPad, token.CKROK), wrapped(token.CKMAESKeyWrapPad, token.CKROK)}, yesByWrap},
		{"what was tried is nothing that an export would do", tokentest.Wrappable, listsWrap, []token.Attempt{wrapped(token.CKMAESCBCPad, token.CKROK)}, yesByWrap},
		{"a listed shroud is refused, and another way works", tokentest.Wrappable, listsShroud, []token.Attempt{wrapped(token.CKMAESCBCPad, notWrappable), wrapped(token.CKMAESKeyWrapPad, token.CKROK)}, yesByWrap},
		{"a listed shroud works", tokentest.Wrappable, listsShroud, []token.Attempt{wrapped(token.CKMAESCBCPad, token.CKROK)},
			`shroud CKM_AES_CBC_PAD: exportable-by-shroud {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_CBC_PAD"}`},
		{"what is listed is refused for the key's sake", tokentest.Wrappable, listsWrap, []token.Attempt{wrapped(token.CKMAESCBCPad, unknown), wrapped(token.CKMAESKeyWrapPad, notWrappable), wrapped(token.CKMAESKeyWrap, token.CKROK)},
			`no: wrap-refused {"answers":["CKM_AES_KEY_WRAP_PAD: C_WrapKey: CKR_KEY_NOT_WRAPPABLE","CKM_AES_KEY_WRAP: C_WrapKey: CKR_OK"]}`},
		{"no mechanism does it", tokentest.Wrappable, listsWrap, []token.Attempt{wrapped(token.CKMAESKeyWrapPad, unknown)},
			`not known: no-wrapping-mechanism {"answers":["CKM_AES_KEY_WRAP_PAD: C_WrapKey: CKR_MECHANISM_INVALID"]}`},
		{"nothing is listed, and no mechanism does it", tokentest.Wrappable, nil, []token.Attempt{wrapped(token.CKMAESKeyWrapPad, unknown)},
			`no: no-wrapping-mechanism {"answers":["CKM_AES_KEY_WRAP_PAD: C_WrapKey: CKR_MECHANISM_INVALID"],"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanisms":0}`},
		{"a readable key is read", tokentest.Readable, listsWrap, []token.Attempt{wrapped(token.CKMAESKeyWrapPad, notWrappable)},
			`attributes : exportable-by-attributes {"CKA_SENSITIVE":false,"CKA_EXTRACTABLE":true}`},
		{"a token withholds the parts of a readable key", tokentest.Readable, listsWrap, []token.Attempt{wrapped(token.CKMAESKeyWrapPad, unknown), {Function: "C_GetAttributeValue", Code: token.CKRAttributeSensitive}},
			`no: wrap-refused {"answers":["CKM_AES_KEY_WRAP_PAD: C_WrapKey: CKR_MECHANISM_INVALID","C_GetAttributeValue: CKR_ATTRIBUTE_SENSITIVE"]}`},
		{"nothing is listed and it works", tokentest.Wrappable, nil, []token.Attempt{wrapped(token.CKMAESKeyWrapPad, token.CKROK)}, yesByWrap},
		{"the token fails", tokentest.Wrappable, listsWrap, []token.Attempt{wrapped(token.CKMAESKeyWrapPad, general)}, `no: wrap-failed {"answers":["CKM_AES_KEY_WRAP_PAD: C_WrapKey: CKR_GENERAL_ERROR"]}`},
		{"the token fails at one way, and another works", tokentest.Wrappable, listsWrap, []token.Attempt{wrapped(token.CKMAESKeyWrapPad, general), wrapped(token.CKMAESKeyWrap, token.CKROK)},
			`wrap CKM_AES_KEY_WRAP: exportable-by-wrap {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanism":"CKM_AES_KEY_WRAP"}`},
		{"nothing is listed, and the token fails", tokentest.Wrappable, nil, []token.Attempt{wrapped(token.CKMAESKeyWrapPad, general)},
			`no: no-wrapping-mechanism {"CKA_SENSITIVE":true,"CKA_EXTRACTABLE":true,"mechanisms":0}`},
		{"a key that cannot leave", tokentest.Locked.With(tokentest.Values{token.CKALocal: token.CKRAttributeTypeInvalid, token.CKANeverExtractable: token.CKRAttributeTypeInvalid}), listsWrap,
			[]token.Attempt{wrapped(token.CKMAESKeyWrapPad, token.CKROK)}, `no: key-not-extractable {"CKA_EXTRACTABLE":false}`},
	} {
		key := tokentest.PrivateKey("a", row.key)
		inventory := tokentest.InventoryOf(key)
		inventory.Mechanisms = row.listed
		judged := Verdict{}
		judgeKey(&judged, inventory, key, token.Identity{PrivateKey: key, Certificate: &token.Certificate{}, LinkedBy: token.LinkedByPublicKey})
		if got := sentence(Tried(inventory, key, judged, row.attempts)); got != row.want {
			t.Errorf("%s:\n%s\nnot\n%s", row.name, got, row.want)
		}
	}
}

// triedAndFailed is the verdict on a key that its token failed to hand over.
func triedAndFailed() Verdict {
	key := tokentest.PrivateKey("a", tokentest.Wrappable)
	inventory := tokentest.InventoryOf(key)
	attempts := []token.Attempt{{Mechanism: token.CKMAESKeyWrapPad, Function: "C_WrapKey", Code: token.CKRGeneralError}}
	return Tried(inventory, key, JudgeKey(inventory, token.Identity{PrivateKey: key}), attempts)
}

// TestTriedAndFailed: nothing is known of a key that its token failed to hand over, and no way out is promised.
func TestTriedAndFailed(t *testing.T) {
	if v := triedAndFailed(); v.Known() || v.Exportable || v.Method != "" || v.ListedRefused {
		t.Errorf("%+v", v)
	}
}
