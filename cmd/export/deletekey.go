package export

import (
	"context"
	"encoding/hex"
	"errors"

	"p11bridge/bridge"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// errNotConfirmed means that the name of the key that is to be destroyed was not typed as it is.
var errNotConfirmed = errors.New("the deletion was not confirmed")

// confirmDeletion has the key's label typed before anything is done: the deletion cannot be undone, and comes without a
// further question once the file is proven.
func confirmDeletion(ctx context.Context, a *frame.App, o *exportOptions, r bridge.ExportRequest) error {
	if r.Inventory.Token.Flags.Has(token.CKFWriteProtected) {
		return bridge.ErrWriteProtected
	}
	if o.yes {
		return nil
	}
	if !terminal.Present() {
		return frame.Usage("error.delete-needs-yes", nil)
	}
	name := confirmationOf(r.Identity.PrivateKey)
	typed, err := terminal.Ask(ctx, a.Text("prompt.delete-key", messages.Args{
		"Token": r.Inventory.Token.Label, "Label": foreign.Text(name), "File": foreign.Text(o.out),
	})+" ", false)
	if err != nil {
		return err
	}
	defer typed.Wipe()
	// What is typed is what was shown: a label may hold characters that no keyboard has.
	if text := typed.Reveal(); text == "" || text != name && text != terminal.Printable(name) {
		return errNotConfirmed
	}
	return nil
}

// confirmationOf is what has to be typed: CKA_LABEL, else CKA_ID in hexadecimal, else the word for any key.
func confirmationOf(key *token.Object) string {
	if label := key.Label(); label != "" {
		return string(label)
	}
	if id := key.ID(); len(id) > 0 {
		return hex.EncodeToString(id)
	}
	return "delete"
}

// deletionErrors are the words for a deletion that was not made, or not whole.
func deletionErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(_ *frame.App, e *bridge.DeletionError) frame.Failure {
			return frame.Failure{ID: "error.deletion." + string(e.State), Args: messages.Args{"File": foreign.Text(e.File), "Problem": messages.Own(frame.OneLine(e.Err))}, Code: frame.ExitFailed}
		}),
		frame.Is(errNotConfirmed, frame.ExitFailed, "error.not-confirmed"),
	}
}
