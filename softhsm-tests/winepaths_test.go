//go:build wine

package softhsmtests

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// filesProgram is a program of Windows: "short FILE" gives the 8.3 name; "hold FILE" keeps the file open, and nobody else may open it meanwhile.
const filesProgram = `
#include <windows.h>
#include <stdio.h>
int main(int argc, char **argv) {
	char name[MAX_PATH];
	if (argc != 3)
		return 2;
	if (argv[1][0] == 's') {
		puts(GetShortPathNameA(argv[2], name, sizeof name) ? name : "none");
		return 0;
	}
	HANDLE file = CreateFileA(argv[2], GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
	puts(file == INVALID_HANDLE_VALUE ? "not open" : "open");
	fflush(stdout);
	getchar();
	return 0;
}
`

// windowsPlace is a token behind the client of Windows, and a directory with dave.pfx, a copy of its key.
type windowsPlace struct {
	*place
	w           *wine
	files       string
	environment []string
}

const daveAlone = "token \"test\"\nlabel=\"dave\" id=01 key=p256 policy=wrappable certificate=valid imported\n"

func newWindowsPlace(t *testing.T) *windowsPlace {
	t.Helper()
	w, p := newWine(t), newPlace(t, daveAlone)
	port, stop, err := w.serve(softHSM(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	place := &windowsPlace{p, w, t.TempDir(), append([]string{"P11APART=" + port, "P11BRIDGE_MODULE=" + w.module,
		"P11BRIDGE_PIN_SOURCE=" + p.pin, "P11BRIDGE_PASSWORD_SOURCE=" + p.password}, p.environment[:1]...)}
	place.says(t, 0, "valid copy", "export", "dave", "-o", "dave.pfx", "--iterations", "1000")
	return place
}

// says runs the program in the directory and wants an exit code and a text; of errors, one.
func (p *windowsPlace) says(t *testing.T, code int, want string, args ...string) string {
	t.Helper()
	stdout, stderr, got := p.w.run(t, p.files, p.environment, args...)
	if got != code || !regexp.MustCompile(want).MatchString(stdout+stderr) || code != 0 && strings.Count(stderr, "p11bridge: ") != 1 {
		t.Errorf("%q: exit code %d instead of %d, or nothing like %q, or not one error\n%s%s", args, got, code, want, stdout, stderr)
	}
	return stdout + stderr
}

// left wants these files and no others.
func (p *windowsPlace) left(t *testing.T, directory string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("%q are left instead of %q", got, names)
	}
}

// TestWindowsPaths has files under all the names that Windows has for them.
func TestWindowsPaths(t *testing.T) {
	p := newWindowsPlace(t)
	server := filepath.Join(p.w.prefix, "dosdevices", "unc", "server")
	if err := os.MkdirAll(server, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(p.files, filepath.Join(server, "share")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(filepath.Join(server, "share")) })
	long := strings.TrimSpace(strings.Repeat("long name ", 10)) // Windows drops a blank at the end
	short := p.shortName(t, "dave.pfx", long+".pfx")
	deep := filepath.Join(long, long, long)
	if err := os.MkdirAll(filepath.Join(p.files, deep), 0o700); err != nil {
		t.Fatal(err)
	}
	p.says(t, 0, "valid copy", "verify", `\\server\share\dave.pfx`)
	p.says(t, 0, "valid copy", "export", "dave", "-o", `\\server\share\unc.pfx`, "--iterations", "1000")
	p.says(t, 0, "valid copy", "verify", short)
	p.says(t, 0, "valid copy", "export", "dave", "-o", filepath.Join(deep, "deep.pfx"), "--iterations", "1000")
	p.says(t, 0, "valid copy", "verify", filepath.Join(deep, "deep.pfx"))
	p.says(t, 0, "valid copy", "verify", `.\dave.pfx`)
	p.says(t, 1, "exists", "export", "dave", "-o", short)
	p.says(t, 1, `cannot be read: no such file or directory\.`, "verify", `none\dave.pfx`)
	p.says(t, 1, `is a file, and a directory is wanted here\.`, "demo", "--dir", `dave.pfx\deep`)
	p.says(t, 0, `The token stays in Z:`, "demo", "--dir", `demo\deep`, "--keep")
	p.says(t, 1, `\\\\server\\none`, "verify", `\\server\none\dave.pfx`)
	p.left(t, p.files, "dave.pfx", "demo", long, long+".pfx", "unc.pfx")
	p.left(t, filepath.Join(p.files, deep), "deep.pfx")
}

// shortName copies a file to another name, and gives the 8.3 name that Windows has for it.
func (p *windowsPlace) shortName(t *testing.T, from, to string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.files, from))
	if err != nil {
		t.Fatal(err)
	}
	write(t, p.files, to, text)
	command := p.w.command("wine", p.filesProgram(t), "short", to)
	command.Dir = p.files
	out, err := command.Output()
	short := strings.TrimSpace(string(out))
	if err != nil || !strings.Contains(short, "~") || len(short) > 12 {
		t.Fatalf("the short name of %s is %q: %v", to, out, err)
	}
	return short
}

// filesProgram builds the program of that name.
func (p *windowsPlace) filesProgram(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	source, program := write(t, folder, "files.c", []byte(filesProgram)), filepath.Join(folder, "files.exe")
	mustForeign(t, folder, mingw, "-o", program, source)
	return program
}

// TestWindowsFileInUse has the file open in another program, which lets nobody else have it.
func TestWindowsFileInUse(t *testing.T) {
	p := newWindowsPlace(t)
	earlier, err := os.ReadFile(filepath.Join(p.files, "dave.pfx"))
	if err != nil {
		t.Fatal(err)
	}
	command := p.w.command("wine", p.filesProgram(t), "hold", "dave.pfx")
	command.Dir = p.files
	until, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || strings.TrimSpace(line) != "open" {
		t.Fatalf("%q: %v", line, err)
	}
	p.says(t, 1, `dave\.pfx cannot be read: another program has it open\.`, "verify", "dave.pfx")
	p.says(t, 1, `dave\.pfx cannot be written: .*\.`, "export", "dave", "-o", "dave.pfx", "--force", "--iterations", "1000")
	_, _ = io.WriteString(until, "\n")
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
	p.left(t, p.files, "dave.pfx")
	if after, err := os.ReadFile(filepath.Join(p.files, "dave.pfx")); err != nil || string(after) != string(earlier) {
		t.Errorf("the file changed: %v", err)
	}
	p.says(t, 0, "valid copy", "export", "dave", "-o", "dave.pfx", "--force", "--iterations", "1000")
}

// mounts is a Windows of its own, whose files are those of a namespace: wine's server opens them, so that it has to be in it. What is
// mounted there is full, or may only be read.
const mounts = `set -eu
mkdir full shut
mount -t tmpfs -o size=4k tmpfs full
dd if=/dev/zero of=full/filler bs=4096 count=1 status=none
mount -t tmpfs tmpfs shut
mount -o remount,ro shut
for place in full shut; do
	code=0
	p11bridge export dave -o $place/dave.pfx --iterations 1000 || code=$?
	echo "$place: $code" "$(ls -A $place)"
	code=0
	p11bridge export --all --dir $place --iterations 1000 || code=$?
	echo "$place --all: $code" "$(ls -A $place)"
done
wineserver --kill
`

// TestWindowsFullDisk has no room, or no right to write, where the file is to be.
func TestWindowsFullDisk(t *testing.T) {
	p := newWindowsPlace(t)
	prefix := p.w.prefix + "-mounts"
	t.Cleanup(func() { _ = os.RemoveAll(prefix) })
	mustForeign(t, p.files, "cp", "-al", p.w.prefix, prefix)
	for _, name := range []string{"system.reg", "user.reg", "userdef.reg"} { // these the server writes anew
		text, err := os.ReadFile(filepath.Join(p.w.prefix, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(prefix, name)); err != nil {
			t.Fatal(err)
		}
		write(t, prefix, name, text)
	}
	command := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounts)
	command.Dir = p.files
	command.Env = append(append(append(os.Environ(), p.w.environment()...), p.environment...), "WINEPREFIX="+prefix, "PATH="+p.w.directory+":"+os.Getenv("PATH"))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`full/dave\.pfx cannot be written: no space left on device\.`, `full: 1 filler`, `full --all: 1 filler`,
		`shut/dave\.pfx cannot be written: permission denied\.\s`, `(?m)^shut: 1 $`, `shut cannot be written: permission denied\.\s`, `(?m)^shut --all: 1 $`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("nothing like %s in\n%s", want, out)
		}
	}
	if errors := strings.Count(string(out), "p11bridge: "); errors != 3 { // export --all tells in a list of its own what failed
		t.Errorf("%d errors instead of 3\n%s", errors, out)
	}
}
