package cmd

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
)

// page is a report as one self-contained HTML page: no script, nothing fetched. diagnose and doctor fill it.
type page struct {
	Lang, Title, Subtitle   string
	SummaryLabel, NextLabel string
	EvidenceLabel           string
	EvidenceColumns         []string
	Lights                  []pageLight
	Sections                []pageSection
}

// The lights of the traffic-light summary; the words beside them carry the meaning for those who see no colour.
const (
	lightGood  = "good"
	lightDoubt = "doubt"
	lightBad   = "bad"
)

type pageLight struct {
	Light string
	Count int
	Text  string
}

type pageSection struct {
	Heading string
	Facts   []string
	Reasons []pageReason
	Cards   []pageCard
}

type pageCard struct {
	Light, Heading, Verdict string
	Facts                   []string
	Reasons                 []pageReason
	Command                 string
	Evidence                []pageEvidence
}

type pageReason struct {
	Summary, Why string
	Steps        []string
}

type pageEvidence struct{ Source, Name, Value string }

//go:embed page.html
var pageTemplate string

// writePage writes a page to a file, whole or not at all.
func (a *app) writePage(target archive.Target, p page) error {
	p.Lang = a.catalog.Language
	p.SummaryLabel, p.NextLabel, p.EvidenceLabel = a.text("page.summary", nil), a.text("page.next", nil), a.text("page.evidence", nil)
	p.EvidenceColumns = []string{a.text("page.column.source", nil), a.text("page.column.name", nil), a.text("page.column.value", nil)}
	layout, err := template.New("page").Funcs(template.FuncMap{"inline": inline}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("page layout: %w", err)
	}
	var out bytes.Buffer
	if err := layout.Execute(&out, p); err != nil {
		return fmt.Errorf("fill the page: %w", err)
	}
	return archive.WriteFile(target, out.Bytes())
}

// pageReasons gives reasons in words, and what was seen as rows.
func (a *app) pageReasons(reasons []verdict.Reason) (words []pageReason, evidence []pageEvidence) {
	for _, reason := range reasons {
		words = append(words, pageReason{
			Summary: a.reasonText(reason, "summary"), Why: a.reasonText(reason, "why"), Steps: steps(a.reasonText(reason, "remedy")),
		})
		for _, fact := range reason.Evidence {
			value, err := json.Marshal(fact.Value)
			if err != nil {
				value = []byte("?")
			}
			evidence = append(evidence, pageEvidence{string(reason.Code), fact.Name, printable(strings.Trim(string(value), `"`))})
		}
	}
	return words, evidence
}

// run is a part of a text, set as code or not.
type run struct {
	Text string
	Code bool
}

// inline cuts a text at its backquotes: what stands between two of them is a command or a file's name.
func inline(text string) []run {
	parts := strings.Split(text, "`")
	if len(parts)%2 == 0 { // one without its partner
		return []run{{Text: text}}
	}
	runs := make([]run, len(parts))
	for i, part := range parts {
		runs[i] = run{Text: part, Code: i%2 == 1}
	}
	return runs
}

// steps cuts a remedy into its sentences, one step each.
func steps(remedy string) []string {
	var list []string
	for line := range strings.SplitSeq(remedy, "\n") {
		rest := line
		for {
			i := strings.Index(rest, ". ")
			if i < 0 {
				break
			}
			list, rest = append(list, rest[:i+1]), rest[i+2:]
		}
		if rest != "" {
			list = append(list, rest)
		}
	}
	return list
}

// writeDiagnosisPage writes the diagnosis as a page.
func (a *app) writeDiagnosisPage(o *diagnoseOptions, view diagnosisView) error {
	p := page{Title: a.text("page.diagnosis.title", nil), Subtitle: a.text("page.diagnosis.subtitle", nil)}
	counts := map[string]int{}
	for _, t := range view.Tokens {
		section := pageSection{Heading: a.tokenHeading(t.tokenView)}
		section.Reasons, _ = a.pageReasons(t.Reasons)
		for i, identity := range t.Identities {
			card := a.diagnosisCard(identity, t.Diagnoses[i])
			counts[card.Light]++
			section.Cards = append(section.Cards, card)
		}
		p.Sections = append(p.Sections, section)
	}
	for _, light := range []string{lightGood, lightDoubt, lightBad} {
		p.Lights = append(p.Lights, pageLight{light, counts[light], a.text("page.light."+light, messages.Args{"Count": counts[light]})})
	}
	target := archive.Target{Path: o.html, Force: o.force}
	if a.child != nil {
		target.Scratch = a.child.page.setScratch
	}
	return a.writePage(target, p)
}

func (a *app) diagnosisCard(identity identityView, d diagnosedView) pageCard {
	name := printable(identity.Label)
	if name == "" {
		name = identity.ID
	}
	card := pageCard{Light: lightOf(identity), Heading: name + " – " + keyText(identity), Verdict: a.verdictSentence(identity)}
	if c := identity.Certificate; c != nil {
		card.Facts = append(card.Facts, a.text("page.certificate", messages.Args{
			"Subject": printable(c.Subject), "Issuer": printable(c.Issuer), "Until": a.dateOf(c.NotAfter),
		}))
	}
	card.Facts = append(card.Facts, printable(identity.URI))
	card.Reasons, card.Evidence = a.pageReasons(identity.Verdict.Reasons)
	if identity.PrivateKey != nil {
		for _, attribute := range keyAttributes {
			value := "not told"
			if told := identity.PrivateKey.Attributes[attribute.String()]; told != nil {
				value = fmt.Sprint(*told)
			}
			card.Evidence = append(card.Evidence, pageEvidence{"C_GetAttributeValue", attribute.String(), value})
		}
	}
	for _, attempt := range d.Probe {
		card.Evidence = append(card.Evidence, pageEvidence{attempt.Function, attempt.Mechanism, printable(attempt.Answer)})
	}
	if len(d.Next) > 0 {
		card.Command = commandLine(d.Next[1:])
	}
	return card
}

// lightOf is green where the key can leave, amber where that is not known yet or where there never was a key, red else.
func lightOf(identity identityView) string {
	switch {
	case identity.Verdict.Exportable:
		return lightGood
	case identity.PrivateKey == nil:
		return lightDoubt
	}
	return lightBad
}
