package delete //nolint:predeclared // the command's own name

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// deleteView is what delete --json shows.
type deleteView struct {
	Schema  string           `json:"schema"`
	Token   string           `json:"token"`
	URI     string           `json:"uri"`
	Label   foreign.Text     `json:"label"`
	ID      string           `json:"id"`
	Copy    *copyView        `json:"copy"`
	Deleted bool             `json:"deleted"`
	Twins   int              `json:"same_key_remains"`
	DryRun  bool             `json:"dry_run"`
	Reasons []verdict.Reason `json:"reasons"`
}

// copyView is the file that was shown to be a copy of the key.
type copyView struct {
	File              string     `json:"file"`
	SHA256            string     `json:"sha256"`
	CertificateSHA256 string     `json:"certificate_sha256"`
	ShownBy           token.Link `json:"shown_by"`
}

func result(o *deleteOptions, r bridge.DeleteRequest) frame.Result {
	info, key := &r.Inventory.Token, r.Identity.PrivateKey
	uri := info.URI().With(key).String()
	shown := deleteView{
		Schema: "p11bridge.delete/1", Token: info.URI().String(), URI: uri, Label: key.Label(), ID: hex.EncodeToString(key.ID()),
		Deleted: !o.dryRun, DryRun: o.dryRun, Twins: r.Twins(), Reasons: []verdict.Reason{},
	}
	if r.Copy != nil {
		v := r.Copy.Result
		digest := sha256.Sum256(r.Copy.Contents)
		shown.Copy, shown.Reasons = &copyView{r.Copy.Path, hex.EncodeToString(digest[:]), v.Certificate.SHA256(), v.ShownBy}, append(frame.NoNil(v.Reasons), r.Copy.Notices...)
	}
	done := frame.Result{JSON: shown, Text: func(p *frame.Printer) { printDeletion(p, o, r, uri) }}
	if r.Copy.Moved() || r.Twins() > 0 && !o.dryRun { // the key is still on the token
		done.Code = frame.ExitPartly
	}
	return done
}

func printDeletion(p *frame.Printer, o *deleteOptions, r bridge.DeleteRequest, uri string) {
	args := messages.Args{
		"Label": foreign.Text(view.Name(view.IdentityOf(r.Inventory, r.Identity, r.Verdict))), "Token": r.Inventory.Token.Label,
		"URI": foreign.Text(uri), "File": foreign.Text(""), "Count": messages.Number(r.Twins()),
	}
	if r.Copy != nil {
		args["File"] = foreign.Text(r.Copy.Path)
	}
	first, copied, bare := "delete.done", "delete.copy", "delete.no-copy"
	switch {
	case o.dryRun:
		first, bare = "delete.dry-run", "delete.dry-run-no-copy"
	case r.Twins() > 0:
		first = "delete.done-once"
	}
	p.Line("", args, first)
	if r.Twins() > 0 {
		p.Line("  ", args, "delete.same-key")
	}
	switch {
	case r.Copy == nil:
		copied = bare
	case r.Copy.Result.ShownBy == token.LinkedByPublicKey:
		copied = "delete.copy-told"
	}
	p.Line("  ", args, copied)
	if r.Copy != nil {
		view.PrintUnasked(p, r.Copy.Result)
		fmt.Fprint(p.Out, p.ReasonsText(r.Copy.Notices...))
	}
	switch certificate, public := r.Identity.Certificate != nil, r.Identity.PublicKey != nil; {
	case certificate && public:
		p.Line("  ", args, "delete.stays")
	case certificate:
		p.Line("  ", args, "delete.stays-certificate")
	case public:
		p.Line("  ", args, "delete.stays-public-key")
	}
}

// noKeyError means that what was named has no private key on the token: there is nothing here that may be destroyed.
type noKeyError struct{ reasons []verdict.Reason }

// Error says so.
func (e *noKeyError) Error() string { return "there is no private key to destroy" }

// deleteErrors are the words for a key that was not destroyed, or that may not have been.
func deleteErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(a *frame.App, e *bridge.KeyRemainsError) frame.Failure {
			return frame.Failure{ID: "error.delete-" + string(e.State), Args: messages.Args{"Key": foreign.Text(e.Key), "File": foreign.Text(e.File), "Problem": messages.Own(problem(a, e.Err))}, Code: frame.ExitFailed}
		}),
		frame.As(func(_ *frame.App, e *noKeyError) frame.Failure {
			return frame.Failure{ID: "error.delete-no-key", Reasons: e.reasons, Code: frame.ExitFailed}
		}),
		frame.Is(bridge.ErrNotDestroyable, frame.ExitFailed, "error.delete-not-destroyable"),
	}
}

// problem has the words for what became of a copy, which this run only read.
func problem(a *frame.App, err error) string {
	var saved *archive.SavedError
	if errors.As(err, &saved) && saved.Fault != archive.SavedUncertain {
		return a.Text("delete.copy-"+string(saved.Fault), nil)
	}
	return a.Problem(err)
}
