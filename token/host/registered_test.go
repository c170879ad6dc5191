package host

import (
	"os"
	"path/filepath"
	"testing"
)

// TestManifestNamesAModule holds manifests, and what are none, against the library that they name.
func TestManifestNamesAModule(t *testing.T) {
	folder := t.TempDir()
	for text, want := range map[string]string{
		`{"name": "a", "type": "pkcs11", "path": "/opt/vendor/module.so", "allowed_extensions": []}`: "/opt/vendor/module.so",
		`{"type": "pkcs11", "path": "module.so"}`:                                                    filepath.Join(folder, "module.so"),
		`{"type": "pkcs11", "path": "../other/module.so"}`:                                           filepath.Join(filepath.Dir(folder), "other", "module.so"),
		`{"type": "stdio", "path": "/opt/vendor/host"}`:                                              "",
		`{"type": "pkcs11", "path": ""}`:                                                             "",
		`{"type": "pkcs11", "path": "a\u0000b"}`:                                                     "",
		`{"type": "pkcs11", "path": 7}`:                                                              "",
		`{"type": "pkcs11"`:                                                                          "",
		``:                                                                                           "",
	} {
		file := filepath.Join(folder, "manifest.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := manifestModule(file); got != want {
			t.Errorf("%s names %q instead of %q", text, got, want)
		}
	}
	if got := manifestModule(folder); got != "" {
		t.Errorf("a folder names %q", got)
	}
}
