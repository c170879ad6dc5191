package verdict

import (
	"slices"
	"testing"
)

// TestSteps has steps of one reason that another reason, or what was seen of the key, rules out.
func TestSteps(t *testing.T) {
	steps := map[Code][]Step{
		NoWrappingMechanism: {"try-vendor-library", "check-original", "request-when-lost"}, TokenFamilyNoBackup: {"keep-token", "learn-request"},
		KeyLinkedByID: {"verify-link"},
	}
	for _, row := range []struct {
		name    string
		reasons []Reason
		want    []Step
	}{
		{"a way out that a proxy may hide", []Reason{Because(NoWrappingMechanism)}, []Step{"try-vendor-library", "check-original", "request-when-lost"}},
		{"a make that has no way out", []Reason{Because(NoWrappingMechanism), Because(TokenFamilyNoBackup)}, []Step{"check-original", "keep-token", "request-when-lost"}},
		{"a key that can be asked", []Reason{Because(NoWrappingMechanism), Because(KeyLinkedByID)}, []Step{"try-vendor-library", "verify-link", "check-original", "request-when-lost"}},
		{"a key that could not answer", []Reason{Because(NoWrappingMechanism), Because(KeyLinkedByID, Fact{"answer", "C_SignInit: CKR_HOST_MEMORY"})}, []Step{"try-vendor-library", "request-when-lost"}},
	} {
		if got := Steps(row.reasons, func(r Reason) []Step { return steps[r.Code] }); !slices.Equal(got, row.want) {
			t.Errorf("%s: %q", row.name, got)
		}
	}
}
