package verdict

import (
	"slices"

	"p11bridge/token"
)

// Tried is the verdict on a key that every way out was tried for, of which Judge said judged from what the token lists. It is what
// an export comes to: the first way that carried the key out, else the refusal with the answers. Where the token failed, so that
// its answers say nothing of the key, it is not known whether the key can leave; where the key cannot leave whatever is tried, the verdict is what it was.
func Tried(inventory *token.Inventory, key *token.Object, judged Verdict, attempts []token.Attempt) Verdict {
	if len(attempts) == 0 || judged.Final() && !judged.first(WrapRefused) {
		return judged
	}
	if judged.Exportable && judged.Method != MethodShroud { // an export would not try it
		attempts = slices.DeleteFunc(slices.Clone(attempts), func(a token.Attempt) bool { return a.Mechanism == token.CKMAESCBCPad })
	}
	if len(attempts) == 0 { // nothing that an export would do
		return judged
	}
	method, mechanism, aboutKey := carriedBy(attempts)
	withheld := slices.ContainsFunc(attempts, token.Attempt.OfParts)
	sensitive, extractable := attributeFact(key, token.CKASensitive), attributeFact(key, token.CKAExtractable)
	switch {
	case method == "" && key.Attributes.Bool(token.CKASensitive) == token.False && !withheld:
		return judged.permit(MethodAttributes, "", Because(ExportableByAttributes, sensitive, extractable))
	case method != "" && judged.Final(): // an export does not try what the make is known to refuse
		return judged
	case method != "":
		code := map[Method]Code{MethodShroud: ExportableByShroud, MethodWrap: ExportableByWrap}[method]
		return judged.permit(method, mechanism.String(), Because(code, sensitive, extractable, Fact{"mechanism", mechanism.String()}))
	}
	answers := make([]string, 0, len(attempts))
	for _, attempt := range attempts {
		answers = append(answers, attempt.String())
	}
	code := NoWrappingMechanism
	switch failed := (&token.WrapError{Attempts: attempts}).Fault() != nil; {
	case failed && !aboutKey && !withheld && judged.Exportable:
		return judged.Refuse(Because(WrapFailed, Fact{"answers", answers}))
	case failed && !aboutKey && !withheld:
		return judged
	case aboutKey || withheld || judged.first(WrapRefused):
		code = WrapRefused
	}
	refused := judged.Refuse(Because(code, Fact{"answers", answers}))
	if !refused.Has(TokenFamilyBackup) && !refused.Has(TokenFamilyNoBackup) {
		refused.addFamily(inventory)
	}
	return refused
}

// carriedBy finds the way that an export takes: shrouding, else the first mechanism that wraps. An answer that refuses the key
// itself ends the search. aboutKey tells that there was one.
func carriedBy(attempts []token.Attempt) (method Method, mechanism token.CKM, aboutKey bool) {
	for _, attempt := range attempts {
		shroud := attempt.Mechanism == token.CKMAESCBCPad
		switch {
		case attempt.RefusesKey():
			aboutKey = true
			if !shroud { // the others are not tried either
				return "", 0, true
			}
		case attempt.Code == token.CKROK && attempt.Problem == "" && shroud:
			return MethodShroud, attempt.Mechanism, false
		case attempt.Code == token.CKROK && attempt.Problem == "":
			return MethodWrap, attempt.Mechanism, false
		}
	}
	return "", 0, aboutKey
}

// permit is the verdict with a way out in the place of whatever stood against it.
func (v Verdict) permit(method Method, mechanism string, reason Reason) Verdict {
	permitted := Verdict{Exportable: true, Method: method, Mechanism: mechanism, Reasons: []Reason{reason}}
	for _, r := range v.Reasons {
		if entry, known := Lookup(r.Code); known && entry.Kind == Notices {
			permitted.Reasons = append(permitted.Reasons, r)
		}
	}
	return permitted
}
