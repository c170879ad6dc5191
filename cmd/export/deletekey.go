package export

import (
	"context"
	"errors"

	"p11bridge/bridge"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

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
	return a.ConfirmByName(ctx, "prompt.delete-key", messages.Args{"Token": r.Inventory.Token.Label, "File": foreign.Text(o.out)}, r.Inventory, r.Identity)
}

// exportErrors are the words for a deletion that was not made, or not whole.
func exportErrors() []frame.Description {
	return []frame.Description{
		frame.As(describeRefusal),
		frame.As(func(a *frame.App, e *bridge.DeletionError) frame.Failure {
			f := frame.Failure{ID: "error.deletion." + string(e.State), Args: messages.Args{"Key": foreign.Text(e.Key), "File": foreign.Text(e.File), "Problem": messages.Own(a.Problem(e.Err))}, Code: frame.ExitFailed}
			if errors.As(e.Err, new(*token.CannotShowError)) { // the copy is there, and nothing has failed
				f.Code = frame.ExitPartly
			}
			return f
		}),
		frame.As(func(_ *frame.App, e *otherCertificateError) frame.Failure {
			return frame.Failure{ID: "error.other-certificate", Args: messages.Args{"File": foreign.Text(e.file)}, Code: frame.ExitFailed}
		}),
		frame.Is(frame.ErrNotConfirmed, frame.ExitFailed, "error.not-confirmed"),
	}
}
