package doctor

import (
	"slices"
	"strings"
	"time"

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
	general := view.PageSection{Heading: a.Text("page.doctor.surroundings", nil)}
	general.Reasons, _ = healthReasons(a, shown.Reasons)
	general.Steps = a.Steps(blocking(shown.Reasons)...)
	surroundings := healthText{App: a, out: &strings.Builder{}, explained: map[verdict.Code]bool{}, verbose: true}
	surroundings.surroundings(shown)
	general.Facts = lines(surroundings.out.String())
	modules := view.PageSection{
		Heading: a.Text("page.doctor.modules", nil),
		Facts:   []string{a.Text("doctor.counts", messages.Args{"Modules": messages.Number(len(shown.Modules)), "Usable": messages.Number(shown.Usable)})},
	}
	for _, m := range shown.Modules { // which are sorted
		rating := healthRatings[m.Health]
		if last := len(modules.Groups) - 1; last < 0 || modules.Groups[last].Rating != rating {
			modules.Groups = append(modules.Groups, view.PageGroup{Rating: rating, Verdict: a.Text("page.doctor.health."+string(m.Health), nil)})
		}
		group := &modules.Groups[len(modules.Groups)-1]
		group.Cards = append(group.Cards, healthCard(a, m))
	}
	p := view.Page{Title: a.Text("page.doctor.title", nil), Summary: healthSummary(a, shown), Sections: []view.PageSection{modules, general}}
	return view.WritePage(a, target, p, time.Time{})
}

var healthRatings = map[verdict.Health]string{verdict.HealthOK: view.RatingGood, verdict.HealthLook: view.RatingDoubt, verdict.HealthBroken: view.RatingBad}

// healthSummary is the first screen: what can be used, or the likeliest cause for which nothing can, and what support is to be told.
func healthSummary(a *frame.App, shown doctorView) view.PageSummary {
	s := view.PageSummary{Title: a.Text("page.doctor.tell", nil)}
	counts := map[verdict.Health]int{}
	for _, m := range shown.Modules {
		counts[m.Health]++
	}
	for _, health := range []verdict.Health{verdict.HealthOK, verdict.HealthLook, verdict.HealthBroken} {
		s.Ratings = append(s.Ratings, view.PageRating{Rating: healthRatings[health], Count: counts[health], Text: a.Text("page.doctor.health."+string(health), nil)})
	}
	version := messages.Own(frame.Version)
	causes := shown.causes()
	if names := shown.names(a); len(names) > 0 {
		s.Rating = view.RatingGood
		s.Sentences = []string{a.Text("doctor.usable", messages.Args{"Tokens": messages.Own(strings.Join(names, ", "))}), a.Text("page.doctor.now", nil), a.Text("page.doctor.look-below", nil)}
		s.Message.Text = a.Text("page.doctor.say-nothing", nil)
		return s
	}
	s.Rating = view.RatingBad
	if len(causes) == 0 {
		s.Sentences = []string{a.Text("page.doctor.none", nil), a.Text("page.doctor.look-below", nil)}
		s.Message.Text = a.Text("page.doctor.say-unknown", messages.Args{"Version": version})
		return s
	}
	cause := a.ReasonText(causes[0], "summary")
	s.Sentences = append([]string{a.Text("doctor.nothing-usable", messages.Args{"Cause": messages.Own(cause)}), a.ReasonText(causes[0], "why")}, a.Steps(causes[0])[:1]...)
	if command := frame.CommandFor(causes[0]); command != "" {
		s.Sentences = append(s.Sentences, "`"+command+"`")
	}
	s.Message.Text = a.Text("page.doctor.say", messages.Args{"Version": version, "Code": messages.Own(string(causes[0].Code)), "Cause": messages.Own(cause)})
	return s
}

func healthCard(a *frame.App, m moduleView) view.PageCard {
	facts := healthText{App: a, out: &strings.Builder{}, explained: map[verdict.Code]bool{}, verbose: true}
	facts.line("", a.Text("doctor.found."+m.Found, messages.Args{"By": foreign.Text(m.FoundBy)}))
	facts.library(m)
	reasons := slices.Clone(m.Reasons)
	for _, slot := range m.Slots {
		reasons = append(reasons, slot.Reasons...)
		slot.Reasons = nil
		facts.slot(slot)
	}
	item := view.PageItem{Heading: terminal.Printable(m.Path), Lines: lines(facts.out.String())}
	card := view.PageCard{Steps: a.Steps(blocking(reasons)...)}
	card.Reasons, item.Evidence = healthReasons(a, reasons)
	card.Items = []view.PageItem{item}
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
