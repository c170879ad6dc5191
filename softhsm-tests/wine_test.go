//go:build wine

package softhsmtests

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
)

// The program for Windows, built by mingw and run by wine, on real SoftHSM2 tokens: its module is the client of
// testdata/apart.c, with the layout of Windows; the server stands in front of SoftHSM2 on Linux.

// randomLibrary is what Go's runtime wants of Windows and wine 8 lacks.
const randomLibrary = `
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(void *, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(unsigned char *data, size_t size) { return SystemFunction036(data, (ULONG)size); }
`

// startsProgram is p11bridge for the scripts. Other programs load SoftHSM2 itself, so that its name becomes the module's here.
const startsProgram = `#!/bin/bash
softhsm=%s module=%s
[[ ${P11BRIDGE_MODULE:-} != "$softhsm" ]] || export P11BRIDGE_MODULE=$module
exec wine %s "${@//"$softhsm"/$module}"
`

// wine is one Windows with the program.
type wine struct {
	directory string // with the program, the module and a shell script p11bridge that runs the program
	prefix    string // wine's own
	module    string // by its name on Linux, which wine takes as well
	server    string // of the token, for Linux
}

const mingw = "x86_64-w64-mingw32-gcc"

// newWine builds everything and starts Windows.
func newWine(t *testing.T) *wine {
	t.Helper()
	directory := t.TempDir()
	w := &wine{directory: directory, prefix: filepath.Join(directory, "prefix"), module: filepath.Join(directory, "apart.dll")}
	w.server = compile(t, "apart.c", "apart", "-DSERVER", "-ldl")
	program := filepath.Join(directory, "p11bridge.exe")
	build := exec.Command("go", "build", "-ldflags=-s", "-o", program, "../cmd/p11bridge")
	build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=1", "CC="+mingw, "GOEXPERIMENT=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	source := write(t, directory, "random.c", []byte(randomLibrary))
	for _, args := range [][]string{
		{"-shared", "-o", filepath.Join(directory, "bcryptprimitives.dll"), source, "-ladvapi32"},
		{"-shared", "-Wall", "-o", w.module, "testdata/apart.c", "-lws2_32"},
	} {
		if out, err := exec.Command(mingw, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", mingw, err, out)
		}
	}
	script := fmt.Sprintf(startsProgram, softHSM(t), w.module, program)
	if err := os.WriteFile(filepath.Join(directory, "p11bridge"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	return w
}

// environment is what every process of Windows has.
func (w *wine) environment() []string {
	return []string{"WINEPREFIX=" + w.prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=", "DISPLAY="}
}

// start makes the prefix and keeps Windows running until the test ends.
func (w *wine) start(t *testing.T) {
	t.Helper()
	run := func(args ...string) {
		command := exec.Command(args[0], args[1:]...) // without a pipe, which the server would keep open
		command.Env = append(os.Environ(), w.environment()...)
		if err := command.Run(); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
	}
	if err := os.Mkdir(w.prefix, 0o700); err != nil {
		t.Fatal(err)
	}
	run("wineserver", "--persistent=600") // in seconds; without it, each program would start Windows anew
	t.Cleanup(func() { run("wineserver", "--kill") })
	run("wine", "wineboot", "--init")
	system := filepath.Join(w.prefix, "drive_c", "windows", "system32")
	library, err := os.ReadFile(filepath.Join(w.directory, "bcryptprimitives.dll"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(system, "bcryptprimitives.dll")); err != nil { // a later wine has its own
		write(t, system, "bcryptprimitives.dll", library)
	}
}

// serve starts a server in front of SoftHSM2 and gives its port; stop ends it.
func (w *wine) serve(softHSM, configuration string) (port string, stop func(), err error) {
	command := exec.Command(w.server, softHSM, "tcp")
	command.Env = append(os.Environ(), "SOFTHSM2_CONF="+configuration)
	command.Stderr = os.Stderr
	until, err := command.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	said, err := command.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := command.Start(); err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(said).ReadString('\n')
	port, listens := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	if err != nil || !listens {
		return "", nil, fmt.Errorf("the server says %q: %w", line, err)
	}
	return port, func() {
		_ = until.Close() // the server ends by it
		_ = command.Wait()
	}, nil
}

// TestWindowsScripts runs the scripts that are not about Linux on the program for Windows.
func TestWindowsScripts(t *testing.T) {
	module, ability, w := softHSM(t), softHSMCan(t), newWine(t)
	files := windowsFiles(t)
	testscript.Run(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		Cmds:                windowsCheckers(),
		Condition:           ability.condition,
		Setup: func(env *testscript.Env) error {
			configuration := filepath.Join(env.WorkDir, "token", "softhsm2.conf")
			port, stop, err := w.serve(module, configuration)
			if err != nil {
				return err
			}
			env.Defer(stop)
			for _, variable := range w.environment() {
				name, value, _ := strings.Cut(variable, "=")
				env.Setenv(name, value)
			}
			env.Setenv("PATH", w.directory+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("LC_CTYPE", "C.UTF-8") // of the names of files
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("P11APART", port)
			env.Setenv("SOFTHSM2_CONF", configuration)
			env.Setenv("P11BRIDGE_MODULE", module)
			env.Setenv("PIN", "file:"+filepath.Join(env.WorkDir, "token", "pin.txt"))
			ability.environment(env)
			env.Setenv("PASSWORD", "file:"+filepath.Join(env.WorkDir, "password.txt"))
			env.Defer(func() { noUnfinishedFile(env) })
			return os.WriteFile(filepath.Join(env.WorkDir, "password.txt"), []byte(testPassword+"\n"), 0o600)
		},
	})
}

// pattern is a line of a script that wants a text to be seen, or not.
var pattern = regexp.MustCompile(`^(\[[^]]*\] )?(! )?(stdout|stderr) `)

// windowsFiles are copies of the scripts, in whose patterns every / stands for Windows' separator as well, in JSON, too.
func windowsFiles(t *testing.T) []string {
	t.Helper()
	directory := t.TempDir()
	var files []string
	for _, file := range scriptFiles(t, false) {
		if _, left := leftToLinux[strings.TrimSuffix(filepath.Base(file), ".txtar")]; left {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		archive := txtar.Parse(text)
		lines := strings.SplitAfter(string(archive.Comment), "\n")
		for i, line := range lines {
			if pattern.MatchString(line) {
				lines[i] = strings.ReplaceAll(strings.ReplaceAll(line, "[^/]", `[^/\\]`), "/", `[/\\]+`)
				lines[i] = strings.ReplaceAll(lines[i], `[^[/\\]+\\]`, `[^/\\]`)
			}
		}
		archive.Comment = []byte(strings.Join(lines, ""))
		files = append(files, write(t, directory, filepath.Base(file), txtar.Format(archive)))
	}
	return files
}

// windowsCheckers are those of the other scripts. Of an access list wine shows on Linux that nobody but the owner, and the groups that
// wine takes him to be in, has a right.
func windowsCheckers() map[string]func(*testscript.TestScript, bool, []string) {
	commands := checkers()
	commands["mode"] = positive(2, func(ts *testscript.TestScript, args []string) error {
		info, err := os.Stat(ts.MkAbs(args[1]))
		if err == nil && strings.HasSuffix(args[0], "00") && info.Mode().Perm()&0o007 != 0 {
			err = fmt.Errorf("%s is for everybody: %s", args[1], info.Mode())
		}
		return err
	})
	return commands
}

// TestWindowsLeavesFewScriptsOut counts, and wants that every script that is left out is there.
func TestWindowsLeavesFewScriptsOut(t *testing.T) {
	all := scriptFiles(t, false)
	there := map[string]bool{}
	for _, file := range all {
		there[strings.TrimSuffix(filepath.Base(file), ".txtar")] = true
	}
	for name, reason := range leftToLinux {
		if !there[name] || reason == "" {
			t.Errorf("%s is left out for %q, and there is no such script, or no reason", name, reason)
		}
	}
	t.Logf("%d of %d scripts run under wine", len(all)-len(leftToLinux), len(all))
}

// run runs the program and gives what it says.
func (w *wine) run(t *testing.T, directory string, environment []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	command := exec.Command(filepath.Join(w.directory, "p11bridge"), args...)
	command.Dir = directory
	command.Env = append(append(os.Environ(), w.environment()...), environment...)
	var out, said strings.Builder
	command.Stdout, command.Stderr, command.Stdin = &out, &said, io.Reader(nil)
	if err := command.Run(); err != nil && command.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), said.String(), command.ProcessState.ExitCode()
}
