package verdict

import (
	"slices"
	"testing"
)

// TestCauses puts what keeps from a token into order, and leaves out what only comes of it.
func TestCauses(t *testing.T) {
	for _, row := range []struct{ given, want []Code }{
		{nil, nil},
		{[]Code{TokenAbsent}, []Code{TokenAbsent}},
		{[]Code{TokenAbsent, PCSCDNotRunning, TokenAbsent}, []Code{PCSCDNotRunning}},
		{[]Code{ModuleInitializeFailed, SoftHSMConfiguration}, []Code{SoftHSMConfiguration}},
		{[]Code{SoftHSMEmpty, SoftHSMConfiguration}, []Code{SoftHSMConfiguration}},
		{[]Code{ModuleInitializeFailed, TokenAbsent}, []Code{ModuleInitializeFailed}},
		{[]Code{NoReader, TokenNotInitialised}, []Code{TokenNotInitialised}},
		{[]Code{NoReader, TokenAbsent}, []Code{NoReader}},
		{[]Code{PINLocked, ModuleMissing, TokenAbsent}, []Code{ModuleMissing, PINLocked}},
		{[]Code{ModulePrinted, KeysHiddenUntilLogin}, nil},
		{[]Code{PCSCDNotRunning, SoftHSMConfiguration}, []Code{SoftHSMConfiguration, PCSCDNotRunning}},
	} {
		var reasons []Reason
		for _, code := range row.given {
			reasons = append(reasons, Reason{Code: code})
		}
		var got []Code
		for _, reason := range Causes(reasons) {
			got = append(got, reason.Code)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%v: %v instead of %v", row.given, got, row.want)
		}
	}
}
