package dist

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// mostExposure is the worst mark that `systemd-analyze security` may give a service; 0 is the best, 10 the worst.
const mostExposure = 1.0

// TestUnits: systemd understands every unit, and finds that the services may do little.
func TestUnits(t *testing.T) {
	directory := t.TempDir()
	units, err := filepath.Glob(repository + "/packaging/systemd/p11bridge-*")
	if err != nil || len(units) != 6 {
		t.Fatalf("%q, %v", units, err)
	}
	for _, unit := range units { // the program is where the package puts it, and not on this machine
		text := strings.ReplaceAll(read(t, unit), "/usr/bin/p11bridge", binary(t))
		if err := os.WriteFile(filepath.Join(directory, filepath.Base(unit)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	units, err = filepath.Glob(directory + "/*")
	if err != nil {
		t.Fatal(err)
	}
	verify := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, units...)...)
	verify.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+directory+":")
	if said, err := verify.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, said)
	}
	level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)
	for _, name := range []string{"status", "backup", "drill"} {
		found := level.FindStringSubmatch(output(t, "systemd-analyze", "security", "--offline=true", "--no-pager", directory+"/p11bridge-"+name+".service"))
		if found == nil {
			t.Fatalf("%s: no mark", name)
		}
		if mark, err := strconv.ParseFloat(found[1], 64); err != nil || mark > mostExposure {
			t.Errorf("%s: exposure %s", name, found[1])
		}
	}
}

// TestUnitsRun carries out what the services carry out, with the credentials where systemd puts them.
func TestUnitsRun(t *testing.T) {
	d := newDemo(t)
	for _, unit := range []struct {
		name string
		code int // of the demo's token: one key has no certificate, and cannot be backed up before it has one
	}{{"backup", 5}, {"drill", 0}, {"status", 5}} {
		text := read(t, repository+"/packaging/systemd/p11bridge-"+unit.name+".service")
		start := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/p11bridge (.*)$`).FindStringSubmatch(text)
		if start == nil {
			t.Fatalf("%s starts nothing", unit.name)
		}
		if !strings.Contains(text, "User=p11bridge") {
			t.Errorf("%s runs as root", unit.name)
		}
		words := strings.Fields(strings.NewReplacer("/var/lib/p11bridge", d.directory, "/var/cache/p11bridge", d.directory).Replace(start[1]))
		environment := []string{"CREDENTIALS_DIRECTORY=" + d.credentials}
		for _, line := range regexp.MustCompile(`(?m)^Environment=(.*)$`).FindAllStringSubmatch(text, -1) {
			environment = append(environment, strings.Fields(line[1])...)
		}
		for _, credential := range regexp.MustCompile(`(?m)^LoadCredential=(\w+):/etc/p11bridge/(\w+)$`).FindAllStringSubmatch(text, -1) {
			if credential[1] != credential[2] {
				t.Errorf("%s: %q", unit.name, credential)
			}
		}
		command := exec.Command(binary(t), words...)
		command.Env = append(d.without("P11BRIDGE_PIN_SOURCE", "P11BRIDGE_PASSWORD_SOURCE"), environment...)
		said, err := command.CombinedOutput()
		if code := command.ProcessState.ExitCode(); code != unit.code {
			t.Fatalf("%s: exit code %d, %v\n%s", unit.name, code, err, said)
		}
	}
	metrics := read(t, filepath.Join(d.directory, "p11bridge.prom"))
	if !strings.Contains(metrics, `p11bridge_keys{state="never-made"} 1`) {
		t.Errorf("the metrics are:\n%s", metrics)
	}
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(metrics)
	if said, err := check.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, said)
	}
	for _, secret := range []string{"pin", "password"} {
		if strings.Contains(metrics, strings.TrimSpace(read(t, filepath.Join(d.credentials, secret)))) {
			t.Errorf("the metrics hold the %s", secret)
		}
	}
	rules := read(t, repository+"/packaging/prometheus/p11bridge.rules.yml")
	names := regexp.MustCompile(`p11bridge_[a-z_]+`).FindAllString(rules, -1)
	if len(names) < 6 {
		t.Fatalf("only %q", names)
	}
	for _, name := range names {
		if !strings.Contains(metrics, "\n# TYPE "+name+" gauge\n") {
			t.Errorf("the alerts ask for %s, which is not written", name)
		}
		if !strings.Contains(read(t, repository+"/docs/watching.md"), "`"+name) {
			t.Errorf("docs/watching.md does not know %s", name)
		}
	}
}

// TestAlertRules: promtool understands the rules, and they say of made-up states what they are to say.
func TestAlertRules(t *testing.T) {
	output(t, "promtool", "check", "rules", repository+"/packaging/prometheus/p11bridge.rules.yml")
	output(t, "promtool", "test", "rules", repository+"/packaging/prometheus/p11bridge.rules.test.yml")
}

// demo is a throw-away token in an environment of its own.
type demo struct {
	directory, credentials string
	environment            []string
}

func newDemo(t *testing.T) demo {
	t.Helper()
	d := demo{directory: t.TempDir(), credentials: t.TempDir()}
	kept := output(t, binary(t), "demo", "--dir", d.directory+"/token", "--keep")
	environment := output(t, "env", "-i", "PATH="+os.Getenv("PATH"), "HOME="+d.directory, "sh", "-c", kept+"\nenv")
	d.environment = strings.Split(strings.TrimSpace(environment), "\n")
	for name, from := range map[string]string{"pin": "pin.txt", "password": "password.txt"} {
		if err := os.WriteFile(filepath.Join(d.credentials, name), []byte(read(t, d.directory+"/token/"+from)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// without is the demo's environment without some variables.
func (d demo) without(names ...string) []string {
	var rest []string
	for _, assignment := range d.environment {
		name, _, _ := strings.Cut(assignment, "=")
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" ") {
			rest = append(rest, assignment)
		}
	}
	return rest
}
