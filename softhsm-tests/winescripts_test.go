//go:build wine

package softhsmtests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
)

// Why a script is about Linux, or about what wine does not show.
const (
	buildsModules   = "it builds modules for Linux that misbehave; TestWindowsModulesThatMisbehave has their like"
	namesModules    = "its modules are named by p11-kit's configuration, which is not on Windows; TestWindowsFinds has the registry"
	namesProfiles   = "its profiles are in the places of Linux; TestWindowsFinds has Firefox's"
	mountsLinux     = "it mounts a file system, which wine's server does not see; TestWindowsFullDisk has a Windows of its own there"
	typesAhead      = "its answers are typed before they are asked for, which the guided mode loses on wine's console; TestWindowsGuide types each when it is asked for"
	shellsOfLinux   = "it pastes commands into a shell of Linux, or is about what such a shell completes"
	namespaces      = "it runs the program in a root of its own"
	ownsFiles       = "a file of it belongs to a user whom the program's namespace does not know"
	sharesDirectory = "it holds a worker by a FIFO; TestWindowsShares has workers in one directory"
)

// leftToLinux are the scripts that do not run on the program for Windows, each with the reason.
var leftToLinux = map[string]string{
	"export_limit":           "the limits of a shell",
	"diagnose_next_long":     shellsOfLinux,
	"root_paste_long":        shellsOfLinux,
	"completion_bash":        shellsOfLinux,
	"completion_shells":      shellsOfLinux,
	"demo_ended":             namesModules,
	"demo_keep_long":         shellsOfLinux,
	"demo_missing":           mountsLinux,
	"demo_repeat_long":       shellsOfLinux,
	"demo_unread_long":       "on Windows no signal comes of a pipe that nobody reads",
	"doctor_discovery":       namesModules,
	"doctor_library":         buildsModules,
	"doctor_nothing":         namespaces,
	"export_all_shards_long": sharesDirectory,
	"export_full":            mountsLinux,
	"export_readonly":        mountsLinux,
	"guide_plain":            typesAhead,
	"list_configured":        namesModules,
	"list_discovery":         namesModules,
	"list_leftout":           namesModules,
	"list_misbehaving":       buildsModules,
	"list_module":            buildsModules,
	"list_passedover":        ownsFiles,
	"list_profiles":          namesProfiles,
	"list_proxy":             namesModules,
	"list_twice":             namesModules,
	"list_unstarted":         namesModules,
}

// TestWindowsScripts runs the scripts that are not about Linux on the program for Windows: some of them, and TestWindowsScriptsLong the others.
func TestWindowsScripts(t *testing.T) {
	module, ability, w := softHSM(t), softHSMCan(t), newWine(t)
	softokn := library(t, "libsoftokn3.so")
	testscript.Run(t, testscript.Params{
		Files:               sampled(t, 10, windowsFiles(t)),
		RequireExplicitExec: true,
		Cmds:                windowsCheckers(),
		Condition:           ability.condition,
		Deadline:            lastMoment(),
		Setup: func(env *testscript.Env) error {
			configuration := filepath.Join(env.WorkDir, "token", "softhsm2.conf")
			for variable, command := range map[string][]string{"P11APART": {module, "SOFTHSM2_CONF=" + configuration}, "P11APART_NSS": {softokn}} {
				port, stop, err := w.serve(command[0], command[1:]...)
				if err != nil {
					return err
				}
				env.Defer(stop)
				env.Setenv(variable, port)
			}
			for _, variable := range w.environment() {
				name, value, _ := strings.Cut(variable, "=")
				env.Setenv(name, value)
			}
			env.Setenv("PATH", w.directory+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("SOFTHSM2_CONF", configuration)
			env.Setenv("P11BRIDGE_MODULE", module)
			env.Setenv("PIN", "file:"+filepath.Join(env.WorkDir, "token", "pin.txt"))
			env.Setenv("FAULTY", w.faulty)
			env.Setenv("P11FAULT_MODULE", w.module)
			ability.environment(env)
			env.Setenv("PASSWORD", "file:"+filepath.Join(env.WorkDir, "password.txt"))
			env.Defer(func() { noUnfinishedFile(env) })
			return os.WriteFile(filepath.Join(env.WorkDir, "password.txt"), []byte(testPassword+"\n"), 0o600)
		},
	})
}

// TestWindowsScriptsLong runs the other scripts.
func TestWindowsScriptsLong(t *testing.T) { TestWindowsScripts(t) }

// pattern is a line of a script that wants a text to be seen, or not.
var pattern = regexp.MustCompile(`^(\[[^]]*\] )?(! )?(stdout|stderr) `)

// namedFile is a file by whose name a line of a script chooses an entry of a document.
var namedFile = regexp.MustCompile(`\[file=[^]]*\]`)

// windowsFiles are copies of the scripts, but for those that are left to Linux.
func windowsFiles(t *testing.T) []string {
	t.Helper()
	directory := t.TempDir()
	var files []string
	for _, file := range slices.Concat(scriptFiles(t, false), scriptFiles(t, true)) {
		if _, left := leftToLinux[strings.TrimSuffix(filepath.Base(file), ".txtar")]; left {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		archive := txtar.Parse(text)
		var lines []string
		for line := range strings.Lines(string(archive.Comment)) {
			lines = append(lines, onWindows(line))
		}
		archive.Comment = []byte(strings.Join(lines, ""))
		files = append(files, write(t, directory, filepath.Base(file), txtar.Format(archive)))
	}
	return files
}

// onWindows is a line of a script as it is for Windows. What begins with [linux] is left out, and [windows] is true. In patterns every /
// stands for Windows' separator as well, in JSON, too.
func onWindows(line string) string {
	if strings.HasPrefix(line, "[linux] ") {
		return ""
	}
	line = strings.ReplaceAll(strings.TrimPrefix(line, "[windows] "), `libsofthsm2\.so`, `softhsm2-x64\.dll`)
	if started, is := strings.CutPrefix(line, "exec p11bridge "); is && !strings.HasSuffix(strings.TrimSpace(line), "&") {
		line = "exitcode 0 p11bridge " + started // which starts it again where wine did not
	}
	if !pattern.MatchString(line) {
		return namedFile.ReplaceAllStringFunc(line, func(file string) string { return strings.ReplaceAll(file, "/", `\`) })
	}
	line = strings.ReplaceAll(strings.ReplaceAll(line, "[^/]", `[^/\\]`), "/", `[/\\]+`)
	return strings.ReplaceAll(line, `[^[/\\]+\\]`, `[^/\\]`)
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

// TestWindowsLeavesFewScriptsOut wants that at least two thirds of the scripts run, and that every one that is left out is there.
func TestWindowsLeavesFewScriptsOut(t *testing.T) {
	all := slices.Concat(scriptFiles(t, false), scriptFiles(t, true))
	there := map[string]bool{}
	for _, file := range all {
		there[strings.TrimSuffix(filepath.Base(file), ".txtar")] = true
	}
	for name, reason := range leftToLinux {
		if !there[name] || reason == "" {
			t.Errorf("%s is left out for %q, and there is no such script, or no reason", name, reason)
		}
	}
	run := len(all) - len(leftToLinux)
	if run*3 < len(all)*2 {
		t.Errorf("only %d of %d scripts run", run, len(all))
	}
	t.Logf("%d of %d scripts run under wine", run, len(all))
}
