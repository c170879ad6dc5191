package cmd

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

type requestOptions struct {
	object     string
	out        string
	force      bool
	sameKey    bool
	keyType    string
	exportable bool
	label      *string
	subject    string
	altNames   []string
	dryRun     bool
}

func newRequestCommand(a *app) *cobra.Command {
	o := &requestOptions{}
	var label string
	c := &cobra.Command{
		Use:   "request OBJECT",
		Short: a.text("command.request.short", nil),
		Long:  a.text("command.request.long", nil),
		Example: examples("request bob -o bob.csr", "request bob -o bob.csr --exportable --key-type p256", "request bob -o bob.csr --same-key",
			"request 'key alone' --subject 'CN=Bob,O=Example,C=ES' --san email:bob@example.org -o bob.csr", "request bob --dry-run"),
		Args: exactlyOne("OBJECT"),
	}
	flags := c.Flags()
	flags.StringVarP(&o.out, "out", "o", "", a.text("flag.request-out", nil))
	flags.BoolVar(&o.force, "force", false, a.text("flag.force", nil))
	flags.BoolVar(&o.sameKey, "same-key", false, a.text("flag.same-key", nil))
	flags.StringVar(&o.keyType, "key-type", "", a.text("flag.key-type", messages.Args{"Types": strings.Join(bridge.KeyTypes(), ", ")}))
	flags.BoolVar(&o.exportable, "exportable", false, a.text("flag.request-exportable", nil))
	flags.StringVar(&label, "label", "", a.text("flag.label", nil))
	flags.StringVar(&o.subject, "subject", "", a.text("flag.subject", nil))
	flags.StringArrayVar(&o.altNames, "san", nil, a.text("flag.san", nil))
	flags.BoolVar(&o.dryRun, "dry-run", false, a.text("flag.request-dry-run", nil))
	c.RunE = a.supervised(nil, func(ctx context.Context, args []string) error {
		o.object = args[0]
		if c.Flags().Changed("label") {
			o.label = &label
		}
		return runRequest(ctx, a, o)
	})
	return c
}

func runRequest(ctx context.Context, a *app, o *requestOptions) error {
	order, err := a.requestOrder(o)
	if err != nil {
		return err
	}
	selector, err := token.ParseSelector(o.object)
	if err != nil {
		return err
	}
	access := token.ReadWrite
	if o.sameKey || o.dryRun {
		access = token.ReadOnly
	}
	a.writes = access == token.ReadWrite
	return a.withToken(ctx, selector.URI, func(slot token.Slot) error {
		if access == token.ReadWrite && slot.Token.Flags.Has(token.CKFWriteProtected) {
			return bridge.ErrWriteProtected
		}
		if !o.dryRun {
			if err := slot.ShareWithCrypto11(ctx); err != nil {
				return err
			}
		}
		return a.withAccess(slot, access, func(s *token.Session) error {
			pin, err := a.loginKeeping(ctx, s, selector.URI)
			if err != nil {
				return err
			}
			defer pin.Wipe()
			inventory, err := s.Inventory(ctx)
			if err != nil {
				return err
			}
			identity, err := choose(inventory, selector, o.object)
			if err != nil {
				return err
			}
			order.Session, order.Inventory, order.Identity = s, inventory, identity
			order.Authenticate = func() (*secret.Text, error) { return pin, nil }
			return a.told(a.request(ctx, o, order))
		})
	})
}

// requestOrder reads what the command line says, before any token is touched.
func (a *app) requestOrder(o *requestOptions) (order bridge.RequestOrder, err error) {
	order = bridge.RequestOrder{
		SameKey: o.sameKey, KeyType: strings.ToLower(o.keyType), Exportable: o.exportable, Label: o.label,
		Target: archive.Target{Path: o.out, Force: o.force, Scratch: a.child.page.setScratch},
	}
	switch {
	case o.sameKey && (o.keyType != "" || o.exportable || o.label != nil):
		return order, usage("error.same-key", nil)
	case o.keyType != "" && !slices.Contains(bridge.KeyTypes(), order.KeyType):
		return order, usage("error.key-type", messages.Args{"Given": printable(o.keyType), "Types": strings.Join(bridge.KeyTypes(), ", ")})
	}
	if o.subject != "" {
		if order.Subject, err = pki.ParseNameText(o.subject); err != nil {
			return order, usage("error.subject", messages.Args{"Problem": printable(err.Error())})
		}
	}
	if len(o.altNames) > 0 {
		if order.AltNames, err = pki.GeneralNames(o.altNames); err != nil {
			return order, usage("error.san", messages.Args{"Problem": printable(err.Error())})
		}
	}
	if o.out == "" {
		return order, nil
	}
	return order, order.Target.Check()
}

func (a *app) request(ctx context.Context, o *requestOptions, order bridge.RequestOrder) error {
	plan, err := order.Plan()
	if err != nil {
		return err
	}
	info := &order.Inventory.Token
	if o.dryRun {
		return a.tellRequestPlan(o, order, plan)
	}
	order.Deliver = func(receipt *bridge.RequestReceipt) error { return a.writeRequest(o, info, receipt) }
	done := a.slowly("progress.request")
	receipt, err := bridge.Request(ctx, order, plan)
	done()
	if err != nil {
		return requestFailure(err)
	}
	if o.out != "" && a.json {
		return a.writeRequest(o, info, receipt)
	}
	if !a.json {
		a.tellRequest(o, info, receipt)
	}
	return nil
}

// requestFailure tells a PIN that was refused the second time, and a key pair that could not be removed again, from what
// else may fail.
func requestFailure(err error) error {
	var remains *token.PairRemainsError
	if errors.As(err, &remains) {
		return &pairRemainsError{err: err, id: remains.ID}
	}
	var login *token.LoginError
	if errors.As(err, &login) {
		return &blockedError{Reasons: verdict.JudgeLogin(login), Err: login}
	}
	return err
}
