package verdict_test

import (
	"fmt"

	"p11bridge/bridge/verdict"
	"p11bridge/token/tokentest"
)

// A verdict is a pure function over what a token told. Its first reason decides.
func ExampleJudge() {
	key := tokentest.PrivateKey("a", tokentest.Locked)
	inventory := tokentest.InventoryOf(key, tokentest.CertificateOf("a", nil))
	judged := verdict.Judge(inventory, inventory.Identities()[0], tokentest.Now)
	fmt.Println(judged.Exportable, judged.Reasons[0])
	// Output: false key-not-extractable {"CKA_EXTRACTABLE":false}
}
