package cmd

import (
	"strings"

	"p11bridge/bridge"
	"p11bridge/cmd/messages"
)

// writeHealthPage writes doctor's view as a page: one card for each module, its slots and tokens within.
func (a *app) writeHealthPage(target bridge.Target, view doctorView) error {
	p := page{
		Title:    a.text("page.doctor.title", nil),
		Subtitle: a.text("doctor.counts", messages.Args{"Modules": len(view.Modules), "Usable": view.Usable}),
	}
	general := pageSection{Heading: a.text("page.doctor.surroundings", nil)}
	general.Reasons, _ = a.healthReasons(view.Reasons)
	surroundings := healthText{a, &strings.Builder{}, false, map[bridge.Code]bool{}}
	surroundings.surroundings(view)
	general.Facts = lines(surroundings.out.String())
	modules := pageSection{Heading: a.text("page.doctor.modules", nil)}
	counts := map[bridge.Light]int{}
	for _, m := range view.Modules {
		counts[m.Light]++
		modules.Cards = append(modules.Cards, a.healthCard(m))
	}
	for _, light := range []bridge.Light{bridge.LightOK, bridge.LightLook, bridge.LightBroken} {
		p.Lights = append(p.Lights, pageLight{healthLights[light], counts[light], a.text("page.doctor.light."+string(light), nil)})
	}
	p.Sections = []pageSection{modules, general}
	return a.writePage(target, p)
}

var healthLights = map[bridge.Light]string{bridge.LightOK: lightGood, bridge.LightLook: lightDoubt, bridge.LightBroken: lightBad}

func (a *app) healthCard(m moduleView) pageCard {
	card := pageCard{Light: healthLights[m.Light], Heading: printable(m.Path), Verdict: a.text("page.doctor.light."+string(m.Light), nil)}
	facts := healthText{a, &strings.Builder{}, false, map[bridge.Code]bool{}}
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
func (a *app) healthReasons(reasons []bridge.Reason) ([]pageReason, []pageEvidence) {
	words, evidence := a.pageReasons(reasons)
	var shown []pageReason
	seen := map[bridge.Code]bool{}
	for i, reason := range reasons {
		if seen[reason.Code] {
			continue
		}
		seen[reason.Code] = true
		if entry, known := bridge.Lookup(reason.Code); !known || entry.Kind != bridge.Blocks {
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
