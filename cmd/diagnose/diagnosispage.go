package diagnose

import (
	"fmt"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
)

// writeDiagnosisPage writes the diagnosis as a page.
func writeDiagnosisPage(a *frame.App, o *diagnoseOptions, shown diagnosisView) error {
	p := view.Page{Title: a.Text("page.diagnosis.title", nil), Subtitle: a.Text("page.diagnosis.subtitle", nil)}
	counts := map[string]int{}
	for _, t := range shown.Tokens {
		section := view.PageSection{Heading: view.TokenHeading(a, t.Token)}
		section.Reasons, _ = view.PageReasons(a, t.Reasons)
		section.Steps = a.Steps(t.Reasons...)
		for _, i := range view.Order(t.Identities) {
			identity := t.Identities[i]
			card := diagnosisCard(a, identity, t.Diagnoses[i])
			counts[card.Rating]++
			section.Cards = append(section.Cards, card)
		}
		p.Sections = append(p.Sections, section)
	}
	for _, rating := range []string{view.RatingGood, view.RatingDoubt, view.RatingBad} {
		p.Ratings = append(p.Ratings, view.PageRating{Rating: rating, Count: counts[rating], Text: a.Text("page.rating."+rating, messages.Args{"Count": messages.Number(counts[rating])})})
	}
	target := archive.Target{Path: o.html, Force: o.force, Scratch: a.Scratch, Placing: a.Placing}
	return view.WritePage(a, target, p)
}

func diagnosisCard(a *frame.App, identity view.Identity, d diagnosedView) view.PageCard {
	name := identity.Label.String()
	if name == "" {
		name = identity.ID
	}
	card := view.PageCard{Rating: ratingOf(identity), Heading: name + " – " + view.KeyText(identity), Verdict: view.VerdictSentence(a, identity)}
	if c := identity.Certificate; c != nil {
		card.Facts = append(card.Facts, a.Text("page.certificate", messages.Args{
			"Subject": c.Subject, "Issuer": c.Issuer, "Until": messages.Own(a.UntilOf(c.NotAfter)),
		}))
	}
	card.Facts = append(card.Facts, terminal.Printable(identity.URI))
	card.Reasons, card.Evidence = view.PageReasons(a, identity.Verdict.Reasons)
	card.Steps = a.Steps(identity.Verdict.Reasons...)
	if identity.PrivateKey != nil {
		for _, attribute := range view.KeyAttributes {
			value := "not told"
			if given := identity.PrivateKey.Attributes[attribute.String()]; given != nil {
				value = fmt.Sprint(*given)
			}
			card.Evidence = append(card.Evidence, view.PageEvidence{Source: "C_GetAttributeValue", Name: attribute.String(), Value: value})
		}
	}
	for _, attempt := range d.Probe {
		card.Evidence = append(card.Evidence, view.PageEvidence{Source: attempt.Function, Name: attempt.Mechanism, Value: terminal.Printable(attempt.Answer)})
	}
	if len(d.typed) > 0 {
		card.Command = view.CommandLine(d.typed[1:])
	}
	return card
}

// ratingOf is green where the key can leave, amber where that is not known yet or where there never was a key, red else.
func ratingOf(identity view.Identity) string {
	switch {
	case identity.Verdict.CanLeave():
		return view.RatingGood
	case view.IsIssuer(identity):
		return view.RatingNone
	case identity.PrivateKey == nil || identity.Verdict.Exportable == nil:
		return view.RatingDoubt
	}
	return view.RatingBad
}
