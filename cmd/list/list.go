// Package list is the command `list`: it shows tokens, certificates and keys with their verdicts.
package list

import (
	"context"

	"github.com/spf13/cobra"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

type listOptions struct {
	wide    bool
	object  string
	by      string
	noLogin bool
}

// listView is what list --json shows.
type listView struct {
	Schema string       `json:"schema"`
	Tokens []view.Token `json:"tokens"`
}

func NewCommand(a *frame.App) *cobra.Command {
	o := &listOptions{}
	c := &cobra.Command{
		Use:     "list [OBJECT]",
		Short:   "command.list.short",
		Long:    "command.list.long",
		Example: frame.Examples("list", "list --token demo --pin-source file:pin.txt", "list --by purpose", "list --wide", "list --json"),
		Args:    frame.AtMostOne("OBJECT"),
	}
	c.Flags().StringVar(&o.by, "by", "token", "flag.by")
	c.Flags().BoolVar(&o.wide, "wide", false, "flag.wide")
	c.Flags().BoolVar(&o.noLogin, "no-login", false, "flag.no-login")
	c.RunE = a.Supervised(nil, func(ctx context.Context, w *frame.Worker, args []string) (frame.Result, error) {
		if len(args) == 1 {
			o.object = args[0]
		}
		return runList(ctx, w, o)
	})
	return c
}

func runList(ctx context.Context, w *frame.Worker, o *listOptions) (frame.Result, error) {
	if o.by != "token" && o.by != "purpose" {
		return frame.Result{}, frame.UsageAmong("error.by", messages.Args{"Given": foreign.Text(o.by)}, o.by, []string{"token", "purpose"})
	}
	var selector *token.Selector
	var uri *token.URI
	if o.object != "" {
		var err error
		if selector, err = token.ParseSelector(o.object); err != nil {
			return frame.Result{}, err
		}
		uri = selector.URI
	}
	tokens, err := w.Inventories(ctx, uri, o.noLogin)
	if err != nil {
		return frame.Result{}, err
	}
	if selector, err = w.Selecting(frame.InventoriesOf(tokens), selector, o.object); err != nil {
		return frame.Result{}, err
	}
	shown := listView{Schema: "p11bridge.list/1", Tokens: []view.Token{}}
	for _, t := range tokens {
		shown.Tokens = append(shown.Tokens, view.TokenOf(t.Inventory, selector, w.Now()))
	}
	return frame.Result{JSON: shown, Code: view.CodeOf(shown.Tokens), Text: func(p *frame.Printer) {
		if o.by == "purpose" {
			printByPurpose(p, o, shown)
		} else {
			printList(p, o, shown)
		}
	}}, nil
}
