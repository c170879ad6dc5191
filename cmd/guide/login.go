package guide

import (
	"context"
	"errors"
	"slices"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/terminal"
)

// announceLogin says why a person who has logged in before is asked for the PIN again.
func (c *conversation) announceLogin(t heldToken) error {
	if !t.LoggedIn || !slices.Contains(t.Flags, "CKF_LOGIN_REQUIRED") || !c.asksForPIN() {
		return nil
	}
	return c.say("guide.pin.again", nil)
}

// asksForPIN reports whether commands ask the person for the PIN: no other source was given.
func (c *conversation) asksForPIN() bool { return c.PinSource == "" || c.PinSource == "prompt" }

// blocked is why nobody can log in to the token, as its flags say; without a code where somebody can.
func (t heldToken) blocked() verdict.Reason {
	for _, reason := range t.Reasons {
		if entry, known := verdict.Lookup(reason.Code); !known || entry.Kind != verdict.Blocks {
			continue
		}
		if t.asksForPassword() {
			return verdict.Because(reason.Code, verdict.Fact{Name: "family", Value: "nss"})
		}
		return verdict.Reason{Code: reason.Code}
	}
	return verdict.Reason{}
}

// allowLogin asks whether the last attempt at the PIN may be used, where no more are left, and gives the flag that allows it.
func (c *conversation) allowLogin(ctx context.Context, t heldToken) (flags []string, err error) {
	if t.blocked().Code != verdict.PINLastAttempt || c.AllowLastAttempt {
		return nil, nil
	}
	i, err := c.pick(ctx, "guide.risk.title", "guide.risk.description", nil, 0, "guide.login.back", "guide.risk.yes")
	switch {
	case err != nil:
		return nil, err
	case i == 0:
		return nil, terminal.ErrBack
	}
	return []string{"--allow-last-attempt"}, nil
}

// logIn reads the token once more, with its PIN, which the command asks for. A PIN that was wrong was told: whether there is
// another attempt is the person's decision.
func (c *conversation) logIn(ctx context.Context, t *heldToken) error {
	for {
		allowed, err := c.allowLogin(ctx, *t)
		if err != nil {
			return err
		}
		if code := t.blocked().Code; code != "" && code != verdict.PINLastAttempt {
			switch err := c.meetBlocked(ctx, t); {
			case errors.Is(err, errWithoutLogin):
				return nil
			case err != nil:
				return err
			}
			continue
		}
		if c.asksForPIN() {
			if err := c.say("guide.pin", nil); err != nil {
				return err
			}
		}
		ok, err := c.readAgain(ctx, t, allowed...)
		switch {
		case err != nil:
			return err
		case ok && (t.LoggedIn || t.blocked().Code == ""): // else the attempt before took what was left of them
			return nil
		case ok:
			continue
		}
		i, err := c.pick(ctx, "guide.login.title", "guide.login.description", nil, 1, "guide.login.again", "guide.login.back")
		if err != nil {
			return err
		}
		if i == 1 {
			return terminal.ErrBack
		}
	}
}

// readAgain lists the token once more. It stays as it was where the list cannot be had, which was told.
func (c *conversation) readAgain(ctx context.Context, t *heldToken, more ...string) (bool, error) {
	found, ok, err := c.list(ctx, t.onToken(more...)...)
	if err != nil || !ok {
		return false, err
	}
	name := t.name
	*t = found.Tokens[0]
	t.name = name
	return true, nil
}

// errWithoutLogin means that what shows without a login is enough.
var errWithoutLogin = errors.New("go on without a login")

// meetBlocked says why nobody can log in, and what to do about it, and asks how to go on. It returns once the token was looked at again.
func (c *conversation) meetBlocked(ctx context.Context, t *heldToken) error {
	reason := t.blocked()
	q := terminal.Choice{
		Title:       c.Text("guide.blocked.title", nil),
		Description: c.ReasonText(reason, "summary") + "\n" + frame.Numbered("", c.Steps(reason)),
		Answers:     []string{c.Text("guide.no-token.again", nil), c.Text("guide.blocked.without", nil), c.Text("guide.to-menu", nil)},
	}
	i, err := c.choose(ctx, q)
	switch {
	case err != nil:
		return err
	case i == 1:
		return errWithoutLogin
	case i == 2:
		return errToMenu
	}
	_, err = c.readAgain(ctx, t, "--no-login")
	return err
}
