//go:build wine

package softhsmtests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"p11bridge/cmd/messages"
)

// sameEverywhere are commands that read a token and files, and change neither, with the exit code of each.
var sameEverywhere = []struct {
	code int
	args string
}{
	{0, "list"}, {0, "list --wide"}, {0, "list --json"}, {0, "list --by purpose --no-login"}, {1, "list nobody"}, {1, "list --token nobody"},
	{0, "diagnose --json"}, {0, "diagnose bob --verbose"}, {0, "diagnose --from linux.json"}, {0, "diagnose alice --from linux.json --json"},
	{0, "explain key-not-extractable"}, {0, "explain key-not-extractable --json"}, {2, "explain nothing"},
	{0, "export dave -o new.pfx --dry-run"}, {3, "export bob -o bob.pfx"}, {3, "export bob -o bob.pfx --json"}, {2, "export dave"}, {1, "export dave -o dave.pfx"},
	{5, "export --all --dir backups --dry-run --json"}, {0, "verify dave.pfx"}, {0, "verify dave.pfx --json"}, {0, "verify dave.pfx --against dave"},
	{6, "verify cut.pfx"}, {6, "verify dave.pfx --password-source env:WRONG --json"}, {0, "verify --dir backups --quiet"},
	{5, "status --dir backups"}, {5, "status --dir backups --json"}, {5, "report linux.json"}, {5, "report linux.json --json"},
	{1, "restore dave.pfx --dry-run --exportable"}, {0, "request bob --dry-run"}, {0, "install dave.pem --dry-run"}, {0, "delete dave --copy dave.pfx --dry-run"},
	{4, "list --require-login --pin-source env:NOT_THERE"}, {2, "list --pin-source 123456"}, {2, "frobnicate"},
}

// TestWindowsSaysTheSame has each command do its work on Linux and on Windows, on one token and in each language: the exit code, the
// documents and the texts are the same, but for paths and quotation marks, which are the system's own.
func TestWindowsSaysTheSame(t *testing.T) {
	w := newWine(t)
	directory := everythingOnDisk(t)
	module, configuration := softHSM(t), filepath.Join(directory, "token", "softhsm2.conf")
	port, stop, err := w.serve(module, "SOFTHSM2_CONF="+configuration)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	environment := append(w.environment(), "P11APART="+port, "P11BRIDGE_MODULE="+module, "SOFTHSM2_CONF="+configuration, "WRONG=Hexenmeister",
		"P11BRIDGE_PIN_SOURCE=file:token/pin.txt", "P11BRIDGE_PASSWORD_SOURCE=file:password.txt")
	run := func(program string, args ...string) (said string, code int) {
		command := exec.Command(program, args...)
		command.Dir, command.Env = directory, append(os.Environ(), environment...)
		out, err := command.CombinedOutput()
		if command.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), command.ProcessState.ExitCode()
	}
	for made, want := range map[string]int{
		"export dave -o dave.pfx --iterations 1000": 0, "export dave -o dave.pem --certificate-only --format pem": 0, "snapshot -o linux.json": 0,
		"export --all --dir backups --iterations 1": 5,
	} {
		if said, code := run("p11bridge", strings.Fields(made)...); code != want {
			t.Fatalf("%s: exit code %d\n%s", made, code, said)
		}
	}
	whole, err := os.ReadFile(filepath.Join(directory, "dave.pfx"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, directory, "cut.pfx", whole[:len(whole)/2])
	type row struct {
		code           int
		args, language string
	}
	var rows []row
	for _, command := range sameEverywhere {
		for _, language := range messages.Languages() {
			rows = append(rows, row{command.code, command.args, language})
		}
	}
	for _, row := range sampled(t, 13, rows) {
		t.Run(row.language+" "+row.args, func(t *testing.T) {
			args := append(strings.Fields(row.args), "--lang", row.language)
			linux, code := run("p11bridge", args...)
			windows, onWindows := run(filepath.Join(w.directory, "p11bridge"), args...)
			if code != row.code || onWindows != code {
				t.Errorf("exit code %d on Linux, %d on Windows, instead of %d", code, onWindows, row.code)
			}
			if linux, windows := w.systemless(linux, module), w.systemless(windows, module); linux != windows {
				t.Errorf("on Linux:\n%s\non Windows:\n%s", linux, windows)
			}
		})
	}
}

// everythingOnDisk is a directory with the token of everything, and with the password of the files that are to be made.
func everythingOnDisk(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp(disk, "p11bridge-same-") // on Linux, a RAM disk is told
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	if err := runMktoken("everything", filepath.Join(directory, "token")); err != nil {
		t.Fatal(err)
	}
	write(t, directory, "password.txt", []byte(testPassword+"\n"))
	return directory
}

// TestWindowsSaysTheSameLong has the other commands and languages.
func TestWindowsSaysTheSameLong(t *testing.T) { TestWindowsSaysTheSame(t) }

// systemless is a text without what is the system's own, and without the time: where lines are broken, paths, the module and quotation marks; and
// without what wine says by itself, of a process that is ending already.
func (w *wine) systemless(text, module string) string {
	text = regexp.MustCompile(`(?m)^wine client error:.*$`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`\\+`).ReplaceAllString(text, "/")
	text = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllString(text, "TIME")
	text = strings.NewReplacer(w.module, module, "Z:/", "/", "'", `"`).Replace(text)
	return strings.Join(strings.Fields(text), " ")
}
