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
	URI     string `json:"uri"`
	Matches bool   `json:"matches"`
}

// holdAgainst has the key on the token sign a challenge, which the copy's certificate verifies.
func holdAgainst(ctx context.Context, a *frame.App, o *verifyOptions, v *bridge.Verification) error {
	return a.WithIdentity(ctx, o.against, false, func(session *token.Session, inventory *token.Inventory, identity token.Identity) error {
		uri := frame.IdentityURI(inventory, identity)
		if err := v.Against(session, identity, verdict.Judge(inventory, identity, a.Now()), uri); err != nil {
			return err
		}
		return a.Told(tellVerification(a, o.file, v, &againstView{uri, v.Valid}))
	})
}

// againstErrors are the words for a key that a copy cannot be held against.
func againstErrors() []frame.Description {
	return []frame.Description{
		frame.As(func(_ *frame.App, e *bridge.NoKeyError) frame.Failure {
			return frame.Failure{ID: "error.no-key-on-token", Reasons: e.Verdict.Reasons, Code: frame.ExitFailed}
		}),
		frame.Is(bridge.ErrCannotShow, frame.ExitFailed, "error.cannot-show"),
	}
}
