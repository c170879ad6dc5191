package verdict

import (
	"cmp"
	"slices"
)

// likelihood has the reasons for which no token is seen: what stands further up is nearer to the cause. A reason that is not
// in it comes before the last row.
var likelihood = [][]Code{
	{SoftHSMConfiguration},
	{PCSCDNotRunning},
	{ModuleMissing, ModuleNotReadable, ModuleNotALibrary, ModuleWrongArchitecture, ModuleDependencyMissing, ModuleNotPKCS11, ModuleFunctionListFailed},
	{ModuleCrashed, ModuleExited, ModuleHung, ModuleInitializeFailed, ModuleFailed},
	{NoModuleFound},
	{TokenNotInitialised},
	{SoftHSMEmpty},
	{},
	{NoReader},
	{TokenAbsent},
}

// Causes puts the reasons for which no token can be used into the order of their likelihood, each code once. What only comes
// of another is left out: a module that cannot start for want of its configuration, an empty place beside tokens that may not be read, and the absence of a token where something
// nearer to the cause is known. Notices are no causes.
func Causes(reasons []Reason) []Reason {
	var causes []Reason
	known := map[Code]bool{}
	for _, reason := range reasons {
		if entry, is := Lookup(reason.Code); is && entry.Kind == Blocks && !known[reason.Code] {
			known[reason.Code] = true
			causes = append(causes, reason)
		}
	}
	slices.SortStableFunc(causes, func(x, y Reason) int { return cmp.Compare(rank(x.Code), rank(y.Code)) })
	return slices.DeleteFunc(causes, func(reason Reason) bool {
		switch reason.Code {
		case ModuleInitializeFailed, ModuleFailed, SoftHSMEmpty:
			return known[SoftHSMConfiguration]
		case TokenAbsent, NoReader:
			return reason.Code != causes[0].Code
		}
		return false
	})
}

// rank is the row of likelihood that has the code.
func rank(code Code) int {
	others := 0
	for i, row := range likelihood {
		if slices.Contains(row, code) {
			return i
		}
		if len(row) == 0 {
			others = i
		}
	}
	return others
}

// All lists what is said of a module and of its slots.
func (v ModuleVerdict) All() []Reason {
	all := slices.Clone(v.Reasons)
	for _, slot := range v.Slots {
		all = append(all, slot.Reasons...)
	}
	return all
}
