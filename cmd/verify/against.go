package verify

import (
	"context"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/token"
)

// againstView is the key that a copy was held against.
type againstView struct {
	URI     string     `json:"uri"`
	Matches bool       `json:"matches"`
	ShownBy token.Link `json:"shown_by"`
}

// holdAgainst has the key on the token sign a challenge, which the copy's certificate verifies.
func holdAgainst(ctx context.Context, w *frame.Worker, o *verifyOptions, v *bridge.VerifyResult) (frame.Result, error) {
	found, err := w.Identity(ctx, o.against, false)
	if err != nil {
		return frame.Result{}, err
	}
	uri := frame.IdentityURI(found.Inventory, found.Identity)
	judged := verdict.Judge(found.Inventory, found.Identity, w.Now())
	if judged.Exportable {
		w.KeyLeaves()
	}
	if err := v.Against(ctx, found.Session, found.Identity, judged, uri); err != nil {
		return frame.Result{}, err
	}
	return verification(o.files[0], v, &againstView{uri, v.Valid, v.ShownBy}), nil
}

// againstErrors are the words for a key that a copy cannot be held against.
func againstErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(_ *frame.App, e *bridge.NoKeyError) frame.Failure {
			return frame.Failure{ID: "error.no-key-on-token", Reasons: e.Verdict.Reasons, Code: frame.ExitFailed}
		}),
	}
}
