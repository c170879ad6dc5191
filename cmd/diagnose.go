package cmd

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
)

type diagnoseOptions struct {
	object  string
	from    string
	html    string
	force   bool
	probe   bool
	noLogin bool
}

// diagnosisView is what diagnose --json shows. It is the same for a token and for a snapshot of it.
type diagnosisView struct {
	Schema string               `json:"schema"`
	Tokens []diagnosedTokenView `json:"tokens"`
}

type diagnosedTokenView struct {
	tokenView
	Diagnoses []diagnosedView `json:"diagnoses"`
}

// diagnosedView is one identity with what to do next, and what the module answered where it was probed.
type diagnosedView struct {
	URI   string        `json:"uri"`
	Next  []string      `json:"next"` // a command line, word by word; empty where there is none
	Probe []attemptView `json:"probe,omitempty"`
}

type attemptView struct {
	Mechanism string `json:"mechanism"`
	Function  string `json:"function"`
	Answer    string `json:"answer"`
}

func newDiagnoseCommand(a *app) *cobra.Command {
	o := &diagnoseOptions{}
	c := &cobra.Command{
		Use:     "diagnose [OBJECT]",
		Short:   a.text("command.diagnose.short", nil),
		Long:    a.text("command.diagnose.long", nil),
		Example: examples("diagnose", "diagnose alice --probe", "diagnose --from token.json --html diagnosis.html"),
		Args:    atMostOne("OBJECT"),
	}
	c.Flags().StringVar(&o.from, "from", "", a.text("flag.from", nil))
	c.Flags().StringVar(&o.html, "html", "", a.text("flag.html", nil))
	c.Flags().BoolVar(&o.force, "force", false, a.text("flag.force", nil))
	c.Flags().BoolVar(&o.probe, "probe", false, a.text("flag.probe", nil))
	c.Flags().BoolVar(&o.noLogin, "no-login", false, a.text("flag.no-login", nil))
	live := a.supervised(nil, func(ctx context.Context, _ []string) error { return diagnoseLive(ctx, a, o) })
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			o.object = args[0]
		}
		if o.from != "" { // no module, nothing to supervise
			return diagnoseSnapshot(a, o)
		}
		return live(c, args)
	}
	return c
}

func (o *diagnoseOptions) selector() (*token.Selector, *token.URI, error) {
	if o.object == "" {
		return nil, nil, nil
	}
	selector, err := token.ParseSelector(o.object)
	if err != nil {
		return nil, nil, err
	}
	return selector, selector.URI, nil
}

func diagnoseLive(ctx context.Context, a *app, o *diagnoseOptions) error {
	selector, uri, err := o.selector()
	if err != nil {
		return err
	}
	view := diagnosisView{Schema: "p11bridge.diagnose/1"}
	err = a.eachInventory(ctx, uri, o.noLogin, func(s *token.Session, inventory *token.Inventory) error {
		diagnosed := viewDiagnosis(inventory, selector, a.now())
		if o.probe {
			if err := probe(ctx, s, inventory, selector, &diagnosed); err != nil {
				return err
			}
		}
		view.Tokens = append(view.Tokens, diagnosed)
		return nil
	})
	if err != nil {
		return err
	}
	return a.told(a.tellDiagnosis(o, view))
}

func diagnoseSnapshot(a *app, o *diagnoseOptions) error {
	if o.probe {
		return usage("error.probe-snapshot", nil)
	}
	selector, uri, err := o.selector()
	if err != nil {
		return err
	}
	snapshot, err := readSnapshot(o.from)
	if err != nil {
		return err
	}
	view := diagnosisView{Schema: "p11bridge.diagnose/1"}
	for _, inventory := range snapshot.Tokens {
		slot := token.Slot{Token: &inventory.Token}
		if a.meant(inventory.Module, slot, uri) {
			view.Tokens = append(view.Tokens, viewDiagnosis(inventory, selector, snapshot.Created))
		}
	}
	return a.tellDiagnosis(o, view)
}

func viewDiagnosis(inventory *token.Inventory, selector *token.Selector, now time.Time) diagnosedTokenView {
	view := diagnosedTokenView{tokenView: viewToken(inventory, selector, now), Diagnoses: []diagnosedView{}}
	for _, identity := range view.Identities {
		view.Diagnoses = append(view.Diagnoses, diagnosedView{URI: identity.URI, Next: noNil(nextCommand(identity))})
	}
	return view
}

// probe tries the wrap for every key that is not refused by its own attributes.
func probe(ctx context.Context, s *token.Session, inventory *token.Inventory, selector *token.Selector, view *diagnosedTokenView) error {
	i := 0
	for _, identity := range inventory.Identities() {
		if selector != nil && !selector.Names(identity) {
			continue
		}
		row := &view.Diagnoses[i]
		i++
		if identity.PrivateKey == nil || identity.PrivateKey.Attributes.Bool(token.CKAExtractable) != token.True {
			continue
		}
		attempts, err := s.Probe(ctx, identity.PrivateKey, inventory.Mechanisms, rand.Reader)
		if err != nil {
			return err
		}
		for _, attempt := range attempts {
			answer := attempt.Problem
			if answer == "" {
				answer = attempt.Code.String()
			}
			row.Probe = append(row.Probe, attemptView{attempt.Mechanism.String(), attempt.Function, answer})
		}
	}
	return nil
}

// nextCommand is the command that comes next: the export where the key can leave, the request for a new certificate where
// it cannot. A certificate that is somebody's CA, or unreadable, has none.
func nextCommand(identity identityView) []string {
	switch {
	case identity.Verdict.Exportable && identity.Certificate == nil:
		return []string{"p11bridge", "export", identity.URI, "--certificate", "CERTIFICATE.cer", "-o", fileNameFor(identity)}
	case identity.Verdict.Exportable:
		return []string{"p11bridge", "export", identity.URI, "-o", fileNameFor(identity)}
	case len(identity.Verdict.Reasons) > 0 && identity.Verdict.Reasons[0].Code == verdict.KeysHiddenUntilLogin:
		return []string{"p11bridge", "diagnose", identity.URI, "--pin-source", "prompt"}
	case identity.Certificate != nil && !identity.Certificate.IsCA || identity.PrivateKey != nil:
		return []string{"p11bridge", "request", identity.URI, "-o", requestNameFor(identity)}
	}
	return nil
}

func (a *app) tellDiagnosis(o *diagnoseOptions, view diagnosisView) error {
	found := 0
	hidden := false
	for _, t := range view.Tokens {
		found += len(t.Identities)
		hidden = hidden || !t.LoggedIn
	}
	if o.object != "" && found == 0 {
		return &objectNotFoundError{Name: o.object, Hidden: hidden}
	}
	if o.html != "" {
		if err := a.writeDiagnosisPage(o, view); err != nil {
			return err
		}
	}
	switch {
	case a.json:
		return a.writeJSON(view)
	case o.html != "":
		fmt.Fprintln(a.out, a.text("diagnose.page", messages.Args{"File": printable(o.html)}))
		return nil
	}
	a.printDiagnosis(view)
	return nil
}
