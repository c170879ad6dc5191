package view

import (
	"strings"
	"testing"
)

// TestSteps cuts a remedy into steps, and loses nothing.
func TestSteps(t *testing.T) {
	for _, row := range []struct {
		remedy string
		want   []string
	}{
		{"", nil}, {"Do this.", []string{"Do this."}}, {"Do this. Then that.", []string{"Do this.", "Then that."}},
		{"One.\nTwo. Three.", []string{"One.", "Two.", "Three."}}, {"Run `a.b c`.", []string{"Run `a.b c`."}},
	} {
		got := steps(row.remedy)
		if strings.Join(got, "|") != strings.Join(row.want, "|") {
			t.Errorf("%q becomes %q", row.remedy, got)
		}
	}
}
