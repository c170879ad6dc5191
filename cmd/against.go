package cmd

import (
	"context"

	"p11bridge/bridge"
	"p11bridge/token"
)

// againstView is the key that a copy was held against.
type againstView struct {
	URI     string `json:"uri"`
	Matches bool   `json:"matches"`
}

// holdAgainst has the key on the token sign a challenge, which the copy's certificate verifies.
func (a *app) holdAgainst(ctx context.Context, o *verifyOptions, v *bridge.Verification) error {
	selector, err := token.ParseSelector(o.against)
	if err != nil {
		return err
	}
	return a.withToken(ctx, selector.URI, func(slot token.Slot) error {
		return a.withSession(slot, func(s *token.Session) error {
			if err := a.login(ctx, s, selector.URI, false); err != nil {
				return err
			}
			inventory, err := s.Inventory(ctx)
			if err != nil {
				return err
			}
			identity, err := choose(inventory, selector, o.against)
			if err != nil {
				return err
			}
			uri := identityURI(inventory, identity)
			if err := v.Against(s, identity, bridge.Judge(inventory, identity, a.now()), uri); err != nil {
				return err
			}
			return a.told(a.tellVerification(o.file, v, &againstView{uri, v.Valid}))
		})
	})
}
