package frame

import (
	"context"

	"p11bridge/bridge"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
)

// WithTokens opens a session with every token that is meant, logs in and reads each, and hands them over together. One PIN
// is never tried on several tokens: where more than one needs a login, each is asked for on the terminal. An optional login
// may be left out.
func WithTokens(ctx context.Context, a *App, optional, noLogin bool, work func([]bridge.OpenToken) error) error {
	return a.withSlots(ctx, nil, func(slots []token.Slot) error {
		var locked []token.Slot
		for _, slot := range slots {
			if slot.Token.Flags.Has(token.CKFLoginRequired) {
				locked = append(locked, slot)
			}
		}
		given := a.PinSource != "" && a.PinSource != "prompt"
		if !noLogin && len(locked) > 1 && (given || !optional && !terminal.Present()) {
			return severalTokens(locked)
		}
		return openEach(ctx, a, slots, optional, noLogin, nil, work)
	})
}

func openEach(ctx context.Context, a *App, slots []token.Slot, optional, noLogin bool, open []bridge.OpenToken, work func([]bridge.OpenToken) error) error {
	if len(slots) == 0 {
		return work(open)
	}
	return a.withSession(slots[0], func(s *token.Session) error {
		if !noLogin {
			if err := a.Login(ctx, s, nil, optional); err != nil {
				return err
			}
		}
		inventory, err := s.Inventory(ctx)
		if err != nil {
			return err
		}
		return openEach(ctx, a, slots[1:], optional, noLogin, append(open, bridge.OpenToken{Session: s, Inventory: inventory}), work)
	})
}
