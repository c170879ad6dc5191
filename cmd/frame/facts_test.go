package frame_test

import (
	"strings"
	"testing"

	"p11bridge/bridge/verdict"
)

// TestFactsAreReadable has a number of many digits in what was seen: its separator is written, and not escaped.
func TestFactsAreReadable(t *testing.T) {
	want := map[string]string{"en": "100,000", "es": "100.000", "ca": "100.000", "fr": "100\u202f000"}
	for _, a := range appsOf(t) {
		text := a.ReasonsText(verdict.Because(verdict.WeakProtection, verdict.Fact{Name: "iterations", Value: 100000}))
		if !strings.Contains(text, want[a.Catalog.Language]) {
			t.Errorf("%s: %s", a.Catalog.Language, text)
		}
	}
}
