package diagnose

import (
	"fmt"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

// printDiagnosis writes for every identity the verdict, each reason with its evidence and remedy, and the next command.
func printDiagnosis(p *frame.Printer, shown diagnosisView) {
	colour := p.Colours()
	for i, t := range shown.Tokens {
		if i > 0 {
			fmt.Fprintln(p.Out)
		}
		fmt.Fprintln(p.Out, colour.Bold(view.TokenHeading(p.App, t.Token)))
		fmt.Fprint(p.Out, p.ReasonsText(t.Reasons...))
		if len(t.Identities) == 0 {
			fmt.Fprintln(p.Out, "  "+p.Text("list.empty", nil))
		}
		for j, identity := range t.Identities {
			printDiagnosed(p, identity, t.Diagnoses[j], colour)
		}
	}
}

func printDiagnosed(p *frame.Printer, identity view.Identity, d diagnosedView, colour terminal.Colours) {
	name := identity.Label.String()
	if name == "" {
		name = identity.ID
	}
	heading := fmt.Sprintf("%s (%s)", name, view.KeyText(identity))
	if identity.Certificate != nil {
		heading += ", " + identity.Certificate.Subject.String()
	}
	verdict := view.VerdictCell(p.App, identity, colour)
	fmt.Fprintf(p.Out, "\n%s: %s\n", colour.Bold(heading), verdict.Paint(view.VerdictSentence(p.App, identity)))
	fmt.Fprintln(p.Out, "  "+terminal.Printable(identity.URI))
	fmt.Fprint(p.Out, p.ReasonsText(identity.Verdict.Reasons...))
	for _, attempt := range d.Probe {
		fmt.Fprintln(p.Out, "    "+p.Text("diagnose.probe", messages.Args{"Mechanism": messages.Own(attempt.Mechanism), "Function": messages.Own(attempt.Function), "Answer": foreign.Text(attempt.Answer)}))
	}
	if len(d.Next) > 0 {
		fmt.Fprintf(p.Out, "  %s %s\n", p.Text("diagnose.next", nil), view.CommandLine(d.Next[1:]))
	}
}
