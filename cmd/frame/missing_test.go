package frame

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"p11bridge/token"
	"p11bridge/token/host"
)

// TestUnstartedModules says which modules that could not be used are worth a notice beside tokens that are shown.
func TestUnstartedModules(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	missing := &token.LoadError{Path: "/lib/some.so", Fault: token.FaultMissing, Text: "no such file"}
	for _, row := range []struct {
		why     string
		library token.Library
		err     error
		named   bool
	}{
		{"a package left its configuration behind", token.Library{NamedBy: "/etc/pkcs11/modules/some.module"}, missing, false},
		{"the user named it", token.Library{NamedBy: home + "/.config/pkcs11/modules/some.module"}, missing, true},
		{"another user's home begins alike", token.Library{NamedBy: home + "2/.config/pkcs11/modules/some.module"}, missing, false},
		{"it is there, and does not load", token.Library{NamedBy: "/etc/pkcs11/modules/some.module"}, &token.LoadError{Fault: token.FaultDependency}, true},
		{"it does not start", token.Library{NamedBy: "/usr/share/p11-kit/modules/some.module"}, errors.New("C_Initialize: CKR_GENERAL_ERROR"), true},
		{"nobody set it up: it is only installed", token.Library{}, errors.New("C_Initialize: CKR_GENERAL_ERROR"), false},
		{"profiles have a notice each", token.Library{Name: host.ProfilesName, NamedBy: "/home/ada/.mozilla"}, errors.New("C_Initialize: CKR_GENERAL_ERROR"), false},
	} {
		row.library.Path = "/lib/some.so"
		if named := slices.Contains(unstartedModules([]failedModule{{row.library, row.err}}, false), "/lib/some.so"); named != row.named {
			t.Errorf("%s: %t", row.why, named)
		}
	}
	if runtime.GOOS == "windows" { // which has no p11-kit
		return
	}
	remote := filepath.Join(home, ".config/pkcs11/modules/remote.module")
	if err := errors.Join(os.MkdirAll(filepath.Dir(remote), 0o700), os.WriteFile(remote, []byte("remote: |true\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, proxied := range []bool{false, true} {
		if named := slices.Contains(unstartedModules(nil, proxied), remote); named == proxied {
			t.Errorf("a module that p11-kit reaches by a command, with p11-kit's own module %t: %t", proxied, named)
		}
	}
}
