package dist

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// step is a step of a workflow or of a composite action.
type step struct {
	Uses, Name, Run, Shell string
	Env                    map[string]string
}

func parse(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, repository+"/"+path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// runner does what a runner does with the steps: each is a script of its own, and files carry variables to the next.
type runner struct {
	t           *testing.T
	directory   string
	environment []string
}

func newRunner(t *testing.T) *runner {
	directory := t.TempDir()
	for _, name := range []string{"env", "path", "output"} {
		if err := os.WriteFile(filepath.Join(directory, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	action, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	return &runner{t, directory, []string{
		"GITHUB_ACTION_PATH=" + action, "GITHUB_ENV=" + directory + "/env", "GITHUB_PATH=" + directory + "/path", "GITHUB_OUTPUT=" + directory + "/output",
		"RUNNER_TEMP=" + directory + "/temporary", "HOME=" + directory, "PATH=" + os.Getenv("PATH"), "GOFLAGS=-buildvcs=false",
		"GOCACHE=" + strings.TrimSpace(output(t, "go", "env", "GOCACHE")), "GOMODCACHE=" + strings.TrimSpace(output(t, "go", "env", "GOMODCACHE")),
	}}
}

// run carries out one step as GitHub's runner does: bash --noprofile --norc -eo pipefail.
func (r *runner) run(s step, inputs map[string]string) string {
	r.t.Helper()
	command := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", s.Run)
	command.Dir, command.Env = r.directory, append([]string{}, r.environment...)
	for name, value := range s.Env {
		for input, given := range inputs {
			value = strings.ReplaceAll(value, "${{ inputs."+input+" }}", given)
		}
		command.Env = append(command.Env, name+"="+value)
	}
	for _, line := range strings.Fields(read(r.t, r.directory+"/env")) {
		command.Env = append(command.Env, line)
	}
	paths := strings.Fields(read(r.t, r.directory+"/path"))
	command.Env = append(command.Env, "PATH="+strings.Join(append(paths, os.Getenv("PATH")), ":"))
	said, err := command.CombinedOutput()
	if err != nil || strings.Contains(s.Run, "${{") {
		r.t.Fatalf("%s: %v\n%s\n%s", s.Name, err, s.Run, said)
	}
	return string(said)
}

// TestActionGivesAToken carries out the steps of action.yml, and then those of the workflow that shows its use.
func TestActionGivesAToken(t *testing.T) {
	var action struct {
		Inputs map[string]struct{ Default string }
		Runs   struct {
			Using string
			Steps []step
		}
	}
	parse(t, "action.yml", &action)
	var workflow struct {
		Jobs map[string]struct{ Steps []step }
	}
	parse(t, "docs/pipelines/github.yml", &workflow)
	if action.Runs.Using != "composite" || len(action.Runs.Steps) != 3 || len(workflow.Jobs["test"].Steps) != 4 {
		t.Fatalf("%+v\n%+v", action, workflow)
	}
	inputs := map[string]string{}
	for name, input := range action.Inputs {
		inputs[name] = input.Default
	}
	r, said, ran := newRunner(t), "", 0
	for _, steps := range [][]step{action.Runs.Steps, workflow.Jobs["test"].Steps} {
		for _, s := range steps {
			if s.Run != "" {
				said += r.run(s, inputs)
				ran++
			}
		}
	}
	if ran != 4 || !strings.Contains(said, "alice") {
		t.Errorf("%d steps:\n%s", ran, said)
	}
	if files, err := filepath.Glob(r.directory + "/backups/*.pfx"); err != nil || len(files) < 10 {
		t.Errorf("%q, %v", files, err)
	}
	document := read(t, r.directory+"/output")
	if directory := strings.TrimSpace(strings.TrimPrefix(document, "directory=")); read(t, directory+"/pin.txt") == "" {
		t.Errorf("the output is %q", document)
	}
}

// TestGitLabTemplateGivesAToken joins before_script and script to one script, as GitLab does.
func TestGitLabTemplateGivesAToken(t *testing.T) {
	type job struct {
		Extends string
		Before  []string `yaml:"before_script"`
		Script  []string
	}
	var jobs map[string]job
	parse(t, "docs/pipelines/gitlab.yml", &jobs)
	test := jobs["token-test"]
	hidden, there := jobs[test.Extends]
	if !there || len(hidden.Before) != 2 || len(test.Script) != 3 {
		t.Fatalf("%+v", jobs)
	}
	directory := t.TempDir()
	script := "set -eo pipefail\n" + strings.Join(append(hidden.Before, test.Script...), "\n")
	command := exec.Command("bash", "-c", script)
	command.Dir = directory
	command.Env = []string{"HOME=" + directory, "CI_PROJECT_DIR=" + directory, "PATH=" + filepath.Dir(binary(t)) + ":/usr/bin:/bin"}
	if said, err := command.CombinedOutput(); err != nil || !strings.Contains(string(said), "alice.pfx") {
		t.Errorf("%v\n%s", err, said)
	}
}
