package frame

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// ErrNotConfirmed means that the name of the key that is to be destroyed was not typed as it is.
var ErrNotConfirmed = errors.New("the deletion was not confirmed")

// ConfirmByName has the name of an identity's key typed before the key is destroyed. The prompt gets the name as Label, and what is
// to be typed as Typed.
func (a *App) ConfirmByName(ctx context.Context, prompt string, args messages.Args, inventory *token.Inventory, identity token.Identity) error {
	name, wanted := confirmationOf(inventory.Identities(), identity)
	args["Label"], args["Typed"] = name, wanted
	question := strings.ReplaceAll(a.Text(prompt, args), wanted.String(), terminal.Whole(wanted.String())) // no line ends within it
	typed, err := terminal.Ask(ctx, question+" ", false)
	if err != nil {
		return err
	}
	defer typed.Wipe()
	// What is typed is what was shown: a label may hold characters that no keyboard has.
	if text := typed.Reveal(); text == "" || text != string(wanted) && text != wanted.String() {
		return ErrNotConfirmed
	}
	return nil
}

// typedDigits is how much of a long CKA_ID is typed: its last digits, where no other key's CKA_ID ends in them.
const typedDigits = 8

// confirmationOf is what a key is called and what has to be typed: CKA_LABEL; else the label of the certificate that is shown to be its
// own, where nothing else has it; else CKA_ID in hexadecimal, or its last digits; else the word for any key.
func confirmationOf(among []token.Identity, identity token.Identity) (name, wanted foreign.Text) {
	key := identity.PrivateKey
	if label := key.Label(); label != "" {
		return label, label
	}
	if label := certificateLabel(identity); label != "" && identity.Proven() && !othersHave(among, key, func(o *token.Object) bool { return o.Label() == label }) {
		return label, label
	}
	id := hex.EncodeToString(key.ID())
	if id == "" {
		return "delete", "delete"
	}
	end := id[max(0, len(id)-typedDigits):]
	if len(id) <= 2*typedDigits || othersHave(among, key, func(o *token.Object) bool { return strings.HasSuffix(hex.EncodeToString(o.ID()), end) }) {
		end = id
	}
	return foreign.Text(id), foreign.Text(end)
}

func certificateLabel(identity token.Identity) foreign.Text {
	if identity.Certificate == nil {
		return ""
	}
	return identity.Certificate.Object.Label()
}

// othersHave reports whether an object of another identity than those of the key fits.
func othersHave(among []token.Identity, key *token.Object, fits func(*token.Object) bool) bool {
	return slices.ContainsFunc(among, func(other token.Identity) bool {
		return other.PrivateKey != key && slices.ContainsFunc(slices.Concat(other.Objects(), other.Copies), fits)
	})
}
