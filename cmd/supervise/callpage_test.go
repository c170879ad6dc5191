package supervise

import "testing"

// TestExitCode: a signal that ends a child after its last word takes nothing back of what it told.
func TestExitCode(t *testing.T) {
	for _, row := range []struct {
		name              string
		told              bool
		code, ended, want int
	}{
		{"it ended by itself", true, 5, 5, 5},
		{"a signal came after its last word", true, 5, -1, 5},
		{"a signal came, and it had told nothing", false, 0, -1, -1},
		{"it told nothing", false, 0, 2, 2},
	} {
		page := &Page{memory: make([]byte, pageSize)}
		if row.told {
			page.SetTold(row.code)
		}
		if code := page.exitCode(row.ended); code != row.want {
			t.Errorf("%s: %d instead of %d", row.name, code, row.want)
		}
	}
}
