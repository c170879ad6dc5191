package view

import (
	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

// NoBackup chooses the words for a key that cannot leave its token: that there is no backup of it, which is known only of a key that was made on the token,
// or that a file may be one.
func NoBackup(none, original string, inventory *token.Inventory, key *token.Object) string {
	if verdict.MayHaveOriginal(inventory, key) {
		return original
	}
	return none
}
