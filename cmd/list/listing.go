package list

import (
	"fmt"
	"slices"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
)

// printList writes the tokens and their identities as tables for people.
func printList(p *frame.Printer, o *listOptions, shown listView) {
	colour := p.Colours()
	for i, t := range shown.Tokens {
		if i > 0 {
			fmt.Fprintln(p.Out)
		}
		fmt.Fprintln(p.Out, colour.Bold(view.TokenHeading(p.App, t)))
		if len(t.Identities) == 0 {
			fmt.Fprintln(p.Out, "  "+view.EmptyText(p.App, t))
			printLogin(p, t, len(shown.Tokens) > 1)
		} else {
			printIdentities(p, o, t.Identities)
			view.PrintAnswers(p, t.Identities)
		}
		for _, o := range t.Objects {
			fmt.Fprintln(p.Out, "  "+p.Text("list.other-object", messages.Args{"Class": messages.Own(o.Class), "Label": o.Label}))
		}
		for _, reason := range t.Reasons {
			fmt.Fprintln(p.Out, "  "+colour.Doubt(p.ReasonText(reason, "summary"))+p.Mark(reason)+p.Answer(reason))
		}
	}
}

// printLogin is the command that shows what a token hides which shows nothing.
func printLogin(p *frame.Printer, t view.Token, several bool) {
	given := p.ForNext()
	if !view.Hides(t) || slices.Contains(given, "--pin-source") {
		return
	}
	if several {
		given = append(given, "--token", t.URI)
	}
	fmt.Fprintln(p.Out, "    "+view.CommandLine(slices.Concat([]string{"list"}, given, []string{"--pin-source", "prompt"})))
}

// printByPurpose groups the certificates by extended key usage.
func printByPurpose(p *frame.Printer, o *listOptions, shown listView) {
	colour := p.Colours()
	groups := map[string][]view.Identity{}
	for _, t := range shown.Tokens {
		for _, identity := range t.Identities {
			for _, purpose := range purposesOf(identity) {
				groups[purpose] = append(groups[purpose], identity)
			}
		}
	}
	purposes := make([]string, 0, len(groups))
	for purpose := range groups {
		purposes = append(purposes, purpose)
	}
	slices.Sort(purposes)
	for i, purpose := range purposes {
		if i > 0 {
			fmt.Fprintln(p.Out)
		}
		fmt.Fprintln(p.Out, colour.Bold(purposeText(p.App, purpose)))
		printIdentities(p, o, groups[purpose])
		view.PrintAnswers(p, groups[purpose])
	}
	for _, t := range shown.Tokens {
		for _, reason := range t.Reasons {
			fmt.Fprintln(p.Out, colour.Doubt(p.ReasonText(reason, "summary"))+p.Mark(reason)+p.Answer(reason))
		}
	}
}

// printIdentities writes identities in lines that fit a terminal, or as the wide table.
func printIdentities(p *frame.Printer, o *listOptions, identities []view.Identity) {
	if o.wide || p.Verbose {
		fmt.Fprint(p.Out, terminal.TableWithin("  ", identityRows(p.App, identities, p.Colours()), p.Width()))
		return
	}
	printLines(p, identities)
}

// purposesOf lists the extended key usages of an identity's certificate; a certificate without any may serve every
// purpose, a key without certificate has none.
func purposesOf(identity view.Identity) []string {
	switch {
	case identity.Certificate == nil:
		return []string{"none"}
	case len(identity.Certificate.Purposes) == 0:
		return []string{"any"}
	}
	return identity.Certificate.Purposes
}

// purposeText names an extended key usage; one without a text keeps its name or number.
func purposeText(a *frame.App, purpose string) string {
	id := "purpose." + purpose
	if text := a.Text(id, nil); text != id {
		return text
	}
	return terminal.Printable(purpose)
}

func identityRows(a *frame.App, identities []view.Identity, colour terminal.Colours) [][]terminal.Cell {
	var heading []terminal.Cell
	for _, column := range []string{"name", "id", "key", "certificate", "valid-until", "verdict"} {
		heading = append(heading, terminal.Cell{Text: a.Text("list.column."+column, nil), Paint: colour.Bold})
	}
	rows := [][]terminal.Cell{heading}
	for _, identity := range view.Sorted(identities) {
		subject, until := "–", "–"
		if c := identity.Certificate; c != nil {
			subject, until = terminal.Shorten(c.Subject.String(), 40), c.NotAfter[:len("2006-01-02")]
		}
		verdict := view.VerdictCell(a, identity, colour)
		rows = append(rows, []terminal.Cell{
			{Text: identity.Label.String()}, {Text: identity.ID}, {Text: terminal.Printable(view.KeyText(identity))},
			{Text: subject}, {Text: until}, verdict,
		})
	}
	return rows
}
