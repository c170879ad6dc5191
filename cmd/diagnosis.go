package cmd

import (
	"fmt"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
)

// printDiagnosis writes for every identity the verdict, each reason with its evidence and remedy, and the next command.
func (a *app) printDiagnosis(view diagnosisView) {
	colour := coloursFor(a.out, a.getenv)
	for i, t := range view.Tokens {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		fmt.Fprintln(a.out, colour.bold(a.tokenHeading(t.tokenView)))
		for _, reason := range t.Reasons {
			fmt.Fprint(a.out, a.reasonParagraph(reason))
		}
		if len(t.Identities) == 0 {
			fmt.Fprintln(a.out, "  "+a.text("list.empty", nil))
		}
		for j, identity := range t.Identities {
			a.printDiagnosed(identity, t.Diagnoses[j], colour)
		}
	}
}

func (a *app) printDiagnosed(identity identityView, d diagnosedView, colour colours) {
	name := printable(identity.Label)
	if name == "" {
		name = identity.ID
	}
	heading := fmt.Sprintf("%s (%s)", name, keyText(identity))
	if identity.Certificate != nil {
		heading += ", " + printable(identity.Certificate.Subject)
	}
	verdict := a.verdictCell(identity, colour)
	fmt.Fprintf(a.out, "\n%s: %s\n", colour.bold(heading), verdict.paint(a.verdictSentence(identity)))
	fmt.Fprintln(a.out, "  "+printable(identity.URI))
	for _, reason := range identity.Verdict.Reasons {
		fmt.Fprint(a.out, a.reasonParagraph(reason))
	}
	for _, attempt := range d.Probe {
		fmt.Fprintln(a.out, "    "+a.text("diagnose.probe", messages.Args{"Mechanism": attempt.Mechanism, "Function": attempt.Function, "Answer": printable(attempt.Answer)}))
	}
	if len(d.Next) > 0 {
		fmt.Fprintf(a.out, "  %s %s\n", a.text("diagnose.next", nil), commandLine(d.Next[1:]))
	}
}

// verdictSentence is the verdict in a few words: yes, no, or not known before the login.
func (a *app) verdictSentence(identity identityView) string {
	switch {
	case identity.Verdict.Exportable:
		return a.text("diagnose.verdict.yes", nil)
	case len(identity.Verdict.Reasons) > 0 && identity.Verdict.Reasons[0].Code == verdict.KeysHiddenUntilLogin:
		return a.text("diagnose.verdict.unknown", nil)
	case identity.PrivateKey == nil:
		return a.text("diagnose.verdict.no-key", nil)
	}
	return a.text("diagnose.verdict.no", nil)
}

func (a *app) tokenHeading(t tokenView) string {
	state := "list.logged-in"
	if !t.LoggedIn {
		state = "list.not-logged-in"
	}
	return a.text("list.token", messages.Args{
		"Label": printable(t.Label), "Manufacturer": printable(t.Manufacturer), "Model": printable(t.Model),
		"Serial": printable(t.Serial), "State": a.text(state, nil),
	})
}

// fileNameFor makes a file's name of an identity's label: letters, digits, "-" and "_" only.
func fileNameFor(identity identityView) string { return plainFileName(identity) + ".pfx" }

func requestNameFor(identity identityView) string { return plainFileName(identity) + ".csr" }

func plainFileName(identity identityView) string {
	const most = 40
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, identity.Label)
	name = strings.Trim(name, "-")
	if len(name) > most {
		name = name[:most]
	}
	if name == "" {
		name = "key-" + identity.ID
	}
	return name
}
