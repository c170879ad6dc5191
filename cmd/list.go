package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"p11bridge/bridge/verdict"
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
	view := listView{Schema: "p11bridge.list/1", Tokens: []tokenView{}}
	found, hidden := 0, false
	err := a.eachInventory(ctx, uri, o.noLogin, func(_ *token.Session, inventory *token.Inventory) error {
		listed := viewToken(inventory, selector, a.now())
		found += len(listed.Identities)
		hidden = hidden || verdict.Hides(inventory)
		view.Tokens = append(view.Tokens, listed)
		return nil
	})
	if err != nil {
		return err
	}
	if selector != nil && found == 0 {
		return &objectNotFoundError{Name: o.object, Hidden: hidden}
	}
	if a.json {
		return a.writeJSON(view)
	}
	if o.by == "purpose" {
		return a.printByPurpose(view)
	}
	return a.printList(view)
}
