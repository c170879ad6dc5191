package cmd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
)

// restoreView is what restore --json shows.
type restoreView struct {
	Schema            string               `json:"schema"`
	File              string               `json:"file"`
	Token             string               `json:"token"`
	URI               *string              `json:"uri"`
	Method            bridge.RestoreMethod `json:"method"`
	Mechanism         *string              `json:"mechanism"`
	Label             string               `json:"label"`
	ID                string               `json:"id"`
	CertificateSHA256 string               `json:"certificate_sha256"`
	CertificateKept   bool                 `json:"certificate_kept"`
	ChainLength       int                  `json:"chain_length"`
	Attributes        map[string]*bool     `json:"attributes"`
	Differences       []bridge.Difference  `json:"differences"`
	Verified          bool                 `json:"verified"`
	DryRun            bool                 `json:"dry_run"`
	Reasons           []verdict.Reason     `json:"reasons"`
}

const restoreSchema = "p11bridge.restore/1"

func (a *app) tellRestoration(o *restoreOptions, r bridge.RestoreRequest, done *bridge.Restoration) error {
	info := &r.Inventory.Token
	uri := info.URI().With(done.Key).String()
	if a.json {
		view := restoreView{
			Schema: restoreSchema, File: o.file, Token: info.URI().String(), URI: &uri, Method: done.Method, Label: done.Key.Label(),
			ID: hex.EncodeToString(done.Key.ID()), CertificateSHA256: done.Certificate.SHA256(), CertificateKept: done.Kept, ChainLength: done.ChainLength,
			Attributes: viewKey(done.Key, done.Public).Attributes, Differences: noNil(done.Differences), Verified: done.Verified, Reasons: noNil(done.Notices),
		}
		if done.Mechanism != "" {
			view.Mechanism = &done.Mechanism
		}
		if err := a.writeJSON(view); err != nil {
			return err
		}
		return unprovenRestore(done)
	}
	args := messages.Args{
		"File": printable(o.file), "Subject": printable(done.Certificate.Subject), "Token": printable(info.Label), "URI": printable(uri),
		"Method": string(done.Method), "Mechanism": done.Mechanism, "Chain": done.ChainLength, "Label": printable(done.Key.Label()),
		"ID": hex.EncodeToString(done.Key.ID()), "Until": a.date(done.Certificate.NotAfter),
	}
	colour := coloursFor(a.out, a.getenv)
	lines := []string{"restore.way." + string(done.Method), "restore.details"}
	if done.Verified {
		fmt.Fprintln(a.out, colour.good(a.text("restore.done", args)))
		lines = append(lines, "restore.proven")
	} else {
		fmt.Fprintln(a.out, colour.doubt(a.text("restore.unproven", args)))
	}
	if done.Kept {
		lines = append(lines, "restore.kept")
	}
	for _, id := range append(lines, policyText(done.Key)) {
		fmt.Fprintln(a.out, indentLines(a.text(id, args), "  "))
	}
	for _, d := range done.Differences {
		fmt.Fprintln(a.out, "  "+a.text("restore.difference", messages.Args{"Attribute": d.Attribute.String(), "Wanted": valueText(d.Wanted), "Found": valueText(d.Found)}))
	}
	for _, reason := range done.Notices {
		fmt.Fprintf(a.out, "  %s %s [%s]\n", a.text("label.notice", nil), a.reasonText(reason, "summary"), reason.Code)
	}
	return unprovenRestore(done)
}

// policyText is the text that says whether the key can leave again, by what the token tells now.
func policyText(key *token.Object) string {
	switch key.Attributes.Bool(token.CKAExtractable) {
	case token.True:
		return "restore.exportable"
	case token.False:
		return "restore.locked"
	}
	return "restore.untold"
}

func valueText(value any) string {
	if value == nil {
		return "–"
	}
	return printable(fmt.Sprint(value))
}

// unprovenRestore is the exit code for a key that is on the token and could not be asked for a signature: done in part.
func unprovenRestore(done *bridge.Restoration) error {
	if done.Verified {
		return nil
	}
	return &reportedError{exitPartly}
}

func (a *app) tellRestorePlan(o *restoreOptions, r bridge.RestoreRequest, plan *bridge.RestorePlan) error {
	info := &r.Inventory.Token
	if a.json {
		return a.writeJSON(restoreView{
			Schema: restoreSchema, File: o.file, Token: info.URI().String(), Method: plan.Method, Label: plan.Name.Label,
			ID: hex.EncodeToString(plan.Name.ID), CertificateSHA256: r.Copy.Certificate.SHA256(), ChainLength: len(r.Copy.Chain),
			Attributes: map[string]*bool{}, Differences: []bridge.Difference{}, DryRun: true, Reasons: noNil(r.Copy.Notices),
		})
	}
	fmt.Fprintln(a.out, a.text("restore.dry-run", messages.Args{
		"File": printable(o.file), "Subject": printable(r.Copy.Certificate.Subject), "Token": printable(info.Label), "Method": string(plan.Method),
		"Label": printable(plan.Name.Label), "ID": hex.EncodeToString(plan.Name.ID), "Chain": len(r.Copy.Chain),
	}))
	for _, reason := range r.Copy.Notices {
		fmt.Fprint(a.out, a.reasonParagraph(reason))
	}
	return nil
}

// leftBehindError is a failed restore that left something on the token. What it wraps is not for errors.As.
type leftBehindError struct {
	uris []string
	err  error
}

// Error gives the failure.
func (e *leftBehindError) Error() string {
	return fmt.Sprintf("%v; left on the token: %s", e.err, strings.Join(e.uris, " "))
}

// describeRestore has the words for what restoring, deleting a key, and holding a copy against a key can end with.
func (a *app) describeRestore(err error) (f failure, is bool) {
	var (
		left    *leftBehindError
		not     *bridge.NotRestoredError
		several *bridge.SeveralKeysError
		noKey   *bridge.NoKeyError
		kept    *bridge.DeletionError
	)
	say := func(id string, args messages.Args) failure {
		return failure{text: a.text(id, args), remedy: a.optional(id+".remedy", args), code: exitFailed}
	}
	switch {
	case errors.As(err, &left):
		cause := a.describe(left.err)
		f = say("error.left-behind", messages.Args{"Problem": cause.text, "Objects": printableList(left.uris)})
		f.reasons = cause.reasons
	case errors.As(err, &kept):
		f = say("error.deletion."+string(kept.State), messages.Args{"File": printable(kept.File), "Problem": oneLine(kept.Err)})
	case errors.As(err, &not):
		f = say("error.not-restored", nil)
		f.reasons = not.Reasons
	case errors.As(err, &several):
		f = say("error.several-keys", messages.Args{"Keys": printableList(several.Names)})
	case errors.As(err, &noKey):
		f = say("error.no-key-on-token", nil)
		f.reasons = noKey.Verdict.Reasons
	case errors.Is(err, bridge.ErrCannotShow):
		f = say("error.cannot-show", nil)
	case errors.Is(err, errNotConfirmed):
		f = say("error.not-confirmed", nil)
	default:
		return f, false
	}
	return f, true
}
