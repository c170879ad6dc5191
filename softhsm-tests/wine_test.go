//go:build wine

package softhsmtests

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"p11bridge/bridge/demo"
)

// The program for Windows, built by mingw and run by wine, on real tokens: its module is the client of testdata/apart.c, with the
// layout of Windows; the server stands in front of SoftHSM2, or of NSS's softokn, on Linux.

// randomLibrary is what Go's runtime wants of Windows and wine 8 lacks.
const randomLibrary = `
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(void *, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(unsigned char *data, size_t size) { return SystemFunction036(data, (ULONG)size); }
`

// startsProgram is p11bridge for the scripts. Other programs load SoftHSM2 itself, so that its name becomes the module's here. Where
// somebody sits at a terminal, the program gets wine's console there.
// wine finds its server below TMPDIR, which each script has for itself: it is that of the test here, or each would start Windows anew.
const startsProgram = `#!/bin/bash
softhsm=%s module=%s here=%s
export TMPDIR=%s
[[ ${P11BRIDGE_MODULE:-} != "$softhsm" ]] || export P11BRIDGE_MODULE=$module
set -- "$here/p11bridge.exe" "${@//"$softhsm"/$module}"
{ : < /dev/tty; } 2> /dev/null || exec wine "$@"
out=$(mktemp) err=$(mktemp) printed=$out said=$err
[[ ! -t 1 ]] || printed='CONOUT$'
[[ ! -t 2 ]] || said='CONOUT$'
"$here/typist" wine "$here/console.exe" "$printed" "$said" "$@"
code=$?
cat "$out" && cat "$err" >&2 && rm "$out" "$err"
exit $code
`

// wine is one Windows with the program.
type wine struct {
	directory string // with the programs, the modules and a shell script p11bridge that runs the program
	prefix    string // wine's own
	program   string
	module    string // the client, where SoftHSM2's installer for Windows puts its library
	faulty    string // testdata/faulty.c before the module
	hostile   string
	server    string // of the tokens, for Linux
}

const mingw = "x86_64-w64-mingw32-gcc"

// theWindows is started by the first test that needs it, and stays for the others: to make one takes longer than most tests.
var theWindows = sync.OnceValues(startWindows)

func newWine(t *testing.T) *wine {
	t.Helper()
	w, err := theWindows()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// startWindows builds everything, makes the prefix and keeps Windows running until the last test has ended.
func startWindows() (w *wine, err error) {
	directory, err := os.MkdirTemp("", "p11bridge-wine-")
	if err != nil {
		return nil, err
	}
	prefix, err := os.MkdirTemp(disk, "p11bridge-prefix-") // it is large, and memory is for tokens
	if err != nil {
		return nil, err
	}
	in := func(name string) string { return filepath.Join(directory, name) }
	w = &wine{directory, prefix, in("p11bridge.exe"), "C:/SoftHSM2/lib/softhsm2-x64.dll", in("faulty.dll"), in("hostile.dll"), in("apart")}
	made := w // which is nil where something fails
	atEnd = append(atEnd, func() error {
		return errors.Join(made.command("wineserver", "--kill").Run(), os.RemoveAll(prefix))
	})
	if err := w.build(); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"wineserver", "--persistent=60"}, // in seconds; without it, each program would start Windows anew
		{"wine", "wineboot", "--init"},
	} {
		if err := w.command(args[0], args[1:]...).Run(); err != nil { // without a pipe, which the server would keep open
			return nil, fmt.Errorf("%q: %w", args, err)
		}
	}
	// Under load, wineboot may give up before it has written the registry, and nothing says so.
	for tries := 0; w.command("wine", "reg", "query", `HKLM\Software\Microsoft\Windows\CurrentVersion`, "/v", "ProgramFilesDir").Run() != nil; tries++ {
		if tries == 3 {
			return nil, errors.New("wineboot makes no registry")
		}
		if err := w.command("wine", "wineboot", "--update").Run(); err != nil {
			return nil, fmt.Errorf("wineboot --update: %w", err)
		}
	}
	return w, w.install()
}

// build makes the program, the modules and the server.
func (w *wine) build() error {
	module, err := demo.FindSoftHSM()
	if err != nil {
		return err
	}
	source := filepath.Join(w.directory, "random.c")
	if err := os.WriteFile(source, []byte(randomLibrary), 0o600); err != nil {
		return err
	}
	script := fmt.Sprintf(startsProgram, module.Path, w.module, w.directory, os.TempDir())
	if err := os.WriteFile(filepath.Join(w.directory, "p11bridge"), []byte(script), 0o700); err != nil {
		return err
	}
	library := []string{mingw, "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-o"}
	for _, args := range [][]string{
		{"go", "build", "-ldflags=-s", "-o", w.program, "../cmd/p11bridge"},
		{mingw, "-shared", "-o", filepath.Join(w.directory, "bcryptprimitives.dll"), source, "-ladvapi32"},
		append(slices.Clone(library), filepath.Join(w.directory, "softhsm2-x64.dll"), "testdata/apart.c", "-lws2_32"),
		append(slices.Clone(library), filepath.Join(w.directory, "softokn3.dll"), `-DPORT="P11APART_NSS"`, "testdata/apart.c", "-lws2_32"),
		append(slices.Clone(library), w.faulty, "testdata/faulty.c"),
		append(slices.Clone(library), w.hostile, "testdata/hostile.c"),
		{mingw, "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", filepath.Join(w.directory, "console.exe"), "testdata/console.c"},
		{"gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", filepath.Join(w.directory, "typist"), "testdata/typist.c", "-lutil"},
		{"gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", w.server, "testdata/apart.c", "-DSERVER", "-ldl"},
	} {
		command := exec.Command(args[0], args[1:]...)
		if args[0] == "go" {
			command.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=1", "CC="+mingw, "GOEXPERIMENT=")
		}
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%q: %w\n%s", args, err, out)
		}
	}
	return nil
}

// install puts what Windows lacks, and what the installers of Firefox and SoftHSM2 bring, where they belong.
func (w *wine) install() error {
	for name, folder := range map[string]string{
		"bcryptprimitives.dll": "windows/system32", "softokn3.dll": "Program Files/Mozilla Firefox", "softhsm2-x64.dll": "SoftHSM2/lib",
	} {
		target := w.driveC(folder, name)
		if _, err := os.Stat(target); err == nil { // a later wine has its own
			continue
		}
		library, err := os.ReadFile(filepath.Join(w.directory, name))
		if err != nil {
			return err
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o700), os.WriteFile(target, library, 0o600)); err != nil {
			return err
		}
	}
	return nil
}

// driveC is the name on Linux of what is below C:.
func (w *wine) driveC(path ...string) string {
	return filepath.Join(append([]string{w.prefix, "drive_c"}, path...)...)
}

// environment is what every process of Windows has.
func (w *wine) environment() []string {
	return []string{"WINEPREFIX=" + w.prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=", "DISPLAY=", "LC_CTYPE=C.UTF-8"} // the last of the names of files
}

// command is a process of Windows, or of wine.
func (w *wine) command(name string, args ...string) *exec.Cmd {
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), w.environment()...)
	return command
}

// serve starts a server in front of a module and gives its port; stop ends it.
func (w *wine) serve(module string, environment ...string) (port string, stop func(), err error) {
	command := exec.Command(w.server, module, "tcp")
	command.Env = append(append(os.Environ(), "P11APART_C="+w.driveC()), environment...)
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

// run runs the program and gives what it says.
func (w *wine) run(t *testing.T, directory string, environment []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	command := w.command(filepath.Join(w.directory, "p11bridge"), args...)
	command.Dir = directory
	command.Env = append(command.Env, environment...)
	var out, said strings.Builder
	command.Stdout, command.Stderr, command.Stdin = &out, &said, io.Reader(nil)
	if err := command.Run(); err != nil && command.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), said.String(), command.ProcessState.ExitCode()
}
