// Package softhsmtests runs the p11bridge that a person runs, with the arguments that a person types, on real SoftHSM2
// tokens. Every script of testdata has a directory, a token and a configuration of its own.
package softhsmtests

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"p11bridge/bridge/demo"
)

func TestMain(m *testing.M) {
	unix.Umask(0o022) // whoever runs the tests may have another one, by which others could not run what some tests write for them
	for name, value := range map[string]string{
		"PAGER":             "cat",                                      // a test that wants one says so
		"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", // keytool does little, and starts with half the work
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	leaveTerminal()
	testscript.Main(withProduct{m}, map[string]func(){
		"mktoken":  func() { os.Exit(makeToken()) },
		"holdlock": func() { os.Exit(holdLock()) },
	})
}

// forgetVariables takes the person's own P11BRIDGE_… away, as they are after the README's pipeline: every test names its token, module and sources itself.
func forgetVariables() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "P11BRIDGE_") {
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
}

// withProduct runs the tests with p11bridge in the path: as it is shipped, because the tests start it thousands of times and
// the test binary takes twice as long to start.
type withProduct struct{ *testing.M }

// Run implements testscript.TestingM.
func (m withProduct) Run() int {
	if os.Getenv(namespaced) != "" { // the path is that of the tests that started this one
		return inMemory(m).Run()
	}
	forgetVariables()
	directory, err := os.MkdirTemp("", "p11bridge-product-")
	if err != nil {
		panic(err)
	}
	defer func() {
		if err := os.RemoveAll(directory); err != nil {
			fmt.Fprintln(os.Stderr, "remove the program:", err)
		}
	}()
	build := exec.Command("go", "build", "-ldflags=-s", "-o", filepath.Join(directory, "p11bridge"), "../cmd/p11bridge")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("PATH", directory+string(filepath.ListSeparator)+os.Getenv("PATH")); err != nil {
		panic(err)
	}
	return inMemory(m).Run()
}

// inMemory runs the tests with their temporary files in memory. SoftHSM2 keeps every object in a file and waits for the
// disk at each, which makes tokens of many keys slow, and says nothing of p11bridge.
type inMemory struct{ *testing.M }

// disk is where temporary files are otherwise, for the test that wants a real medium.
var disk = os.TempDir()

// Run implements testscript.TestingM. The person who runs the tests has no part in them: their home is an empty directory.
func (m inMemory) Run() int {
	home, err := emptyHome()
	if err != nil {
		panic(err)
	}
	defer func() {
		if err := os.RemoveAll(home); err != nil {
			fmt.Fprintln(os.Stderr, "remove the empty home:", err)
		}
	}()
	return m.runInMemory()
}

// emptyHome makes HOME an empty directory, so that no profile of a browser and no configuration there is found. Go's own
// directories stay where they are.
func emptyHome() (string, error) {
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOENV"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			continue // a test that needs the go command says so
		}
		if err := os.Setenv(name, strings.TrimSpace(string(value))); err != nil {
			return "", err
		}
	}
	home, err := os.MkdirTemp("", "p11bridge-home-")
	if err != nil {
		return "", err
	}
	return home, os.Setenv("HOME", home)
}

func (m inMemory) runInMemory() int {
	const memory, enough = "/dev/shm", 512 << 20
	place := memory
	var system unix.Statfs_t
	if err := unix.Statfs(memory, &system); err != nil || system.Bavail*uint64(system.Bsize) < enough || system.Flags&unix.ST_NOEXEC != 0 {
		place = disk // modules are built and loaded there, too
	}
	directory, err := os.MkdirTemp(place, "p11bridge-tests-")
	if err != nil {
		panic(err)
	}
	defer func() {
		if err := os.RemoveAll(directory); err != nil {
			fmt.Fprintln(os.Stderr, "remove the temporary files:", err)
		}
	}()
	if err := errors.Join(os.Chmod(directory, 0o755), os.Setenv("TMPDIR", directory)); err != nil {
		panic(err)
	}
	defer func() {
		for _, end := range atEnd {
			if err := end(); err != nil {
				fmt.Fprintln(os.Stderr, "after the last test:", err)
			}
		}
	}()
	return m.M.Run()
}

// atEnd is done once, after the last test: what several tests use ends then.
var atEnd []func() error

// leaveTerminal lets go of the terminal that the tests were started on, if any: a script that has no terminal of its own
// must not be asked anything on the developer's. Only the test process does it, which leads no session of its own; mktoken
// keeps the terminal that a test gave it.
func leaveTerminal() {
	if name := filepath.Base(os.Args[0]); name == "mktoken" || name == "holdlock" {
		return
	}
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer terminal.Close()
	if err := unix.IoctlSetInt(int(terminal.Fd()), unix.TIOCNOTTY, 0); err != nil {
		panic("cannot leave the terminal: " + err.Error())
	}
}

const scripts = "testdata"

// TestScripts runs the scripts, but for those whose name ends in _long.
func TestScripts(t *testing.T) { runScripts(t, false) }

// TestScriptsLong runs the scripts that take longer, whose name ends in _long.
func TestScriptsLong(t *testing.T) { runScripts(t, true) }

// scriptFiles are the scripts of the one sort or the other.
func scriptFiles(t *testing.T, long bool) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(scripts, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	chosen := slices.DeleteFunc(all, func(name string) bool { return strings.HasSuffix(name, "_long.txtar") != long })
	if len(chosen) == 0 {
		t.Fatal("there is no such script")
	}
	return chosen
}

func runScripts(t *testing.T, long bool) {
	t.Helper()
	module, faulty, ability := softHSM(t), faultyModule(t), softHSMCan(t)
	testscript.Run(t, testscript.Params{
		Files:               scriptFiles(t, long),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                checkers(),
		Condition:           ability.condition,
		Deadline:            lastMoment(), // a command that hangs is told with what it said
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("SOFTHSM2_CONF", filepath.Join(env.WorkDir, "token", "softhsm2.conf"))
			env.Setenv("P11BRIDGE_MODULE", module)
			env.Setenv("PIN", "file:"+filepath.Join(env.WorkDir, "token", "pin.txt"))
			env.Setenv("FAULTY", faulty)
			ability.environment(env)
			env.Setenv("OPENSC", library(t, "opensc-pkcs11.so"))
			env.Setenv("SPY", library(t, "pkcs11-spy.so"))
			env.Setenv("PROXY", library(t, "p11-kit-proxy.so"))
			env.Setenv("PASSWORD", "file:"+filepath.Join(env.WorkDir, "password.txt"))
			env.Defer(func() { noUnfinishedFile(env) })
			return os.WriteFile(filepath.Join(env.WorkDir, "password.txt"), []byte(testPassword+"\n"), 0o600)
		},
	})
}

// noUnfinishedFile looks, after every script, for what a failed run might have left.
func noUnfinishedFile(env *testscript.Env) {
	err := filepath.WalkDir(env.WorkDir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".part") {
			return fmt.Errorf("an unfinished file was left: %s", path)
		}
		return err
	})
	if err != nil {
		env.T().Fatal(err)
	}
}

// softHSM is the path of the SoftHSM2 library. Without it nothing here means anything, so its absence fails.
func softHSM(t *testing.T) string {
	t.Helper()
	library, err := demo.FindSoftHSM()
	if err != nil {
		t.Fatalf("%v: apt install softhsm2", err)
	}
	return library.Path
}

// library finds a module where distributions put it.
func library(t *testing.T, name string) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/*/" + name, "/usr/lib/*/pkcs11/" + name, "/usr/lib64/" + name, "/usr/lib64/pkcs11/" + name, "/usr/lib/" + name} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[0]
		}
	}
	t.Fatalf("%s is missing: 'make packages' installs it", name)
	return ""
}

// TestNothingIsMissing keeps a green run honest: the programs that the scripts lean on are there, every command has a
// script, and every JSON document that a script asks for is held against its schema.
func TestNothingIsMissing(t *testing.T) {
	softHSM(t)
	for _, program := range []string{"openssl", "certutil", "bash", "zsh", "fish", "pk12util", "certtool", "keytool", "pkcs11-tool", "gcc", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Errorf("%s is missing: %v", program, err)
		}
	}
	names, err := filepath.Glob(filepath.Join(scripts, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	commands := commandsOf(t)
	if len(names) < len(commands) {
		t.Fatalf("%d scripts for %d commands", len(names), len(commands))
	}
	for _, command := range commands {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(filepath.Base(name), command+"_") }) {
			t.Errorf("no script %s_*.txtar shows what '%s' does", command, command)
		}
	}
	for _, name := range names {
		subject, behaviour, ok := strings.Cut(strings.TrimSuffix(filepath.Base(name), ".txtar"), "_")
		if !ok || behaviour == "" || !slices.Contains(append(commands, "root"), subject) {
			t.Errorf("%s is not named command_behaviour.txtar", name)
		}
		checkValidated(t, name)
	}
}

// commandsOf reads the commands from the program's own help.
func commandsOf(t *testing.T) []string {
	t.Helper()
	command := exec.Command("p11bridge", "--help")
	command.Env = append(os.Environ(), "LC_ALL=C")
	help, err := command.Output()
	if err != nil {
		t.Fatalf("p11bridge --help: %v", err)
	}
	_, list, _ := strings.Cut(string(help), "\nCommands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	var commands []string
	for _, match := range regexp.MustCompile(`(?m)^  ([a-z]+) `).FindAllStringSubmatch(list, -1) {
		commands = append(commands, match[1])
	}
	if len(commands) < 6 {
		t.Fatalf("the help lists only %q:\n%s", commands, help)
	}
	return commands
}

// condition begins a line of a script that is for some only.
var condition = regexp.MustCompile(`^(\[[^]]*\] )+`)

// checkValidated wants a validate right after every run with --json.
func checkValidated(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	script, _, _ := strings.Cut("\n"+string(text), "\n-- ")
	open := ""
	for line := range strings.Lines(script) {
		line = condition.ReplaceAllString(strings.TrimSpace(line), "")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if open != "" && !strings.HasPrefix(line, "validate ") {
			t.Errorf("%s: no validate follows %q", name, open)
		}
		open = ""
		if strings.Contains(line, "p11bridge ") && strings.Contains(line, "--json") {
			open = line
		}
	}
	if open != "" {
		t.Errorf("%s: no validate follows %q", name, open)
	}
}
