package doctor

import (
	"strings"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

// writeHealthPage writes doctor's view as a page: one card for each module, its slots and tokens within.
func writeHealthPage(a *frame.App, target archive.Target, shown doctorView) error {
	p := view.Page{
		Title:    a.Text("page.doctor.title", nil),
		Subtitle: a.Text("doctor.counts", messages.Args{"Modules": messages.Number(len(shown.Modules)), "Usable": messages.Number(shown.Usable)}),
	}
	general := view.PageSection{Heading: a.Text("page.doctor.surroundings", nil)}
	general.Reasons, _ = healthReasons(a, shown.Reasons)
	general.Steps = a.Steps(blocking(shown.Reasons)...)
	surroundings := healthText{a, &strings.Builder{}, false, map[verdict.Code]bool{}, true}
	surroundings.surroundings(shown)
	general.Facts = lines(surroundings.out.String())
	modules := view.PageSection{Heading: a.Text("page.doctor.modules", nil)}
	counts := map[verdict.Health]int{}
	for _, m := range shown.Modules {
		counts[m.Health]++
		modules.Cards = append(modules.Cards, healthCard(a, m))
	}
	for _, health := range []verdict.Health{verdict.HealthOK, verdict.HealthLook, verdict.HealthBroken} {
		p.Ratings = append(p.Ratings, view.PageRating{Rating: healthRatings[health], Count: counts[health], Text: a.Text("page.doctor.health."+string(health), nil)})
	}
	p.Sections = []view.PageSection{modules, general}
	return view.WritePage(a, target, p)
}

var healthRatings = map[verdict.Health]string{verdict.HealthOK: view.RatingGood, verdict.HealthLook: view.RatingDoubt, verdict.HealthBroken: view.RatingBad}

func healthCard(a *frame.App, m moduleView) view.PageCard {
	card := view.PageCard{Rating: healthRatings[m.Health], Heading: terminal.Printable(m.Path), Verdict: a.Text("page.doctor.health."+string(m.Health), nil)}
	facts := healthText{a, &strings.Builder{}, false, map[verdict.Code]bool{}, true}
	facts.line("", a.Text("doctor.found."+m.Found, messages.Args{"By": foreign.Text(m.FoundBy)}))
	facts.library(m)
	reasons := m.Reasons
	for _, slot := range m.Slots {
		reasons = append(reasons, slot.Reasons...)
		slot.Reasons = nil
		facts.slot(slot)
	}
	card.Facts = lines(facts.out.String())
	card.Reasons, card.Evidence = healthReasons(a, reasons)
	card.Steps = a.Steps(blocking(reasons)...)
	return card
}

// healthReasons explains what keeps from something, once each; of a notice the summary is enough.
func healthReasons(a *frame.App, reasons []verdict.Reason) ([]view.PageReason, []view.PageEvidence) {
	words, evidence := view.PageReasons(a, reasons)
	var shown []view.PageReason
	seen := map[verdict.Code]bool{}
	for i, reason := range reasons {
		if seen[reason.Code] {
			continue
		}
		seen[reason.Code] = true
		if entry, known := verdict.Lookup(reason.Code); !known || entry.Kind != verdict.Blocks {
			words[i].Why = ""
		}
		shown = append(shown, words[i])
	}
	return shown, evidence
}

// blocking are the reasons that keep from something.
func blocking(reasons []verdict.Reason) []verdict.Reason {
	var blocks []verdict.Reason
	for _, reason := range reasons {
		if entry, known := verdict.Lookup(reason.Code); known && entry.Kind == verdict.Blocks {
			blocks = append(blocks, reason)
		}
	}
	return blocks
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
