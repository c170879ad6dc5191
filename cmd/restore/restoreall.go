package restore

import (
	"context"
	"errors"
	"fmt"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
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
}

// restoreAll puts every copy on the token, one after the other. A key that does not get there for a reason of its own does not
// keep the others from it; whatever concerns the token ends the run, after what was done has been told.
func restoreAll(ctx context.Context, a *frame.App, o *restoreOptions, r bridge.RestoreRequest, copies []*bridge.Copy) error {
	shown := restoreAllView{Schema: "p11bridge.restore-all/1", File: o.file, Restored: []restoreView{}, Failed: []failedView{}}
	unproven := false
	var ended error
	for _, r.Copy = range copies {
		done, err := oneOfAll(ctx, a, o, &r)
		var not *bridge.NotRestoredError
		switch {
		case errors.As(err, &not):
			shown.Failed = append(shown.Failed, failedView{r.Copy.Title(), r.Copy.Certificate.SHA256(), not.Reasons})
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
	if ended != nil {
		if len(shown.Restored) == 0 {
			return ended
		}
		text := frame.OneLine(ended)
		shown.Error = &text
	}
	if err := tellAll(a, shown); err != nil {
		return err
	}
	switch {
	case ended != nil && a.JSON: // the one document says it
		return &frame.ReportedError{Code: frame.ExitFailed}
	case ended == nil && (unproven || len(shown.Failed) > 0):
		return &frame.ReportedError{Code: frame.ExitPartly}
	}
	return ended
}

// oneOfAll restores one copy, on a fresh look at the token: the copy before it has left something there. Text is told at once.
func oneOfAll(ctx context.Context, a *frame.App, o *restoreOptions, r *bridge.RestoreRequest) (*restoreView, error) {
	var err error
	if r.Inventory, err = r.Session.Inventory(ctx); err != nil {
		return nil, err
	}
	if o.dryRun {
		plan, err := r.Plan(ctx)
		if err != nil {
			return nil, err
		}
		shown := viewPlan(o, *r, plan)
		if !a.JSON {
			err = tellRestorePlan(a, o, *r, plan)
		}
		return &shown, err
	}
	done, err := restoreOne(ctx, a, o, *r)
	if err != nil {
		return nil, err
	}
	shown := viewRestoration(o, *r, done)
	if !a.JSON {
		tellRestored(a, o, *r, done)
	}
	return &shown, nil
}

func tellAll(a *frame.App, shown restoreAllView) error {
	if a.JSON {
		return a.WriteJSON(shown)
	}
	for _, failed := range shown.Failed {
		fmt.Fprintln(a.Out, terminal.ColoursFor(a.Out, a.Getenv).Doubt(a.Text("restore.failed-key", messages.Args{"Name": terminal.Printable(failed.Key)})))
		for _, reason := range failed.Reasons {
			fmt.Fprint(a.Out, a.ReasonParagraph(reason))
		}
	}
	return nil
}
