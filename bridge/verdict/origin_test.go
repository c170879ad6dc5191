package verdict_test

import (
	"testing"

	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/tokentest"
)

// TestMayHaveOriginal says of which keys a file may exist from which they came.
func TestMayHaveOriginal(t *testing.T) {
	for _, row := range []struct {
		name                      string
		local, never, extractable any
		invents                   bool
		want                      bool
	}{
		{"made on the token", true, true, false, false, false},
		{"made on the token as one that may leave", true, false, true, false, false},
		{"made on the token, and locked later", true, false, false, false, true},
		{"put on the token", false, false, false, false, true},
		{"put on the token as one that may leave", false, false, true, false, true},
		{"not told", nil, nil, false, false, true},
		{"told by a module that does not know", true, true, false, true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			values := tokentest.Values{}
			for a, value := range map[token.Attribute]any{token.CKALocal: row.local, token.CKANeverExtractable: row.never, token.CKAExtractable: row.extractable} {
				if value != nil {
					values[a] = value
				}
			}
			inventory := tokentest.InventoryOf()
			if row.invents {
				inventory.Module.Manufacturer, inventory.Token.Model = "OpenSC Project", "PKCS#15 emulated"
			}
			if got := verdict.MayHaveOriginal(inventory, tokentest.PrivateKey("", values)); got != row.want {
				t.Errorf("%v, not %v", got, row.want)
			}
		})
	}
}
