package verdict

import "slices"

// Step names one thing to do about a reason. Steps that several reasons share have names of their own, and the rules below; a step of
// one reason alone may have any name.
type Step string

// firstSteps are the steps that come before all others, and lastSteps those that come after all others, each in this order.
var (
	firstSteps = []Step{"login", "move-private", "keep-this-file", "keep-all-keys", "keep-contents"}
	lastSteps  = []Step{
		"no-original", "search-original", "search-original-if-imported", "check-original", "ask-vendor-backup", "find-vendor-backup", "keep-token", "ca-backup", "ca-keep", "contact-issuer", "renew", "learn-request",
		"request-when-lost", "request-now", "request-no-copy", "ask-common-type", "keep-for-decryption", "backup-after-renewal", "delete-old", "revoke",
		"run-again",
	}
)

// replaced are the steps that another step contradicts, or says better: where both would stand, only the other does.
var replaced = []struct {
	by    Step
	steps []Step
	why   string
}{
	{"no-original", []Step{"search-original-if-imported", "search-original", "check-original"}, "the token says that it made the key"},
	{"search-original", []Step{"search-original-if-imported"}, "the same with the places to look at"},
	{"last-attempt", []Step{"type-with-care", "new-pin"}, "the next wrong PIN locks the token"},
	{"find-vendor-backup", []Step{"ask-vendor-backup"}, "the family has such a route"},
	{"learn-request", []Step{"ask-vendor-backup", "try-vendor-library"}, "the family has no such route, and its own library is the one that says so"},
	{"request-now", []Step{"request-when-lost", "learn-request", "keep-token"}, "there is nothing left to lose"},
	{"renew", []Step{"request-when-lost", "request-now", "request-no-copy", "learn-request"}, "a certificate that expired is of no use"},
	{"keep-token", []Step{"keep-for-decryption"}, "the same, and more"},
	{"request-when-lost", []Step{"learn-request"}, "the same, where there is a route to a copy as well"},
	{"export-with-certificate", []Step{"export"}, "the same with what is missing"},
	{"export-finds-certificate", []Step{"export"}, "the same, and what it is for"},
	{"export-proves-link", []Step{"verify-link"}, "one proof is enough"},
	{"keep-this-file", []Step{"keep-file"}, "a weak copy is kept until there is a better one"},
	{"delete-old", []Step{"keep-this-file"}, "it is kept for as long, and no longer"},
	{"keep-all-keys", []Step{"keep-this-file", "delete-old"}, "a copy of one key is not enough"},
	{"keep-contents", []Step{"keep-this-file", "keep-all-keys", "delete-old"}, "no copy holds what else is in it"},
	{"complete-copy", []Step{"new-copy"}, "the same with what is missing"},
	{"keep-apart", []Step{"keep-file"}, "the same, and how to see that it still can be opened"},
	{"own-authority", []Step{"renew", "keep-for-decryption", "backup-after-renewal", "contact-issuer"}, "an issuer's certificate is renewed by the issuer"},
}

// nothing is the step of a reason that needs none. It does not stand beside the steps of another.
const nothing Step = "nothing-to-do"

// wayOut are the steps that only a key that can leave its token can take, and wayIn those that are for a key that cannot.
var (
	wayOut = []Step{"export", "export-with-certificate", "export-finds-certificate", "export-with-chain", "export-proves-link", "choose-password", "keep-file", "backup-after-renewal", "ca-backup", "ca-keep"}
	wayIn  = []Step{"keep-token", "request-when-lost", "learn-request"}
)

// asking are the steps that ask the key whose it is. A key that was asked and could not answer will not do so for another command.
var asking = []Step{"check-original", "verify-link"}

// keyDidNotAnswer reports whether the reason tells that the key was challenged, and what came of it.
func (r Reason) keyDidNotAnswer() bool {
	return slices.Contains([]Code{KeyLinkedByID, CertificateNotIdentified, KeyNotIdentified}, r.Code) &&
		slices.ContainsFunc(r.Evidence, func(f Fact) bool { return f.Name == "answer" })
}

// Steps merges the steps of reasons that stand together into one list: each step once, none that another one contradicts, none that
// the verdict rules out. of gives the steps of one reason.
func Steps(reasons []Reason, of func(Reason) []Step) []Step {
	var steps []Step
	refused, permitted := false, false
	for _, reason := range reasons {
		entry, _ := Lookup(reason.Code)
		refused, permitted = refused || entry.Kind == Refuses, permitted || entry.Kind == Permits
		for _, step := range of(reason) {
			if !slices.Contains(steps, step) {
				steps = append(steps, step)
			}
		}
	}
	if len(reasons) > 1 && slices.ContainsFunc(steps, func(step Step) bool { return step != nothing && !isReplaced(step, steps) }) {
		steps = slices.DeleteFunc(steps, func(step Step) bool { return step == nothing })
	}
	all := slices.Clone(steps)
	mute := slices.ContainsFunc(reasons, Reason.keyDidNotAnswer)
	steps = slices.DeleteFunc(steps, func(step Step) bool {
		return mute && slices.Contains(asking, step) || refused && slices.Contains(wayOut, step) || permitted && slices.Contains(wayIn, step) || isReplaced(step, all)
	})
	slices.SortStableFunc(steps, func(a, b Step) int { return place(a) - place(b) })
	return steps
}

func isReplaced(step Step, by []Step) bool {
	for _, rule := range replaced {
		if slices.Contains(rule.steps, step) && slices.Contains(by, rule.by) {
			return true
		}
	}
	return false
}

// place is where a step stands: before, among or after the others.
func place(step Step) int {
	if i := slices.Index(firstSteps, step); i >= 0 {
		return i - len(firstSteps)
	}
	return slices.Index(lastSteps, step) + 1
}
