package cmd

import (
	"strings"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
)

// writeHealthPage writes doctor's view as a page: one card for each module, its slots and tokens within.
func (a *app) writeHealthPage(target archive.Target, view doctorView) error {
	p := page{
		Title:    a.text("page.doctor.title", nil),
		Subtitle: a.text("doctor.counts", messages.Args{"Modules": len(view.Modules), "Usable": view.Usable}),
	}
	general := pageSection{Heading: a.text("page.doctor.surroundings", nil)}
	general.Reasons, _ = a.healthReasons(view.Reasons)
	surroundings := healthText{a, &strings.Builder{}, false, map[verdict.Code]bool{}}
	surroundings.surroundings(view)
	general.Facts = lines(surroundings.out.String())
	modules := pageSection{Heading: a.text("page.doctor.modules", nil)}
	counts := map[verdict.Light]int{}
	for _, m := range view.Modules {
		counts[m.Light]++
		modules.Cards = append(modules.Cards, a.healthCard(m))
	}
	for _, light := range []verdict.Light{verdict.LightOK, verdict.LightLook, verdict.LightBroken} {
		p.Lights = append(p.Lights, pageLight{healthLights[light], counts[light], a.text("page.doctor.light."+string(light), nil)})
	}
	p.Sections = []pageSection{modules, general}
	return a.writePage(target, p)
}

var healthLights = map[verdict.Light]string{verdict.LightOK: lightGood, verdict.LightLook: lightDoubt, verdict.LightBroken: lightBad}

func (a *app) healthCard(m moduleView) pageCard {
	card := pageCard{Light: healthLights[m.Light], Heading: printable(m.Path), Verdict: a.text("page.doctor.light."+string(m.Light), nil)}
	facts := healthText{a, &strings.Builder{}, false, map[verdict.Code]bool{}}
	facts.line("", a.text("doctor.found."+m.Found, messages.Args{"By": printable(m.FoundBy)}))
	facts.library(m)
	reasons := m.Reasons
	for _, slot := range m.Slots {
		reasons = append(reasons, slot.Reasons...)
		slot.Reasons = nil
		facts.slot(slot)
	}
	card.Facts = lines(facts.out.String())
	card.Reasons, card.Evidence = a.healthReasons(reasons)
	return card
}

// healthReasons explains what keeps from something, once each; of a notice the summary is enough.
func (a *app) healthReasons(reasons []verdict.Reason) ([]pageReason, []pageEvidence) {
	words, evidence := a.pageReasons(reasons)
	var shown []pageReason
	seen := map[verdict.Code]bool{}
	for i, reason := range reasons {
		if seen[reason.Code] {
			continue
		}
		seen[reason.Code] = true
		if entry, known := verdict.Lookup(reason.Code); !known || entry.Kind != verdict.Blocks {
			words[i].Why, words[i].Steps = "", nil
		}
		shown = append(shown, words[i])
	}
	return shown, evidence
}

// lines cuts a text into its lines, without those that are empty.
func lines(text string) []string {
	var list []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}
