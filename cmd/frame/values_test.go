package frame

import "testing"

// TestNamesOnTokensHaveAnyQuotes: the name of a token or a key is taken as it stands, since it may have been given such quotes.
func TestNamesOnTokensHaveAnyQuotes(t *testing.T) {
	for _, row := range []struct {
		flag, value string
		mistake     bool
	}{
		{"token", "«Firma»", false}, {"against", "“alice”", false}, {"key", "“alice”", false}, {"label", "«Firma»", false},
		{"out", "“a.pfx”", true}, {"dir", "«backups»", true}, {"pin-source", "“file:pin.txt”", true}, {"subject", "“CN=x”", true}, {"out", "it’s.pfx", false}, {"out", "", false},
	} {
		if err := misread(row.flag, row.value); (err != nil) != row.mistake {
			t.Errorf("--%s %s: %v", row.flag, row.value, err)
		}
	}
}
