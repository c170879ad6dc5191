package export

import (
	"errors"
	"fmt"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token"
)

// refusal is a key that did not leave, and the command that comes next, as `diagnose` shows it; without words where there is none.
type refusal struct {
	error
	next []string
}

// Unwrap gives the cause.
func (r *refusal) Unwrap() error { return r.error }

// describeRefusal has the words of the cause, and below them what comes next where the key cannot leave, or is not there.
func describeRefusal(a *frame.App, r *refusal) frame.Failure {
	f := a.Describe(r.error)
	var refused *bridge.RefusedError
	absent := errors.As(r.error, &refused) && refused.Verdict.KeyAbsent()
	if (f.Code == frame.ExitRefused || absent) && len(r.next) > 0 {
		f.More = fmt.Sprintf("%s %s", a.Text("diagnose.next", nil), terminal.Whole(view.CommandLine(r.next[1:])))
	}
	return f
}

func nextAfter(a *frame.App, o *exportOptions, r bridge.ExportRequest, refused verdict.Verdict) []string {
	shown := view.TokenOf(r.Inventory, new(token.Selector).Of(r.Identity), a.Now()).Identities
	if len(shown) == 0 {
		return nil
	}
	identity := shown[0]
	identity.Verdict = view.VerdictOf(refused)
	name := identity.Typed
	if token.IsURI(o.object) { // which may have named the token, too
		name = identity.URI
	}
	return view.NextCommands{Given: a.ForNext(), Mechanisms: r.Inventory.Mechanisms}.Of(identity, name)
}
