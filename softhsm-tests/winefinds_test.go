//go:build wine

package softhsmtests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWindowsFinds has no module named: the registry, the usual places and Firefox's profiles are looked at.
func TestWindowsFinds(t *testing.T) {
	p := newWindowsPlace(t)
	profile := p.w.driveC("users", filepath.Base(p.userFolder(t)), "AppData", "Roaming", "Mozilla", "Firefox", "Profiles", "abc.default-release")
	if err := os.MkdirAll(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(filepath.Dir(profile))) })
	password := strings.TrimPrefix(p.password, "file:")
	mustForeign(t, p.files, "certutil", "-N", "-d", "sql:"+profile, "-f", password)
	mustForeign(t, p.files, "certutil", "-S", "-d", "sql:"+profile, "-f", password, "-n", "fox", "-s", "CN=fox", "-x", "-t", ",,", "-z", password, "-k", "ec", "-q", "nistp256")
	write(t, filepath.Dir(filepath.Dir(profile)), "profiles.ini", []byte("[Profile0]\r\nName=default-release\r\nIsRelative=1\r\nPath=Profiles/abc.default-release\r\n"))
	port, stop, err := p.w.serve(library(t, "libsoftokn3.so"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	library, err := os.ReadFile(p.w.driveC("SoftHSM2", "lib", "softhsm2-x64.dll"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, p.files, "vendor.dll", library)
	p.register(t, "vendor", "vendor.dll")
	p.environment = append(p.environment, "P11APART_NSS="+port, "P11BRIDGE_MODULE=", "P11BRIDGE_PIN_SOURCE=")
	found := p.says(t, 0, `Firefox, profile default-release`, "doctor")
	for _, want := range []string{
		`vendor.dll (registered with Firefox by Z:`, `softhsm2-x64.dll (found in a usual place)`, `softokn3.dll (the profile in C:\users\`, `Ready to use: `,
	} {
		if !strings.Contains(found, want) {
			t.Errorf("doctor does not say %q:\n%s", want, found)
		}
	}
	listed := p.says(t, 0, `Token "Firefox, profile default-release"`, "list", "--no-login")
	if !regexp.MustCompile(`"test" is shown by two modules\. .*vendor\.dll is used, .*softhsm2-x64\.dll is not`).MatchString(listed) {
		t.Errorf("that one token is shown by two modules is not in\n%s", listed)
	}
	p.says(t, 0, "valid copy", "export", "fox", "--token", "Firefox, profile default-release", "-o", "fox.pfx", "--pin-source", p.password, "--iterations", "1000")
	mustForeign(t, p.files, "openssl", "pkcs12", "-in", "fox.pfx", "-passin", p.password, "-nodes", "-noout")
}

// TestWindowsSoftHSMElsewhere has SoftHSM2 in a folder of its user's choice, to which SOFTHSM2_CONF leads.
func TestWindowsSoftHSMElsewhere(t *testing.T) {
	p := newWindowsPlace(t)
	library, err := os.ReadFile(p.w.driveC("SoftHSM2", "lib", "softhsm2-x64.dll"))
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"lib", "etc"} {
		if err := os.MkdirAll(filepath.Join(p.files, "chosen", folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, p.files, "chosen/lib/softhsm2-x64.dll", library)
	own, err := os.ReadFile(strings.TrimPrefix(p.place.environment[0], "SOFTHSM2_CONF="))
	if err != nil {
		t.Fatal(err)
	}
	configuration := `Z:` + strings.ReplaceAll(write(t, p.files, "chosen/etc/softhsm2.conf", own), "/", `\`)
	p.environment = append(p.environment, "P11BRIDGE_MODULE=", "SOFTHSM2_CONF="+configuration)
	if found := p.says(t, 0, `chosen\\lib\\softhsm2-x64\.dll \(found in a usual place\)`, "doctor"); strings.Contains(found, `C:\SoftHSM2`) {
		t.Errorf("another library than the one that SOFTHSM2_CONF leads to is loaded:\n%s", found)
	}
	// Who set no SOFTHSM2_CONF has not installed SoftHSM2: what stands in the root of the drive may be anybody's.
	p.environment = append(p.environment, "SOFTHSM2_CONF=")
	if found, _, _ := p.w.run(t, p.files, p.environment, "doctor"); !strings.Contains(found, "Modules asked: 0.") {
		t.Errorf("a library of nobody knows whom is loaded:\n%s", found)
	}
}

// userFolder is the folder of the person who runs wine, by its name on Linux.
func (p *windowsPlace) userFolder(t *testing.T) string {
	t.Helper()
	out, err := p.w.command("wine", "cmd", "/c", "echo %APPDATA%").Output()
	parts := strings.Split(strings.TrimSpace(string(out)), `\`) // C:\users\NAME\AppData\Roaming
	if err != nil || len(parts) != 5 {
		t.Fatalf("APPDATA is %q: %v", out, err)
	}
	return p.w.driveC(parts[1], parts[2])
}

// register names a module in the registry, as installers do for Firefox. Its path is relative to the manifest.
func (p *windowsPlace) register(t *testing.T, name, module string) {
	t.Helper()
	manifest := write(t, p.files, name+".json", fmt.Appendf(nil, `{"name": %q, "description": "d", "type": "pkcs11", "path": %q, "allowed_extensions": []}`, name, module))
	key := `HKCU\Software\Mozilla\PKCS11Modules\` + name
	if err := p.w.command("wine", "reg", "add", key, "/ve", "/d", `Z:`+strings.ReplaceAll(manifest, "/", `\`), "/f").Run(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.w.command("wine", "reg", "delete", key, "/f").Run() })
}

// TestWindowsLeavesOut has modules that nobody named and that crash, hang, or are for 32 bits: each is told, and the others are asked.
func TestWindowsLeavesOut(t *testing.T) {
	p := newWindowsPlace(t)
	buildDLL(t, p.files, "crashes.dll", initializes("*(volatile int *)0 = 1;"))
	buildDLL(t, p.files, "waits.dll", initializes("Sleep(600000);"))
	p.register(t, "crashes", "crashes.dll")
	p.register(t, "waits", "waits.dll")
	folder := p.w.driveC("Program Files (x86)", "Yubico", "Yubico PIV Tool", "bin")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(filepath.Dir(folder))) })
	becomeNarrow(t, buildDLL(t, folder, "libykcs11.dll", initializes("")))
	p.environment = append(p.environment, "P11BRIDGE_MODULE=")
	listed := p.says(t, 0, `(?m)^  dave `, "list", "--timeout", "5s")
	for _, want := range []string{
		`crashes\.dll crashed \(EXCEPTION_ACCESS_VIOLATION \(0xC0000005\)\) in C_Initialize\. This module was left out\.`,
		`waits\.dll did not return from C_Initialize .* This module was left out\.`,
	} {
		if !regexp.MustCompile(want).MatchString(listed) {
			t.Errorf("nothing like %s in\n%s", want, listed)
		}
	}
	p.says(t, 0, `broken  C:\\Program Files \(x86\)\\Yubico[^\n]*\n  This library was made for another processor\.`, "doctor", "--timeout", "5s")
}
