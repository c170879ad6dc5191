//go:build wine

package softhsmtests

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWindowsFaultyModule has the cases of TestFaultyModule on Windows: testdata/faulty.c, built by mingw, stands before the client.
func TestWindowsFaultyModule(t *testing.T) {
	f := newWindowsFaulty(t)
	f.every = 60
	f.testAll(t)
}

// TestWindowsFaultyModuleLong tries one case in four.
func TestWindowsFaultyModuleLong(t *testing.T) {
	f := newWindowsFaulty(t)
	f.every, f.skip = 4, 1
	f.testAll(t)
}

func newWindowsFaulty(t *testing.T) *faulty {
	t.Helper()
	w, f := newWine(t), newFaulty(t)
	port, stop, err := w.serve(softHSM(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	f.program, f.module = filepath.Join(w.directory, "p11bridge"), w.faulty
	f.environment = append(w.environment(), "P11APART="+port, "P11FAULT_MODULE="+w.module)
	f.said = func(word string) string {
		return map[string]string{"SIGSEGV": "EXCEPTION_ACCESS_VIOLATION", "SIGABRT": "ended the program"}[word]
	}
	return f
}

// TestWindowsHostile has a module that lies (testdata/hostile.c) on Linux and on Windows, and the same come of it.
func TestWindowsHostile(t *testing.T) {
	w, p := newWine(t), newPlace(t, "token \"test\"\nlabel=\"alice\" id=01 key=p256 policy=wrappable certificate=valid imported\n"+
		"label=\"bob\" id=02 key=p256 policy=locked certificate=valid\n")
	port, stop, err := w.serve(softHSM(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	linux := hostileModule(t)
	for _, mode := range sampled(t, 12, hostileModes) {
		if strings.HasPrefix(mode, "close:") { // descriptors of Linux; a DLL closes those of its own C runtime, which are nobody's
			continue
		}
		t.Run(mode, func(t *testing.T) {
			stated := func(program, module, real string) (code int, document struct{ Code, Schema string }) {
				target := filepath.Join(t.TempDir(), "copy.pfx")
				command := exec.Command(program, "export", "alice", "-o", target, "--json", "--timeout", "2m", "--iterations", "1000",
					"--module", module, "--pin-source", p.pin, "--password-source", p.password)
				command.Env = append(append(os.Environ(), w.environment()...), p.environment...)
				command.Env = append(command.Env, "P11APART="+port, "P11HOSTILE="+mode, "P11HOSTILE_MODULE="+real)
				out, err := command.Output()
				if command.ProcessState == nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(out, &document); err != nil {
					t.Errorf("%v: %s", err, out)
				}
				if _, err := os.Stat(target); (err == nil) != (command.ProcessState.ExitCode() == 0) {
					t.Errorf("exit code %d, and the file: %v", command.ProcessState.ExitCode(), err)
				}
				return command.ProcessState.ExitCode(), document
			}
			code, document := stated(filepath.Join(w.directory, "p11bridge"), w.hostile, w.module)
			if wanted, want := stated("p11bridge", linux, softHSM(t)); code != wanted || document != want {
				t.Errorf("exit code %d, %v on Windows; exit code %d, %v on Linux", code, document, wanted, want)
			}
		})
	}
}

// TestWindowsHostileLong tells the other lies.
func TestWindowsHostileLong(t *testing.T) { TestWindowsHostile(t) }

// terminations are calls after which the process that works is ended (TerminateProcess), by the command that makes them.
var terminations = []struct{ command, after string }{
	{"export", "C_Login"}, {"export", "C_WrapKey"}, {"export", "C_DestroyObject"}, {"export", "C_CloseSession"}, {"export", "C_Finalize"},
	{"export --all", "C_WrapKey@2"}, {"export --all", "C_DestroyObject@2"}, {"export --all", "C_Finalize"},
	{"restore", "C_CreateObject"}, {"restore", "C_UnwrapKey"}, {"restore", "C_Sign"}, {"restore", "C_Finalize"},
	{"delete", "C_Sign"}, {"delete", "C_DestroyObject"},
	{"export --delete-key", "C_WrapKey"}, {"export --delete-key", "C_Sign"}, {"export --delete-key", "C_DestroyObject@1"}, {"export --delete-key", "C_DestroyObject@2"},
}

// TestWindowsTerminated ends the process in the middle: no half file is left, and no key is lost that has no valid copy.
func TestWindowsTerminated(t *testing.T) {
	w, original := newWine(t), newPlace(t, "token \"test\"\nlabel=\"dave\" id=01 key=p256 policy=wrappable certificate=valid imported\n"+
		"label=\"emil\" id=02 key=p256 policy=wrappable certificate=valid imported\n")
	for _, row := range sampled(t, 6, terminations) {
		t.Run(row.command+" "+row.after, func(t *testing.T) {
			p := original.copied(t)
			port, stop, err := w.serve(softHSM(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(stop)
			kept := filepath.Join(t.TempDir(), "kept.pfx")
			p.linux(t, 0, "export", "dave", "-o", kept, "--iterations", "1000")
			args := map[string][]string{
				"export":              {"export", "dave", "-o", "copy.pfx", "--iterations", "1000"},
				"export --all":        {"export", "--all", "--dir", "backups", "--iterations", "1000"},
				"export --delete-key": {"export", "dave", "-o", "copy.pfx", "--iterations", "1000", "--delete-key", "--yes", "--allow-volatile"},
				"restore":             {"restore", kept, "--token", "test"},
				"delete":              {"delete", "dave", "--copy", kept, "--allow-volatile", "--yes"},
			}[row.command]
			files := t.TempDir()
			if row.command == "restore" {
				p.linux(t, 0, "delete", "dave", "--yes")
			}
			environment := append([]string{"P11APART=" + port, "P11FAULT=kill-after:" + row.after, "P11FAULT_MODULE=" + w.module,
				"P11BRIDGE_PIN_SOURCE=" + p.pin, "P11BRIDGE_PASSWORD_SOURCE=" + p.password}, p.environment[:1]...)
			stdout, stderr, code := w.run(t, files, environment, append(args, "--module", w.faulty)...)
			if code != 1 && (code != 0 || row.after != "C_Finalize" && row.after != "C_CloseSession") || code == 1 && strings.Count(stderr, "p11bridge: ") != 1 {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			p.checkNothingLost(t, files, kept)
		})
	}
}

// TestWindowsTerminatedLong has the other rows.
func TestWindowsTerminatedLong(t *testing.T) { TestWindowsTerminated(t) }

// copied is a place with a copy of the token.
func (p *place) copied(t *testing.T) *place {
	t.Helper()
	other := *p
	other.directory = t.TempDir()
	if err := os.CopyFS(other.path("token"), os.DirFS(p.path("token"))); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(p.path("token/softhsm2.conf"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, other.path("token"), "softhsm2.conf", []byte(strings.ReplaceAll(string(text), p.directory, other.directory)))
	other.environment = []string{"SOFTHSM2_CONF=" + other.path("token/softhsm2.conf"), p.environment[1]}
	return &other
}

// linux runs the program of Linux on the same token.
func (p *place) linux(t *testing.T, want int, args ...string) string {
	t.Helper()
	command := exec.Command("p11bridge", args...)
	command.Dir = p.directory
	command.Env = append(append(os.Environ(), p.environment...), "P11BRIDGE_PIN_SOURCE="+p.pin, "P11BRIDGE_PASSWORD_SOURCE="+p.password)
	out, err := command.CombinedOutput()
	if command.ProcessState == nil || command.ProcessState.ExitCode() != want {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

// checkNothingLost wants every file to be whole, none unfinished, and dave's key on the token or in a valid copy.
func (p *place) checkNothingLost(t *testing.T, files, kept string) {
	t.Helper()
	copies := []string{kept}
	err := filepath.WalkDir(files, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil || entry.IsDir():
		case filepath.Ext(path) == ".pfx":
			copies = append(copies, path)
		case filepath.Ext(path) != ".json":
			t.Errorf("%s was left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range copies {
		p.linux(t, 0, "verify", file)
	}
	if emil := p.linux(t, 0, "list", "emil", "--json"); !strings.Contains(emil, `"exportable": true`) {
		t.Errorf("another key changed: %s", emil)
	}
}
