package frame

import (
	"context"
	"encoding/hex"
	"errors"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// ErrNotConfirmed means that the name of the key that is to be destroyed was not typed as it is.
var ErrNotConfirmed = errors.New("the deletion was not confirmed")

// ConfirmByName has a key's name typed before the key is destroyed. The prompt gets the name as Label.
func (a *App) ConfirmByName(ctx context.Context, prompt string, args messages.Args, key *token.Object) error {
	name := confirmationOf(key)
	args["Label"] = name
	typed, err := terminal.Ask(ctx, a.Text(prompt, args)+" ", false)
	if err != nil {
		return err
	}
	defer typed.Wipe()
	// What is typed is what was shown: a label may hold characters that no keyboard has.
	if text := typed.Reveal(); text == "" || text != string(name) && text != name.String() {
		return ErrNotConfirmed
	}
	return nil
}

// confirmationOf is what has to be typed: CKA_LABEL, else CKA_ID in hexadecimal, else the word for any key.
func confirmationOf(key *token.Object) foreign.Text {
	if label := key.Label(); label != "" {
		return label
	}
	if id := key.ID(); len(id) > 0 {
		return foreign.Text(hex.EncodeToString(id))
	}
	return "delete"
}
