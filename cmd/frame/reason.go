package frame

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
)

// ReasonText is a reason's summary or why. What a family's backup route is stands with the family.
func (a *App) ReasonText(reason verdict.Reason, part string) string {
	if own := a.optional(reasonID(reason)+"."+part, messages.Args{}); own != "" {
		return own
	}
	text := a.Text("reason."+string(reason.Code)+"."+part, messages.Args{})
	suffix, ofFamily := map[verdict.Code]string{verdict.TokenFamilyBackup: ".backup", verdict.TokenFamilyNoBackup: ".none"}[reason.Code]
	if !ofFamily || part != "why" {
		return text
	}
	for _, fact := range reason.Evidence {
		if name, ok := fact.Value.(string); ok && fact.Name == "family" {
			text = strings.TrimSpace(a.optional("family."+name+suffix, nil) + " " + text)
		}
	}
	return text
}

// reasonID begins the ids of a reason's texts. A family that has words of its own for a reason stands in them: the PIN of a browser's
// database is its primary password.
func reasonID(reason verdict.Reason) string {
	id := "reason." + string(reason.Code)
	for _, fact := range reason.Evidence {
		if family, ok := fact.Value.(string); ok && fact.Name == "family" {
			return id + "." + family
		}
	}
	return id
}

// Steps are what to do about reasons that stand together, in the person's language: one list, in its order.
func (a *App) Steps(reasons ...verdict.Reason) []string {
	var texts []string
	for _, step := range verdict.Steps(reasons, a.stepsOf) {
		texts = append(texts, a.Text(stepID(step), messages.Args{}))
	}
	return texts
}

// stepsOf are the steps of one reason, as the catalog lists them. Shared steps have the names that verdict's rules know.
func (a *App) stepsOf(reason verdict.Reason) []verdict.Step {
	list := a.Catalog.List(reasonID(reason) + ".remedy")
	if list == nil {
		list = a.Catalog.List("reason." + string(reason.Code) + ".remedy")
	}
	var steps []verdict.Step
	for _, id := range list {
		steps = append(steps, verdict.Step(strings.TrimPrefix(id, "step.")))
	}
	return steps
}

func stepID(step verdict.Step) string {
	if strings.HasPrefix(string(step), "reason.") {
		return string(step)
	}
	return "step." + string(step)
}

// Numbered writes steps as a numbered list.
func Numbered(indent string, steps []string) string {
	var out strings.Builder
	for i, step := range steps {
		fmt.Fprintf(&out, "%s%d. %s\n", indent, i+1, step)
	}
	return out.String()
}

// mostReasonLines bounds what is said of reasons where not all was asked for: with a line above and the next command below, a refusal
// can be read over the telephone.
const mostReasonLines = 10

// ReasonsText is what reasons that stand together mean for a person: the one that decides, what else is to be known, and one list of
// what to do. With --verbose it is all that there is.
func (a *App) ReasonsText(reasons ...verdict.Reason) string {
	if a.Verbose {
		return a.AllOfReasons(reasons...)
	}
	var out strings.Builder
	var beside []string
	for i, reason := range reasons {
		entry, _ := verdict.Lookup(reason.Code)
		if i > 0 && (entry.Kind == verdict.Adds || entry.Kind == verdict.Notices) && !reason.NamesFailedCall() {
			beside = append(beside, a.ReasonText(reason, "short"))
			continue
		}
		fmt.Fprintf(&out, "  %s [%s]%s\n", a.ReasonText(reason, "summary"), reason.Code, a.Answer(reason))
		if tellsWhich(reason, entry.Kind) {
			fmt.Fprintf(&out, "    %s %s\n", a.Text("label.evidence", nil), EvidenceText(reason.Evidence))
		}
	}
	if len(beside) > 0 {
		fmt.Fprintf(&out, "  %s %s.\n", a.Text("label.also", nil), strings.Join(beside, ", "))
	}
	return out.String() + a.fewSteps(a.Steps(reasons...), mostReasonLines-terminal.Lines(out.String(), a.textWidth()))
}

// tellsWhich reports whether the evidence of a reason is for everybody: which file, which number, which object. Of a key's attributes, and
// of a PIN, the reason itself says enough.
func tellsWhich(reason verdict.Reason, kind verdict.Kind) bool {
	ofPIN := strings.HasPrefix(string(reason.Code), "pin-") || reason.Code == verdict.ProtectedLoginFailed
	return len(reason.Evidence) > 0 && !reason.NamesFailedCall() && !ofPIN &&
		slices.Contains([]verdict.Kind{verdict.Spoils, verdict.Unjudged, verdict.Weakness, verdict.Blocks}, kind)
}

// fewSteps are as many steps as fit on a number of lines, and where the others are.
func (a *App) fewSteps(steps []string, lines int) string {
	const indent = "    "
	width := a.textWidth()
	fits, used := 0, 0
	for fits < len(steps) {
		used += terminal.Lines(Numbered(indent, steps[fits:fits+1]), width)
		if used > lines || used == lines && fits < len(steps)-1 {
			break
		}
		fits++
	}
	fits = max(fits, min(1, len(steps)))
	text := Numbered(indent, steps[:fits])
	if fits < len(steps) {
		text += indent + a.Text("reason-steps.more", messages.Args{"Count": messages.Number(len(steps) - fits)}) + "\n"
	}
	return text
}

// AllOfReasons is ReasonsText with --verbose: each reason with what, why and the evidence, then all that can be done.
func (a *App) AllOfReasons(reasons ...verdict.Reason) string {
	var out strings.Builder
	for _, reason := range reasons {
		fmt.Fprintf(&out, "  %s [%s]\n", a.ReasonText(reason, "summary"), reason.Code)
		fmt.Fprintf(&out, "    %s\n", a.ReasonText(reason, "why"))
		if len(reason.Evidence) > 0 {
			fmt.Fprintf(&out, "    %s %s\n", a.Text("label.evidence", nil), EvidenceText(reason.Evidence))
		}
	}
	out.WriteString(Numbered("    ", a.Steps(reasons...)))
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
