// Package diagnose is the command `diagnose`: it says why a key may or may not leave, and what to do.
package diagnose

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
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
	view.Token
	Diagnoses []diagnosedView `json:"diagnoses"`
}

// diagnosedView is one identity with what to do next, and what the module answered where it was probed.
type diagnosedView struct {
	URI   string        `json:"uri"`
	Next  []string      `json:"next"` // a command line, word by word; empty where there is none
	Probe []attemptView `json:"probe,omitempty"`

	name  string   // by which a person calls it
	typed []string // Next as a person can type it: with that name, and the flags that were given
}

type attemptView struct {
	Mechanism string `json:"mechanism"`
	Function  string `json:"function"`
	Answer    string `json:"answer"`
}

func NewCommand(a *frame.App) *cobra.Command {
	o := &diagnoseOptions{}
	c := &cobra.Command{
		Use:     "diagnose [OBJECT]",
		Short:   "command.diagnose.short",
		Long:    "command.diagnose.long",
		Example: frame.Examples("diagnose", "diagnose alice --probe", "diagnose --from token.json --html diagnosis.html"),
		Args:    frame.AtMostOne("OBJECT"),
	}
	c.Flags().StringVar(&o.from, "from", "", "flag.from")
	c.Flags().StringVar(&o.html, "html", "", "flag.html")
	c.Flags().BoolVar(&o.force, "force", false, "flag.force")
	c.Flags().BoolVar(&o.probe, "probe", false, "flag.probe")
	c.Flags().BoolVar(&o.noLogin, "no-login", false, "flag.no-login")
	live := a.Supervised(nil, func(ctx context.Context, w *frame.Worker, _ []string) (frame.Result, error) {
		return diagnoseLive(ctx, w, o)
	})
	fromFile := a.Unsupervised(func(context.Context, []string) (frame.Result, error) { return diagnoseSnapshot(a, o) })
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			o.object = args[0]
		}
		if o.from != "" { // no module, nothing to supervise
			return fromFile(c, args)
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

func diagnoseLive(ctx context.Context, w *frame.Worker, o *diagnoseOptions) (frame.Result, error) {
	selector, uri, err := o.selector()
	if err != nil {
		return frame.Result{}, err
	}
	tokens, err := w.Inventories(ctx, uri, o.noLogin)
	if err != nil {
		return frame.Result{}, err
	}
	if selector, err = w.Selecting(frame.InventoriesOf(tokens), selector, o.object); err != nil {
		return frame.Result{}, err
	}
	shown := diagnosisView{Schema: "p11bridge.diagnose/1"}
	for _, t := range tokens {
		next := view.NextCommands{Given: w.ForNext(), Short: uri == nil && (len(tokens) == 1 || w.TokenLabel != ""), Mechanisms: t.Inventory.Mechanisms, Named: map[string]int{}}
		diagnosed := viewDiagnosis(t.Inventory, selector, w.Now(), next)
		if o.probe {
			if err := probe(ctx, t.Session, t.Inventory, selector, w.Now(), &diagnosed, next); err != nil {
				return frame.Result{}, err
			}
		}
		shown.Tokens = append(shown.Tokens, diagnosed)
	}
	return diagnosisResult(w.App, o, shown, time.Time{})
}

func diagnoseSnapshot(a *frame.App, o *diagnoseOptions) (frame.Result, error) {
	if o.probe {
		return frame.Result{}, frame.Usage("error.probe-snapshot", nil)
	}
	selector, uri, err := o.selector()
	if err != nil {
		return frame.Result{}, err
	}
	snapshot, err := view.ReadSnapshot(o.from)
	if err != nil {
		return frame.Result{}, err
	}
	shown := diagnosisView{Schema: "p11bridge.diagnose/1"}
	next := view.NextCommands{Given: a.ForNext(), Short: uri == nil && (len(snapshot.Tokens) == 1 || a.TokenLabel != "")}
	meant := slices.DeleteFunc(snapshot.Tokens, func(i *token.Inventory) bool { return !a.Meant(i.Module, token.Slot{Token: &i.Token}, uri) })
	if selector, err = a.Selecting(meant, selector, o.object); err != nil {
		return frame.Result{}, err
	}
	for _, inventory := range meant {
		next.Mechanisms, next.Named = inventory.Mechanisms, map[string]int{}
		shown.Tokens = append(shown.Tokens, viewDiagnosis(inventory, selector, snapshot.Created, next))
	}
	return diagnosisResult(a, o, shown, snapshot.Created)
}

func viewDiagnosis(inventory *token.Inventory, selector *token.Selector, now time.Time, next view.NextCommands) diagnosedTokenView {
	shown := diagnosedTokenView{Token: view.TokenOf(inventory, selector, now), Diagnoses: []diagnosedView{}}
	for _, identity := range shown.Identities {
		next.Named[view.FileNameOf(identity)]++
	}
	for i, identity := range shown.Identities {
		name := identity.URI
		if next.Short {
			name = identity.Typed
		}
		shown.Diagnoses = append(shown.Diagnoses, diagnosedView{URI: identity.URI, name: name})
		shown.Diagnoses[i].setNext(next, identity)
	}
	return shown
}

// probe tries the wrap for every key that is not refused by its own attributes. The verdict follows what was tried.
func probe(ctx context.Context, s *token.Session, inventory *token.Inventory, selector *token.Selector, now time.Time, shown *diagnosedTokenView, next view.NextCommands) error {
	identities := inventory.Identities()
	if selector != nil {
		identities = selector.Select(identities)
	}
	for i, identity := range identities {
		row := &shown.Diagnoses[i]
		if identity.PrivateKey == nil || identity.PrivateKey.Attributes.Bool(token.CKAExtractable) != token.True {
			continue
		}
		attempts, err := s.Probe(ctx, identity.PrivateKey, inventory.Mechanisms, rand.Reader)
		if err != nil {
			return err
		}
		for _, attempt := range attempts {
			if !attempt.OfParts() { // the verdict says so
				row.Probe = append(row.Probe, attemptView{attempt.Mechanism.String(), attempt.Function, attempt.Answer()})
			}
		}
		judged := verdict.Tried(inventory, identity.PrivateKey, verdict.Judge(inventory, identity, now), attempts)
		shown.Identities[i].Verdict = view.VerdictOf(judged)
		row.setNext(next, shown.Identities[i])
	}
	return nil
}

// tokenFailed reports whether the token failed when a key was tried, so that nothing was found out of it.
func tokenFailed(t view.Token) bool {
	return slices.ContainsFunc(t.Identities, func(i view.Identity) bool { return i.Verdict.Has(verdict.WrapFailed) })
}

// setNext sets the command that comes next, for a program and for a person.
func (d *diagnosedView) setNext(next view.NextCommands, identity view.Identity) {
	d.Next = frame.NoNil(view.NextCommands{Mechanisms: next.Mechanisms, Named: next.Named}.Of(identity, identity.URI))
	d.typed = next.Of(identity, d.name)
}

// diagnosisResult writes the page, where one is wanted, and gives what is to be told.
// taken is when the snapshot was taken, zero without one.
func diagnosisResult(a *frame.App, o *diagnoseOptions, shown diagnosisView, taken time.Time) (frame.Result, error) {
	var tokens []view.Token
	for _, t := range shown.Tokens {
		tokens = append(tokens, t.Token)
	}
	if o.html != "" {
		if err := writeDiagnosisPage(a, o, shown, taken); err != nil {
			return frame.Result{}, err
		}
	}
	code := view.CodeOf(tokens)
	if slices.ContainsFunc(tokens, tokenFailed) {
		code = frame.ExitFailed
	}
	return frame.Result{JSON: shown, Code: code, Text: func(p *frame.Printer) {
		if o.html != "" {
			p.Line("", messages.Args{"File": foreign.Text(o.html)}, "diagnose.page")
			p.Place("  ", o.html)
			return
		}
		printDiagnosis(p, shown)
	}}, nil
}
