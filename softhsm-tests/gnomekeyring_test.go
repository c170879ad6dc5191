package softhsmtests

import (
	"os"
	"path/filepath"
	"testing"
)

// TestGnomeKeyringLong has the tokens of gnome-keyring, locked: three of them ask for a login, and one has neither CKF_LOGIN_REQUIRED nor a PIN. That one
// holds certificates only, and hides nothing.
func TestGnomeKeyringLong(t *testing.T) {
	t.Parallel()
	module, home := library(t, "gnome-keyring-pkcs11.so"), socketDirectory(t)
	bus := filepath.Join(home, "bus")
	environment := []string{
		"HOME=" + home, "XDG_RUNTIME_DIR=" + home, "XDG_DATA_HOME=" + filepath.Join(home, "data"), "XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
		"DBUS_SESSION_BUS_ADDRESS=unix:path=" + bus, "GNOME_KEYRING_CONTROL=" + filepath.Join(home, "keyring"), "DISPLAY=", "WAYLAND_DISPLAY=",
	}
	for _, name := range []string{"data/keyrings", "backups"} {
		if err := os.MkdirAll(filepath.Join(home, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	server(t, environment, "dbus-daemon", "--session", "--nofork", "--address=unix:path="+bus)
	eventually(t, "dbus-daemon", exists(bus))
	server(t, environment, "gnome-keyring-daemon", "--foreground", "--components=pkcs11,secrets")
	eventually(t, "gnome-keyring-daemon", exists(filepath.Join(home, "keyring", "pkcs11")))
	for _, row := range []struct {
		token string
		hides bool
		code  int // of status
	}{{"SSH Keys", true, 1}, {"Gnome2 Key Storage", true, 1}, {"User Key Storage", false, 0}} {
		list := p11bridge(t, environment, "list", "--module", module, "--token", row.token, "--json")
		if list.code != 0 || len(list.document.Tokens) != 1 {
			t.Fatalf("%s: exit code %d\n%s", row.token, list.code, list.stderr)
		}
		hides := false
		for _, code := range codesOf(list.document.Tokens[0].Reasons) {
			hides = hides || code == "keys-hidden-until-login"
		}
		if hides != row.hides {
			t.Errorf("%s hides keys: %v\n%s", row.token, hides, list.stdout)
		}
		if r := p11bridge(t, environment, "status", "--module", module, "--token", row.token, "--dir", filepath.Join(home, "backups")); r.code != row.code {
			t.Errorf("%s: status: exit code %d, not %d\n%s%s", row.token, r.code, row.code, r.stdout, r.stderr)
		}
	}
}
