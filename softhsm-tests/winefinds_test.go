//go:build wine

package softhsmtests

import (
	"os"
	"path/filepath"
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
	manifest := write(t, p.files, "manifest.json", []byte(`{"name": "vendor", "description": "d", "type": "pkcs11", "path": "vendor.dll", "allowed_extensions": []}`))
	const key = `HKCU\Software\Mozilla\PKCS11Modules\vendor`
	if err := p.w.command("wine", "reg", "add", key, "/ve", "/d", `Z:`+strings.ReplaceAll(manifest, "/", `\`), "/f").Run(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.w.command("wine", "reg", "delete", key, "/f").Run() })
	p.environment = append(p.environment, "P11APART_NSS="+port, "P11BRIDGE_MODULE=", "P11BRIDGE_PIN_SOURCE=")
	found := p.says(t, 0, `Firefox, profile default-release`, "doctor")
	for _, want := range []string{
		`vendor.dll (registered with Firefox by Z:`, `softhsm2-x64.dll (found in a usual place)`, `softokn3.dll (the profile in C:\users\`, `Ready to use: `,
	} {
		if !strings.Contains(found, want) {
			t.Errorf("doctor does not say %q:\n%s", want, found)
		}
	}
	p.says(t, 0, `Token "Firefox, profile default-release"`, "list", "--no-login")
	p.says(t, 0, "valid copy", "export", "fox", "--token", "Firefox, profile default-release", "-o", "fox.pfx", "--pin-source", p.password, "--iterations", "1000")
	mustForeign(t, p.files, "openssl", "pkcs12", "-in", "fox.pfx", "-passin", p.password, "-nodes", "-noout")
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
