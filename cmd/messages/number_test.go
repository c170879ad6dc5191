package messages_test

import (
	"testing"

	"p11bridge/cmd/messages"
)

// TestNumbers writes numbers for people in every language: digits in groups where there are five or more, and none in a year.
func TestNumbers(t *testing.T) {
	for language, want := range map[string][]string{
		"en": {"0", "2030", "9999", "10,000", "600,000", "1,234,567", "-12345"}, "es": {"0", "2030", "9999", "10.000", "600.000", "1.234.567", "-12345"},
		"ca": {"0", "2030", "9999", "10.000", "600.000", "1.234.567", "-12345"},
		"fr": {"0", "2030", "9999", "10\u202f000", "600\u202f000", "1\u202f234\u202f567", "-12345"},
	} {
		catalog, err := messages.Load(language)
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range []int{0, 2030, 9999, 10000, 600000, 1234567, -12345} {
			if got := catalog.Number(n); got != want[i] {
				t.Errorf("%s: %q instead of %q", language, got, want[i])
			}
			if got := catalog.Text("label.because", messages.Args{"State": messages.Number(n), "Reason": messages.Own("x")}); got[:len(want[i])] != want[i] {
				t.Errorf("%s: in a text, %q", language, got)
			}
		}
	}
}
