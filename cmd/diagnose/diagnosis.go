package diagnose

import (
	"fmt"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

// printDiagnosis writes for every identity the verdict, the reason, what to do and the next command; keys of which the same is to be
// said stand together. With --verbose each stands alone, with all that was seen.
func printDiagnosis(p *frame.Printer, shown diagnosisView) {
	colour := p.Colours()
	for i, t := range shown.Tokens {
		if i > 0 {
			fmt.Fprintln(p.Out)
		}
		fmt.Fprintln(p.Out, colour.Bold(view.TokenHeading(p.App, t.Token)))
		fmt.Fprint(p.Out, p.ReasonsText(t.Reasons...))
		if len(t.Identities) == 0 {
			fmt.Fprintln(p.Out, "  "+view.EmptyText(p.App, t.Token))
		}
		for _, group := range groupsOf(p, t) {
			printGroup(p, t, group)
		}
	}
}

// groupsOf puts the identities together of which the same is to be said, in the order in which they are shown.
func groupsOf(p *frame.Printer, t diagnosedTokenView) [][]int {
	return together(t, func(i int) string {
		if p.Verbose || len(t.Diagnoses[i].Probe) > 0 {
			return ""
		}
		return view.VerdictSentence(p.App, t.Identities[i]) + p.ReasonsText(t.Identities[i].Verdict.Reasons...)
	})
}

// together puts the identities together of which the same is said, in the order in which they are shown. One of which nothing is said
// stays alone.
func together(t diagnosedTokenView, said func(int) string) [][]int {
	var groups [][]int
	at := map[string]int{}
	for _, i := range view.Order(t.Identities) {
		text := said(i)
		group, there := at[text]
		if !there || text == "" {
			group = len(groups)
			at[text], groups = group, append(groups, nil)
		}
		groups[group] = append(groups[group], i)
	}
	return groups
}

func printGroup(p *frame.Printer, t diagnosedTokenView, group []int) {
	fmt.Fprintln(p.Out)
	colour := p.Colours()
	first := t.Identities[group[0]]
	for _, i := range group {
		identity := t.Identities[i]
		paint := view.VerdictCell(p.App, identity, colour).Paint
		if view.IsIssuer(identity) {
			paint = colour.Dim
		}
		fmt.Fprintf(p.Out, "%s: %s\n", colour.Bold(headingOf(identity)), paint(view.VerdictSentence(p.App, identity)))
		if p.Verbose {
			fmt.Fprintln(p.Out, "  "+terminal.Printable(identity.URI))
		}
	}
	if view.IsIssuer(first) && !p.Verbose {
		return
	}
	fmt.Fprint(p.Out, aboutGroup(p.App, t, group).ReasonsText(first.Verdict.Reasons...))
	for _, attempt := range t.Diagnoses[group[0]].Probe {
		fmt.Fprintln(p.Out, "    "+p.Text("diagnose.probe", messages.Args{"Mechanism": messages.Own(attempt.Mechanism), "Function": messages.Own(attempt.Function), "Answer": foreign.Text(attempt.Answer)}))
	}
	for _, i := range group {
		if next := t.Diagnoses[i].typed; len(next) > 0 {
			fmt.Fprintf(p.Out, "  %s %s\n", p.Text("diagnose.next", nil), terminal.Whole(view.CommandLine(next[1:])))
		}
	}
}

// aboutGroup is the app as it speaks of a group: of one identity by its name.
func aboutGroup(a *frame.App, t diagnosedTokenView, group []int) *frame.App {
	if len(group) > 1 {
		return a
	}
	return a.AboutNext(t.Diagnoses[group[0]].typed)
}

// headingOf names an identity, its key and whose it is.
func headingOf(identity view.Identity) string {
	heading := fmt.Sprintf("%s (%s)", view.Name(identity), view.KeyText(identity))
	if c := identity.Certificate; c != nil {
		heading += ", " + c.Subject.String()
	}
	return heading
}
