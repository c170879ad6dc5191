package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/cmd/messages"
	"p11bridge/token"
)

type listOptions struct {
	object  string
	by      string
	noLogin bool
}

func newListCommand(a *app) *cobra.Command {
	o := &listOptions{}
	c := &cobra.Command{
		Use:     "list [OBJECT]",
		Short:   a.text("command.list.short", nil),
		Long:    a.text("command.list.long", nil),
		Example: examples("list", "list --token demo --pin-source file:pin.txt", "list --by purpose", "list --json"),
		Args:    atMostOne("OBJECT"),
	}
	c.Flags().StringVar(&o.by, "by", "token", a.text("flag.by", nil))
	c.Flags().BoolVar(&o.noLogin, "no-login", false, a.text("flag.no-login", nil))
	c.RunE = a.supervised(nil, func(ctx context.Context, args []string) error {
		if len(args) == 1 {
			o.object = args[0]
		}
		return runList(ctx, a, o)
	})
	return c
}

func runList(ctx context.Context, a *app, o *listOptions) error {
	if o.by != "token" && o.by != "purpose" {
		return usage("error.by", messages.Args{"Given": printable(o.by)})
	}
	var selector *token.Selector
	var uri *token.URI
	if o.object != "" {
		var err error
		if selector, err = token.ParseSelector(o.object); err != nil {
			return err
		}
		uri = selector.URI
	}
	return a.withSlots(ctx, uri, func(slots []token.Slot) error {
		if a.pinSourceFor(uri) != "" && len(slots) > 1 && !o.noLogin {
			several := &severalTokensError{} // one PIN must not be tried on several tokens
			for _, slot := range slots {
				several.Present = append(several.Present, slot.Token.URI().String())
			}
			return several
		}
		view := listView{Schema: "p11bridge.list/1", Tokens: []tokenView{}}
		found := 0
		for _, slot := range slots {
			listed, err := a.listToken(ctx, slot, uri, o.noLogin || len(slots) > 1)
			if err != nil {
				return err
			}
			if selector != nil {
				listed.only(selector)
			}
			found += len(listed.Identities)
			view.Tokens = append(view.Tokens, listed.tokenView)
		}
		if selector != nil && found == 0 {
			return &objectNotFoundError{Name: o.object, Hidden: !view.Tokens[0].LoggedIn}
		}
		if a.json {
			return a.told(a.writeJSON(view))
		}
		if o.by == "purpose" {
			return a.told(a.printByPurpose(view))
		}
		return a.told(a.printList(view))
	})
}

// listedToken is a token's view with the identities that it was made from.
type listedToken struct {
	tokenView
	identities []token.Identity
}

// only keeps the identities that are meant.
func (l *listedToken) only(selector *token.Selector) {
	var kept []identityView
	for i, identity := range l.identities {
		if len(selector.Select([]token.Identity{identity})) == 1 {
			kept = append(kept, l.Identities[i])
		}
	}
	l.Identities, l.Objects = noNil(kept), []objectView{}
}

func (a *app) listToken(ctx context.Context, slot token.Slot, uri *token.URI, noLogin bool) (listed listedToken, err error) {
	err = a.withSession(slot, func(s *token.Session) error {
		reasons := bridge.JudgeToken(slot.Token)
		if noLogin {
			if slot.Token.Flags.Has(token.CKFLoginRequired) {
				reasons = append([]bridge.Reason{hiddenReason()}, reasons...)
			}
		} else {
			hidden, err := a.login(ctx, s, uri, true)
			if err != nil {
				return err
			}
			if len(hidden) > 0 {
				reasons = append(hidden, reasons...)
			}
		}
		inventory, err := s.Inventory(ctx)
		if err != nil {
			return err
		}
		listed = listedToken{viewToken(inventory, reasons, a.now()), inventory.Identities()}
		return nil
	})
	return listed, err
}

// hiddenReason says that private keys show only after a login.
func hiddenReason() bridge.Reason {
	return bridge.Reason{Code: bridge.KeysHiddenUntilLogin, Evidence: bridge.Evidence{{Name: "logged_in", Value: false}, {Name: "CKF_LOGIN_REQUIRED", Value: true}}}
}
