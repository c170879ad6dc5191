package dist

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// block is the shell code that stands below a mark in a document.
func block(t *testing.T, document, mark string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)<!-- run: " + mark + " -->\n```[a-z]*\n(.*?)\n```").FindStringSubmatch(read(t, repository+"/docs/"+document))
	if found == nil {
		t.Fatalf("%s has no block %s", document, mark)
	}
	return found[1]
}

// TestDocumentsRun carries out what the documents tell people to type: before the backup, for the backup, and after it.
func TestDocumentsRun(t *testing.T) {
	d := newDemo(t)
	nagios, backup := block(t, "watching.md", "nagios"), block(t, "runbook.md", "backup")
	for _, step := range []struct {
		name, script string
		code         int
		says         string
	}{
		{"no directory", nagios, 3, "nowhere"},
		{"before the backup", nagios, 1, `^Something needs a backup\. .*\n$`},
		{"the backup", backup, 5, "key alone"},
		{"after the backup", nagios, 1, `^Something needs a backup\. .*\n$`},
		{"a wrong PIN", "P11BRIDGE_PIN_SOURCE=file:wrong.txt\n" + nagios, 2, `.`},
	} {
		directory := d.directory
		if step.name == "no directory" {
			directory += "/nowhere"
		}
		command := exec.Command("bash", "-c", "umask 077; echo Hexenmeister-9999 > wrong.txt\n"+step.script)
		command.Dir = d.directory
		command.Env = append(d.environment, "DIR="+directory, "PATH="+filepath.Dir(binary(t))+":/usr/bin:/bin")
		said, err := command.CombinedOutput()
		if code := command.ProcessState.ExitCode(); code != step.code || !regexp.MustCompile(step.says).Match(said) {
			t.Errorf("%s: exit code %d and not %d, %v\n%s", step.name, code, step.code, err, said)
		}
	}
}
