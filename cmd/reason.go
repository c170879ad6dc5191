package cmd

import (
	"encoding/json"
	"fmt"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
)

// reasonText is a reason's summary, why or remedy. A family's backup route has its words with the family.
func (a *app) reasonText(reason verdict.Reason, part string) string {
	text := a.text("reason."+string(reason.Code)+"."+part, messages.Args{})
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

// reasonParagraph is a reason for a person: what, why, the evidence, and what to do.
func (a *app) reasonParagraph(reason verdict.Reason) string {
	var out strings.Builder
	fmt.Fprintf(&out, "  %s [%s]\n", a.reasonText(reason, "summary"), reason.Code)
	fmt.Fprintf(&out, "    %s\n", a.reasonText(reason, "why"))
	if len(reason.Evidence) > 0 {
		fmt.Fprintf(&out, "    %s %s\n", a.text("label.evidence", nil), evidenceText(reason.Evidence))
	}
	fmt.Fprintln(&out, indentLines(a.reasonText(reason, "remedy"), "    → "))
	return out.String()
}

// evidenceText writes evidence as NAME=value, the values as JSON writes them.
func evidenceText(evidence verdict.Evidence) string {
	parts := make([]string, len(evidence))
	for i, fact := range evidence {
		value, err := json.Marshal(fact.Value)
		if err != nil {
			value = []byte("?")
		}
		parts[i] = fact.Name + "=" + printable(strings.Trim(string(value), `"`))
	}
	return strings.Join(parts, ", ")
}
