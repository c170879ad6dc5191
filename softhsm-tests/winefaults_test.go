//go:build wine

package softhsmtests

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// initializes is a module whose C_Initialize does something, and which has no other function.
func initializes(does string) string {
	return `#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#pragma pack(push, 1)
static struct { unsigned char major, minor; void *functions[68]; } list;
#pragma pack(pop)
static unsigned long initialize(void *args) { (void)args; ` + does + ` return 5; }
__declspec(dllexport) unsigned long C_GetFunctionList(void **out) { list.major = 2, list.minor = 40, list.functions[0] = initialize; *out = &list; return 0; }
`
}

// whenLoaded is a library that does something as soon as it is loaded.
func whenLoaded(does string) string {
	return `#include <windows.h>
BOOL WINAPI DllMain(HINSTANCE self, DWORD why, LPVOID reserved) { (void)self, (void)reserved; if (why == DLL_PROCESS_ATTACH) { ` + does + ` } return TRUE; }
__declspec(dllexport) unsigned long C_GetFunctionList(void **out) { (void)out; return 5; }
`
}

// whenEnded does something when the process ends, for a module that refuses.
func whenEnded(does string) string {
	return initializes("") + `BOOL WINAPI DllMain(HINSTANCE self, DWORD why, LPVOID reserved) { (void)self, (void)reserved; if (why == DLL_PROCESS_DETACH) { ` + does + ` } return TRUE; }
`
}

// buildDLL builds a library for Windows and gives its path.
func buildDLL(t *testing.T, directory, name, source string, args ...string) string {
	t.Helper()
	file, library := write(t, t.TempDir(), "library.c", []byte(source)), filepath.Join(directory, name)
	mustForeign(t, directory, mingw, append([]string{"-shared", "-o", library, file}, args...)...)
	return library
}

// TestWindowsModulesThatMisbehave wants each to be told in one error, by the call and by the name of the exception.
func TestWindowsModulesThatMisbehave(t *testing.T) {
	w := newWine(t)
	directory := t.TempDir()
	dll := func(name, source string, args ...string) string { return buildDLL(t, directory, name, source, args...) }
	refuses := initializes("")
	narrow := dll("narrow.dll", refuses)
	becomeNarrow(t, narrow)
	dll("needed.dll", "__declspec(dllexport) int needed(void) { return 1; }")
	needy := dll("needy.dll", "int needed(void); __declspec(dllexport) unsigned long C_GetFunctionList(void **out) { (void)out; return needed(); }", "-L"+directory, "-lneeded")
	if err := os.Remove(filepath.Join(directory, "needed.dll")); err != nil {
		t.Fatal(err)
	}
	for _, test := range sampled(t, 4, []struct{ name, module, want string }{
		{"it refuses", dll("refuses.dll", refuses), `CKR_GENERAL_ERROR`},
		{"it crashes", dll("crashes.dll", initializes("*(volatile int *)0 = 1;")), `EXCEPTION_ACCESS_VIOLATION \(0xC0000005\)[\s\S]*C_Initialize|C_Initialize[\s\S]*EXCEPTION_ACCESS_VIOLATION`},
		{"it aborts", dll("aborts.dll", initializes("abort();")), `C_Initialize`},
		{"it ends the process", dll("exits.dll", initializes("exit(0);")), `ended the program[\s\S]*C_Initialize|C_Initialize[\s\S]*ended`},
		{"it hangs", dll("hangs.dll", initializes("Sleep(600000);")), `did not return from C_Initialize within `},
		{"it prints", dll("prints.dll", initializes(`printf("noise\n"); fflush(stdout); DWORD n; WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "more\n", 5, &n, NULL);`)), `CKR_GENERAL_ERROR`},
		{"it crashes when it is loaded", dll("early.dll", whenLoaded("*(volatile int *)0 = 1;")), `does not give its functions`},
		{"it hangs when it is loaded", dll("late.dll", whenLoaded("Sleep(600000);")), `LoadLibraryExW`},
		{"it hangs when the process ends", dll("leaves.dll", whenEnded("Sleep(600000);")), `CKR_GENERAL_ERROR`},
		{"it changes the exit code", dll("changes.dll", whenEnded("ExitProcess(7);")), `CKR_GENERAL_ERROR`},
		{"it is for 32 bits", narrow, `x86, 32-bit ≠ x64, 64-bit`},
		{"it lacks a library", needy, `needed\.dll`},
		{"it is no module", dll("plain.dll", "__declspec(dllexport) int f(void) { return 1; }"), `not a PKCS#11 module`},
		{"it is a program", filepath.Join(w.directory, "p11bridge.exe"), `p11bridge\.exe is not a shared library`},
		{"it is a text", write(t, directory, "text.dll", []byte("text")), `text\.dll is not a shared library`},
		{"it is not there", filepath.Join(directory, "none.dll"), `There is no PKCS#11 module at`},
		{"its name has blanks and umlauts", dll("Ümläut mit Leerzeichen.dll", refuses), `CKR_GENERAL_ERROR`},
		{"it shows a box", dll("box.dll", initializes(`MessageBoxA(NULL, "text", "title", MB_OK);`), "-luser32"), `C_Initialize`}, // wine shows none without a window
	}) {
		t.Run(test.name, func(t *testing.T) {
			limit := "2m" // of a call that returns, on the busiest machine
			if strings.Contains(test.name, "hangs") {
				limit = "3s"
			}
			stdout, stderr, code := w.run(t, directory, nil, "list", "--verbose", "--timeout", limit, "--module", test.module)
			if code != 1 || stdout != "" || !regexp.MustCompile(test.want).MatchString(stderr) {
				t.Errorf("exit code %d, nothing like %s in\n%s%s", code, test.want, stdout, stderr)
			}
			if errors := strings.Count(stderr, "p11bridge: "); errors != 1 {
				t.Errorf("%d errors in\n%s", errors, stderr)
			}
		})
	}
}

// TestWindowsModulesThatMisbehaveLong has the other modules.
func TestWindowsModulesThatMisbehaveLong(t *testing.T) { TestWindowsModulesThatMisbehave(t) }

// TestWindowsModulesInLanguages has three of them told with their remedy, in each language but English.
func TestWindowsModulesInLanguages(t *testing.T) {
	w, directory := newWine(t), t.TempDir()
	narrow := buildDLL(t, directory, "narrow.dll", initializes(""))
	becomeNarrow(t, narrow)
	for _, test := range []struct{ language, module, want string }{
		{"es", narrow, `(?s)x86, 32-bit ≠ x64, 64-bit.*\n  Instale el software.*C:\\Windows\\System32`},
		{"ca", buildDLL(t, directory, "plain.dll", "__declspec(dllexport) int f(void) { return 1; }"), `(?s)no té C_GetFunctionList.*\n  Indiqueu .*PKCS#11`},
		{"fr", buildDLL(t, directory, "crashes.dll", whenLoaded("*(volatile int *)0 = 1;")), `(?s)ne fournit pas ses fonctions\W+[^\n]*[^.]\.\n  Réinstallez`},
	} {
		stdout, stderr, code := w.run(t, directory, nil, "list", "--lang", test.language, "--module", test.module)
		if code != 1 || stdout != "" || !regexp.MustCompile(test.want).MatchString(stderr) || strings.Count(stderr, "p11bridge: ") != 1 {
			t.Errorf("exit code %d, not one error like %s in\n%s%s", code, test.want, stdout, stderr)
		}
	}
}

// TestWindowsNotStarted has no folder for temporary files, without which the process that does the work cannot be started.
func TestWindowsNotStarted(t *testing.T) {
	w := newWine(t)
	command := w.command("wine", "cmd", "/c", `set TEMP=C:\none\deep&set TMP=C:\none\deep&`+w.program+" list --lang es")
	out, err := command.CombinedOutput()
	if err == nil || command.ProcessState.ExitCode() != 1 || !regexp.MustCompile(`no ha podido iniciar el proceso que hace el trabajo: C:\\none\\deep: no existe\. No se ha hecho nada\.\r?\n  Cierre .*%TEMP%`).Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
}

// becomeNarrow makes the header say that the library is for 32 bits (PE format, COFF file header).
func becomeNarrow(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := binary.LittleEndian.Uint32(text[0x3c:]) + 4
	binary.LittleEndian.PutUint16(text[header:], 0x14c) // IMAGE_FILE_MACHINE_I386
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWindowsFilesCross has what was written under wine opened by the programs of Linux, and what was written on Linux under wine.
func TestWindowsFilesCross(t *testing.T) {
	w, directory := newWine(t), t.TempDir()
	if err := runMktoken("everything", filepath.Join(directory, "token")); err != nil {
		t.Fatal(err)
	}
	configuration := filepath.Join(directory, "token", "softhsm2.conf")
	port, stop, err := w.serve(softHSM(t), "SOFTHSM2_CONF="+configuration)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	password := write(t, directory, "password.txt", []byte(testPassword+"\n"))
	environment := []string{"P11APART=" + port, "P11BRIDGE_MODULE=" + softHSM(t), "SOFTHSM2_CONF=" + configuration,
		"P11BRIDGE_PIN_SOURCE=file:" + filepath.Join(directory, "token", "pin.txt"), "P11BRIDGE_PASSWORD_SOURCE=file:" + password}
	if stdout, stderr, code := w.run(t, directory, environment, "export", "dave", "-o", "wine.pfx"); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	linux := func(args ...string) {
		command := exec.Command(args[0], args[1:]...)
		command.Dir, command.Env = directory, append(os.Environ(), environment...)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
	linux("p11bridge", "verify", "wine.pfx", "--against", "dave")
	linux("openssl", "pkcs12", "-in", "wine.pfx", "-passin", "file:"+password, "-nodes", "-noout")
	linux("keytool", "-list", "-storetype", "PKCS12", "-keystore", "wine.pfx", "-storepass", testPassword)
	linux("pk12util", "-l", "wine.pfx", "-w", password)
	linux("certtool", "--p12-info", "--inder", "--infile", "wine.pfx", "--password", testPassword)
	linux("p11bridge", "export", "dave", "-o", "linux.pfx", "--iterations", "1000")
	if stdout, stderr, code := w.run(t, directory, environment, "verify", "linux.pfx", "--against", "dave"); code != 0 || !strings.Contains(stdout, "valid copy") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestWindowsEndsTogether kills the parent while its child hangs in a module: nothing of the program stays.
func TestWindowsEndsTogether(t *testing.T) {
	w, directory := newWine(t), t.TempDir()
	library := buildDLL(t, directory, "hangs.dll", initializes(`FILE *f = fopen("reached", "w"); fclose(f); Sleep(600000);`))
	command := exec.Command(filepath.Join(w.directory, "p11bridge"), "list", "--module", library)
	command.Dir, command.Env = directory, append(os.Environ(), w.environment()...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the module is reached", func() error {
		_, err := os.Stat(filepath.Join(directory, "reached"))
		return err
	})
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // it was killed
	eventually(t, "the child has ended", func() error {
		if found, err := exec.Command("pgrep", "-f", "p11bridge.exe.* list --module "+library).Output(); err == nil {
			return fmt.Errorf("it runs: %s", found)
		}
		return nil
	})
}
