package cmd

import (
	"context"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

// againstView is the key that a copy was held against.
type againstView struct {
	URI     string `json:"uri"`
	Matches bool   `json:"matches"`
}

// holdAgainst has the key on the token sign a challenge, which the copy's certificate verifies.
func (a *app) holdAgainst(ctx context.Context, o *verifyOptions, v *bridge.Verification) error {
	return a.withIdentity(ctx, o.against, false, func(session *token.Session, inventory *token.Inventory, identity token.Identity) error {
		uri := identityURI(inventory, identity)
		if err := v.Against(session, identity, verdict.Judge(inventory, identity, a.now()), uri); err != nil {
			return err
		}
		return a.told(a.tellVerification(o.file, v, &againstView{uri, v.Valid}))
	})
}
