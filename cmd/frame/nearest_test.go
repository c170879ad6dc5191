package frame

import (
	"slices"
	"strings"
	"testing"
)

// TestNearest offers what a slip of the keyboard leads away from, and nothing that is merely as short.
func TestNearest(t *testing.T) {
	commands := []string{"list", "diagnose", "export", "verify", "restore", "delete", "status", "doctor", "request", "install"}
	for _, row := range []struct{ typed, want string }{
		{"lst", "list"}, {"exprot", "export"}, {"EXPORT", "export"}, {"dia", "diagnose"}, {"verfiy", "verify"}, {"re", "restore request"},
		{"statsu", "status"}, {"x", ""}, {"lips", ""}, {"banana", ""}, {"", ""}, {strings.Repeat("e", 500), ""},
	} {
		if got := strings.Join(nearest(row.typed, commands), " "); got != row.want {
			t.Errorf("%q: %q, not %q", row.typed, got, row.want)
		}
	}
	if got := nearest("alcie", []string{"bob", "alice", "Alice", "alice"}); !slices.Equal(got, []string{"alice", "Alice"}) {
		t.Errorf("%q", got)
	}
}

// TestSlips counts what is left out, added, exchanged and turned round, whichever word comes first.
func TestSlips(t *testing.T) {
	for _, row := range []struct {
		one, other string
		want       int
	}{{"", "", 0}, {"a", "", 1}, {"alice", "alcie", 1}, {"alice", "alise", 1}, {"alice", "alicee", 1}, {"kitten", "sitting", 3}, {"ñandú", "nandu", 2}} {
		if got, back := slips(row.one, row.other), slips(row.other, row.one); got != row.want || back != row.want {
			t.Errorf("%s, %s: %d and %d, not %d", row.one, row.other, got, back, row.want)
		}
	}
}
