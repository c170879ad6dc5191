package restore

import (
	"context"
	"errors"
	"fmt"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

// restoreAllView is what restore --all --json shows.
type restoreAllView struct {
	Schema   string        `json:"schema"`
	File     string        `json:"file"`
	Restored []restoreView `json:"restored"`
	Failed   []failedView  `json:"failed"`
	// Error is what ended the run before all keys had their turn; null where nothing did.
	Error *string `json:"error"`
}

// failedView is a key that was not put on the token, and why.
type failedView struct {
	Key               string           `json:"key"`
	CertificateSHA256 string           `json:"certificate_sha256"`
	Reasons           []verdict.Reason `json:"reasons"`

	holder string // the name of the key that is there already
}

// restoreAll puts every copy on the token, one after the other. A key that does not get there for a reason of its own does not
// keep the others from it; whatever concerns the token ends the run, after what was done has been told.
func restoreAll(ctx context.Context, a *frame.App, o *restoreOptions, r bridge.RestoreRequest, copies []*bridge.Copy) (frame.Result, error) {
	shown := restoreAllView{Schema: "p11bridge.restore-all/1", File: o.file, Restored: []restoreView{}, Failed: []failedView{}}
	unproven := false
	var ended error
	for _, r.Copy = range copies {
		done, err := oneOfAll(ctx, a, o, &r)
		var not *bridge.NotRestoredError
		switch {
		case errors.As(err, &not):
			shown.Failed = append(shown.Failed, failedView{r.Copy.Title(), r.Copy.Certificate.SHA256(), not.Reasons, not.Holder})
			continue
		case err != nil:
			ended = err
		case done != nil:
			shown.Restored = append(shown.Restored, *done)
			unproven = unproven || !done.Verified && !done.DryRun
			continue
		}
		break
	}
	result := frame.Result{JSON: &shown, Text: func(p *frame.Printer) { printFailed(p, shown.Failed) }}
	switch {
	case ended != nil && len(shown.Restored) == 0:
		return frame.Result{}, ended
	case ended != nil && !a.JSON:
		return frame.Result{}, errors.Join(ended, a.Deliver(result))
	case ended != nil: // the one document says it
		text := frame.OneLine(ended)
		shown.Error, result.Code = &text, frame.ExitFailed
	case unproven || len(shown.Failed) > 0 || bridge.KeysAreLeft(copies):
		result.Code = frame.ExitPartly
	}
	return result, nil
}

// oneOfAll restores one copy, on a fresh look at the token: the copy before it has left something there. Text is told at once.
func oneOfAll(ctx context.Context, a *frame.App, o *restoreOptions, r *bridge.RestoreRequest) (*restoreView, error) {
	var err error
	if r.Inventory, err = r.Session.Inventory(ctx); err != nil {
		return nil, err
	}
	if o.dryRun {
		plan, err := r.Rehearse(ctx)
		if err != nil {
			return nil, view.InvalidCopy(o.file, err)
		}
		shown := viewPlan(o, *r, plan)
		return &shown, atOnce(a, planResult(o, *r, plan))
	}
	done, err := restoreOne(ctx, a, o, *r)
	if err != nil {
		return nil, err
	}
	shown := viewRestoration(o, *r, done)
	return &shown, atOnce(a, restorationResult(o, *r, done))
}

// atOnce writes the text of one key while the others wait. The document is one for all.
func atOnce(a *frame.App, one frame.Result) error {
	if a.JSON {
		return nil
	}
	return a.Deliver(one)
}

func printFailed(p *frame.Printer, failures []failedView) {
	for _, failed := range failures {
		fmt.Fprintln(p.Out, p.Colours().Doubt(p.Text("restore.failed-key", messages.Args{"Name": foreign.Text(failed.Key)})))
		p.ObjectIs(failed.holder)
		fmt.Fprint(p.Out, p.ReasonsText(failed.Reasons...))
	}
}
