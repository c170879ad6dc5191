package frame

import (
	"encoding/json"
	"fmt"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
)

// ReasonText is a reason's summary, why or remedy. A family's backup route has its words with the family.
func (a *App) ReasonText(reason verdict.Reason, part string) string {
	text := a.Text("reason."+string(reason.Code)+"."+part, messages.Args{})
	suffix, ofFamily := map[verdict.Code]string{verdict.TokenFamilyBackup: ".backup", verdict.TokenFamilyNoBackup: ".none"}[reason.Code]
	if !ofFamily || part != "remedy" {
		return text
	}
	for _, fact := range reason.Evidence {
		if name, ok := fact.Value.(string); ok && fact.Name == "family" {
			text = strings.TrimSpace(a.optional("family."+name+suffix, nil) + "\n" + text)
		}
	}
	return text
}

// ReasonParagraph is a reason for a person: what, why, the evidence, and what to do.
func (a *App) ReasonParagraph(reason verdict.Reason) string {
	var out strings.Builder
	fmt.Fprintf(&out, "  %s [%s]\n", a.ReasonText(reason, "summary"), reason.Code)
	fmt.Fprintf(&out, "    %s\n", a.ReasonText(reason, "why"))
	if len(reason.Evidence) > 0 {
		fmt.Fprintf(&out, "    %s %s\n", a.Text("label.evidence", nil), EvidenceText(reason.Evidence))
	}
	fmt.Fprintln(&out, IndentLines(a.ReasonText(reason, "remedy"), "    → "))
	return out.String()
}

// Answer is the evidence of a reason that says what a call answered, to stand behind it on its line; empty for every other.
func (a *App) Answer(reason verdict.Reason) string {
	if !reason.NamesFailedCall() {
		return ""
	}
	return " " + a.Text("label.evidence", nil) + " " + EvidenceText(reason.Evidence)
}

// EvidenceText writes evidence as NAME=value, the values as JSON writes them.
func EvidenceText(evidence verdict.Evidence) string {
	parts := make([]string, len(evidence))
	for i, fact := range evidence {
		value, err := json.Marshal(fact.Value)
		if err != nil {
			value = []byte("?")
		}
		parts[i] = fact.Name + "=" + terminal.Printable(strings.Trim(string(value), `"`))
	}
	return strings.Join(parts, ", ")
}
