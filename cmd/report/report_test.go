package report

import "testing"

func TestTokenOf(t *testing.T) {
	for _, row := range []struct{ uri, want string }{
		{"pkcs11:token=a;serial=1;object=b;type=private;id=%01", "pkcs11:token=a;serial=1"},
		{"pkcs11:object=b;token=a", "pkcs11:token=a"},
		{"pkcs11:token=a?module-path=/m.so", "pkcs11:token=a"},
		{"http://a", ""},
	} {
		if got := tokenOf(row.uri); got != row.want {
			t.Errorf("%s: %s, not %s", row.uri, got, row.want)
		}
	}
}

// TestHarmless: what a token calls itself is no formula in a spreadsheet.
func TestHarmless(t *testing.T) {
	for _, row := range []struct{ cell, want string }{
		{"alice", "alice"}, {"", ""}, {`=HYPERLINK("x")`, `'=HYPERLINK("x")`}, {"+1", "'+1"}, {"-1", "'-1"}, {"@a", "'@a"}, {"a=b", "a=b"}, {"\t=1", `\x09=1`},
	} {
		if got := harmless(row.cell); got != row.want {
			t.Errorf("%q: %q, not %q", row.cell, got, row.want)
		}
	}
}
