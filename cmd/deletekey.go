package cmd

import (
	"context"
	"encoding/hex"
	"errors"

	"p11bridge/bridge"
	"p11bridge/cmd/messages"
	"p11bridge/token"
)

// errNotConfirmed means that the name of the key that is to be destroyed was not typed as it is.
var errNotConfirmed = errors.New("the deletion was not confirmed")

// confirmDeletion has the key's label typed before anything is done: the deletion cannot be undone, and comes without a
// further question once the file is proven.
func (a *app) confirmDeletion(ctx context.Context, o *exportOptions, r bridge.ExportRequest) error {
	if r.Inventory.Token.Flags.Has(token.CKFWriteProtected) {
		return bridge.ErrWriteProtected
	}
	if o.yes {
		return nil
	}
	if !hasTerminal() {
		return usage("error.delete-needs-yes", nil)
	}
	name := confirmationOf(r.Identity.PrivateKey)
	typed, err := ask(ctx, a.text("prompt.delete-key", messages.Args{
		"Token": printable(r.Inventory.Token.Label), "Label": printable(name), "File": printable(o.out),
	})+" ", false)
	if err != nil {
		return err
	}
	defer typed.Wipe()
	// What is typed is what was shown: a label may hold characters that no keyboard has.
	if text := typed.Reveal(); text == "" || text != name && text != printable(name) {
		return errNotConfirmed
	}
	return nil
}

// confirmationOf is what has to be typed: CKA_LABEL, else CKA_ID in hexadecimal, else the word for any key.
func confirmationOf(key *token.Object) string {
	if label := key.Label(); label != "" {
		return label
	}
	if id := key.ID(); len(id) > 0 {
		return hex.EncodeToString(id)
	}
	return "delete"
}
