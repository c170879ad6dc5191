package guide

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
	"p11bridge/token/host"
)

// chooseToken is the step that finds a token, without a login. A single one is told and not asked for.
func (c *conversation) chooseToken(title string, chosen *heldToken) step {
	return func(ctx context.Context) (bool, error) {
		for {
			found, ok, err := c.look(ctx)
			if err != nil {
				return false, err
			}
			if ok && len(found.Tokens) == 1 {
				*chosen = found.Tokens[0]
				c.SpeakOf(chosen.asksForPassword())
				return false, c.say("guide.token.only", messages.Args{"Token": messages.Own(chosen.title(c.App))})
			}
			if ok {
				q := terminal.Choice{Title: c.Text(title, nil)}
				for _, t := range found.Tokens {
					q.Answers = append(q.Answers, t.title(c.App))
				}
				i, err := c.choose(ctx, q)
				if err != nil {
					return true, err
				}
				*chosen = found.Tokens[i]
				c.SpeakOf(chosen.asksForPassword())
				return true, nil
			}
			if err := c.withoutToken(ctx); err != nil {
				return true, err
			}
		}
	}
}

func (c *conversation) look(ctx context.Context) (listing, bool, error) {
	if err := c.say("guide.looking", nil); err != nil {
		return listing{}, false, err
	}
	return c.list(ctx, "--no-login")
}

// change is a command that changes what is on the token. A browser's database that was found by itself is only read: it is
// named by its folder, and the browser has to be closed.
func (c *conversation) change(ctx context.Context, t heldToken, arguments []string, secrets ...frame.GivenSecret) error {
	c.used = &t
	profile, found := host.ProfileOf(string(t.Label))
	if !found || c.Module != "" || c.NSSDB != "" || !t.asksForPassword() {
		return c.performOn(ctx, t, arguments, secrets...)
	}
	if err := c.say("guide.close", messages.Args{"Program": foreign.Text(profile.Program)}); err != nil {
		return err
	}
	if err := c.announceLogin(t); err != nil {
		return err
	}
	return c.perform(ctx, append(arguments, "--nss-db", profile.Directory), secrets...)
}

// performOn is perform for a command that logs in to a token.
func (c *conversation) performOn(ctx context.Context, t heldToken, arguments []string, secrets ...frame.GivenSecret) error {
	c.used = &t
	allowed, err := c.allowLogin(ctx, t)
	if err != nil {
		return err
	}
	if err := c.announceLogin(t); err != nil {
		return err
	}
	return c.perform(ctx, t.onToken(append(arguments, allowed...)...), secrets...)
}

// withoutToken asks what to do where no token can be used; why, was told. It returns to have another look.
func (c *conversation) withoutToken(ctx context.Context) error {
	i, err := c.pick(ctx, "guide.no-token.title", "guide.no-token.description", nil, 0, "guide.no-token.again", "guide.menu.doctor", "guide.to-menu")
	switch {
	case err != nil:
		return err
	case i == 1:
		return c.examine(ctx)
	case i == 2:
		return errToMenu
	}
	return nil
}

// examine is `doctor`.
func (c *conversation) examine(ctx context.Context) error {
	arguments := []string{"doctor"}
	if _, err := c.run(ctx, arguments); err != nil {
		return err
	}
	return c.show(arguments)
}

// findOut is `doctor`, and in the end what counts: the tokens that can be used now, or why there is none, which the look tells.
func (c *conversation) findOut(ctx context.Context) error {
	if err := c.examine(ctx); err != nil {
		return err
	}
	found, ok, err := c.look(ctx)
	if err != nil || !ok {
		return err
	}
	lines := []string{c.Text("guide.seen", nil)}
	for _, t := range found.Tokens {
		lines = append(lines, "  "+t.title(c.App))
	}
	return c.write(strings.Join(lines, "\n"))
}

// failed asks what to do after a command that did not do its work, which it told. It returns to try it again. Where a token had a part in
// it, support can be told.
func (c *conversation) failed(ctx context.Context, code int) error {
	answers := []string{"guide.failed.back", "guide.failed.again", "guide.to-menu"}
	if c.instead != nil && code == frame.ExitFailed {
		answers = append(answers, c.instead.text)
	}
	if c.used != nil {
		answers = append(answers, "guide.cannot.report")
	}
	proposed := 0
	for {
		i, err := c.pick(ctx, "guide.failed.title", "", nil, proposed, answers...)
		switch {
		case err != nil:
			return err
		case i == 0:
			return terminal.ErrBack
		case i == 1:
			return nil
		case i == 2:
			return errToMenu
		case answers[i] != "guide.cannot.report":
			return c.instead.do(ctx)
		}
		if err := c.report(ctx, *c.used, view.FileName(string(c.used.Label), string(c.used.Serial))); !errors.Is(err, terminal.ErrBack) {
			return cmp.Or(err, errDone)
		}
		proposed = i
	}
}
