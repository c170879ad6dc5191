package diagnose

import (
	"strings"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
)

// writeDiagnosisPage writes the diagnosis as a page. taken is when the snapshot was taken, zero without one.
func writeDiagnosisPage(a *frame.App, o *diagnoseOptions, shown diagnosisView, taken time.Time) error {
	p := view.Page{Title: a.Text("page.diagnosis.title", nil), Summary: summaryOf(a, shown)}
	for _, t := range shown.Tokens {
		section := view.PageSection{Heading: view.TokenHeading(a, t.Token), Facts: []string{terminal.Printable(t.Module)}, Steps: a.Steps(t.Reasons...)}
		section.Reasons, _ = view.PageReasons(a, t.Reasons)
		if len(t.Identities) == 0 {
			section.Facts = append(section.Facts, view.EmptyText(a, t.Token))
		}
		section.Groups = pageGroups(a, t)
		p.Sections = append(p.Sections, section)
	}
	o.html = view.InDirectory(o.html, "diagnosis.html")
	target := archive.Target{Path: o.html, Force: o.force, Scratch: a.Scratch, Placing: a.Placing}
	return view.WritePage(a, target, p, taken)
}

// pageGroups puts what has the same verdict under one heading, and on one card of which the same is said.
func pageGroups(a *frame.App, t diagnosedTokenView) []view.PageGroup {
	var groups []view.PageGroup
	at := map[string]int{}
	for _, alike := range together(t, func(i int) string { return saidOnPage(a, t, i) }) {
		first := t.Identities[alike[0]]
		verdict := view.VerdictSentence(a, first)
		if _, there := at[verdict]; !there {
			at[verdict] = len(groups)
			groups = append(groups, view.PageGroup{Rating: ratingOf(first), Verdict: verdict})
		}
		card := view.PageCard{Steps: aboutGroup(a, t, alike).Steps(first.Verdict.Reasons...)}
		card.Reasons, _ = view.PageReasons(a, first.Verdict.Reasons)
		for _, i := range alike {
			card.Items = append(card.Items, pageItem(a, t.Identities[i], t.Diagnoses[i]))
		}
		group := &groups[at[verdict]]
		group.Cards = append(group.Cards, card)
	}
	return groups
}

// saidOnPage is what a card says of an identity; nothing where a probe's answers are the identity's own.
func saidOnPage(a *frame.App, t diagnosedTokenView, i int) string {
	if len(t.Diagnoses[i].Probe) > 0 {
		return ""
	}
	said := []string{view.VerdictSentence(a, t.Identities[i])}
	words, _ := view.PageReasons(a, t.Identities[i].Verdict.Reasons)
	for _, word := range words {
		said = append(said, word.Summary, word.Why)
	}
	return strings.Join(append(said, a.Steps(t.Identities[i].Verdict.Reasons...)...), "\n")
}

func pageItem(a *frame.App, identity view.Identity, d diagnosedView) view.PageItem {
	item := view.PageItem{Heading: view.Name(identity), Kind: view.KeyText(identity)}
	if c := identity.Certificate; c != nil {
		item.Facts = append(item.Facts,
			view.PageFact{Label: a.Text("page.fact.certificate", nil), Value: c.Subject.String()},
			view.PageFact{Label: a.Text("page.fact.issuer", nil), Value: c.Issuer.String()},
			view.PageFact{Label: a.Text("page.fact.valid", nil), Value: a.UntilOf(c.NotAfter)})
	}
	item.Facts = append(item.Facts, view.PageFact{Label: "URI", Value: terminal.Printable(identity.URI)})
	_, item.Evidence = view.PageReasons(a, identity.Verdict.Reasons)
	if identity.PrivateKey != nil {
		for i, answer := range identity.PrivateKey.Attributes {
			item.Evidence = append(item.Evidence, view.PageEvidence{Source: "C_GetAttributeValue", Name: view.KeyAttributes[i].String(), Value: answer.String()})
		}
	}
	for _, attempt := range d.Probe {
		item.Evidence = append(item.Evidence, view.PageEvidence{Source: attempt.Function, Name: attempt.Mechanism, Value: terminal.Printable(attempt.Answer)})
	}
	if len(d.typed) > 0 {
		item.Command = view.CommandLine(d.typed[1:])
	}
	return item
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
