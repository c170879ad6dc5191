package frame

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token/foreign"
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

// Plainly is a reason in at most three sentences without a technical word, as it can be read out over the telephone. A reason that
// nobody needs read out has its summary alone.
func (a *App) Plainly(reason verdict.Reason) string {
	for _, id := range []string{reasonID(reason), "reason." + string(reason.Code)} {
		if text := a.optional(id+".plain", nil); text != "" {
			return text
		}
	}
	return a.ReasonText(reason, "summary")
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

// General is a reason as it is said once of several objects: without what was seen of one, and in the words of its family.
func General(reason verdict.Reason) verdict.Reason {
	reason.Evidence = slices.DeleteFunc(slices.Clone(reason.Evidence), func(f verdict.Fact) bool { return f.Name != "family" })
	return reason
}

// Steps are what to do about reasons that stand together, in the person's language: one list, in its order.
func (a *App) Steps(reasons ...verdict.Reason) []string {
	var texts []string
	for _, step := range verdict.Steps(reasons, a.stepsOf) {
		texts = append(texts, a.Text(stepID(step), messages.Args{}))
	}
	if a.Guided() {
		return withoutFlags(texts)
	}
	return texts
}

// ofFlags finds a flag that does not stand in a whole command.
var ofFlags = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?:^|[^\w-])--[a-z]`) })

// wholeCommands finds the commands that can be pasted as they are.
var wholeCommands = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("`p11bridge [^`]*`|'p11bridge [^']*'") })

// withoutFlags leaves out the steps that speak of flags, as long as others are left: in the guided mode nobody typed any.
func withoutFlags(steps []string) []string {
	kept := slices.DeleteFunc(slices.Clone(steps), func(step string) bool {
		return ofFlags().MatchString(wholeCommands().ReplaceAllString(step, ""))
	})
	if len(kept) == 0 {
		return steps
	}
	return kept
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

// mostLines bounds what is said where not all was asked for: a refusal can be read over the telephone. mostReasonLines are what is left of it
// with a line above and the next command below.
const (
	mostLines       = 12
	mostReasonLines = mostLines - 2
)

// ReasonsText is what reasons that stand together mean for a person: the one that decides, what else is to be known, and one list of
// what to do. With --verbose it is all that there is.
func (a *App) ReasonsText(reasons ...verdict.Reason) string {
	return a.reasonsWithin(mostReasonLines, reasons, false)
}

// reasonsWithin is ReasonsText in so many lines, where that is enough for the reasons and for one step. The sentence of the first reason is
// left out where it is told already.
func (a *App) reasonsWithin(most int, reasons []verdict.Reason, firstTold bool) string {
	if a.Verbose {
		return a.AllOfReasons(reasons...)
	}
	var out strings.Builder
	var beside []string
	for i, reason := range reasons {
		entry, _ := verdict.Lookup(reason.Code)
		if i > 0 && isBeside(reasons[0], entry.Kind) && !reason.NamesFailedCall() {
			beside = append(beside, a.ReasonText(reason, "short"))
			continue
		}
		if i > 0 || !firstTold {
			fmt.Fprintf(&out, "  %s%s\n", a.ReasonText(reason, "summary"), a.Answer(reason))
		} else if answer := a.Answer(reason); answer != "" {
			fmt.Fprintf(&out, " %s\n", answer)
		}
		if facts := a.FactsText(reason); facts != "" {
			fmt.Fprintf(&out, "    %s\n", facts)
		}
	}
	if len(beside) > 0 {
		fmt.Fprintf(&out, "  %s %s.\n", a.Text("label.also", nil), strings.Join(beside, ", "))
	}
	return out.String() + a.fewSteps(a.Steps(reasons...), most-terminal.Lines(out.String(), a.textWidth()))
}

// isBeside tells a reason of which a few words are enough: more about what the first one decided, and the weaknesses of a file that is none.
func isBeside(first verdict.Reason, kind verdict.Kind) bool {
	decides, _ := verdict.Lookup(first.Code)
	return kind == verdict.Adds || kind == verdict.Notices || kind == verdict.Weakness && decides.Kind == verdict.Spoils
}

// FactsText is what of a reason's evidence is for everybody, in words: which file, which number, which object. The catalog has the words of
// these; all else is evidence, for --verbose.
func (a *App) FactsText(reason verdict.Reason) string {
	if reason.NamesFailedCall() {
		return ""
	}
	var facts []string
	for _, fact := range reason.Evidence {
		value, shown := a.factValue(fact.Value)
		own := "fact." + string(reason.Code) + "." + fact.Name
		for _, id := range []string{own + "." + value, own, "fact." + fact.Name} {
			if words := a.optional(id, messages.Args{"Value": shown}); words != "" && fact.Value != nil {
				facts = append(facts, words)
				break
			}
		}
	}
	return strings.Join(facts, "; ")
}

// factValue is a value for people: a number as their language writes it, and anything else as it is, for a text that is safe to print.
func (a *App) factValue(value any) (text string, shown messages.Value) {
	text = valueText(value)
	if _, is := value.(string); !is {
		if n, err := strconv.Atoi(text); err == nil {
			return a.Catalog.Number(n), messages.Number(n)
		}
	}
	return text, foreign.Text(text)
}

// Mark is the code of a reason in brackets, to stand behind its words with --verbose; empty without.
func (a *App) Mark(reason verdict.Reason) string {
	if !a.Verbose {
		return ""
	}
	return " [" + string(reason.Code) + "]"
}

// Because is a state with the reason for it in a few words, and the code with --verbose.
func (a *App) Because(state string, reason verdict.Reason) string {
	return a.Text("label.because", messages.Args{"State": messages.Own(state), "Reason": messages.Own(a.ReasonText(reason, "short"))}) + a.Mark(reason)
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

// Answer is what a call answered, of a reason that names one, to stand behind it on its line: the call and its answer, and with --verbose all
// of the evidence. It is empty for every other reason.
func (a *App) Answer(reason verdict.Reason) string {
	switch {
	case !reason.NamesFailedCall():
		return ""
	case a.Verbose:
		return " " + a.Text("label.evidence", nil) + " " + EvidenceText(reason.Evidence)
	}
	var said []string
	for _, fact := range reason.Evidence {
		switch value := fact.Value.(type) {
		case []string:
			for _, answer := range value {
				if strings.HasPrefix(answer, "CKM_") { // the mechanism that was tried
					_, answer, _ = strings.Cut(answer, ": ")
				}
				said = append(said, answer)
			}
		case string:
			if slices.Contains([]string{"function", "CKR", "answer", "attribute", "object", "signal", "after"}, fact.Name) {
				said = append(said, value)
			}
		}
	}
	slices.Sort(said)
	if said = slices.Compact(said); len(said) == 0 {
		return ""
	}
	return " (" + terminal.Printable(strings.Join(said, ", ")) + ")"
}

// EvidenceText writes evidence as NAME=value, the values as JSON writes them.
func EvidenceText(evidence verdict.Evidence) string {
	parts := make([]string, len(evidence))
	for i, fact := range evidence {
		parts[i] = fact.Name + "=" + terminal.Printable(valueText(fact.Value))
	}
	return strings.Join(parts, ", ")
}

// valueText is a value of evidence as JSON writes it, but for a string, which is itself: a path of Windows has one backslash at a time.
func valueText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	itself := string(text)
	if strings.HasPrefix(itself, `"`) {
		_ = json.Unmarshal(text, &itself) // what it has just written
	}
	return itself
}
