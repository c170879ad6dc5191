package cmd

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDutiesDoNotCompileWhenForgotten: a command that keeps the three duties builds, and one that forgets a duty does not.
func TestDutiesDoNotCompileWhenForgotten(t *testing.T) {
	for _, row := range []struct{ command, says string }{
		{"whole", ""},
		{"rawlabel", "string does not implement messages.Value"},
		{"nosupervisor", "a.Token undefined"},
		{"untold", "as frame.Work value"},
	} {
		output, err := exec.Command("go", "build", "-o", "/dev/null", "./testdata/"+row.command).CombinedOutput()
		text := strings.Join(strings.Fields(string(output)), " ")
		if (err == nil) != (row.says == "") || !strings.Contains(text, row.says) {
			t.Errorf("%s: %v, %s", row.command, err, text)
		}
	}
}
