package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzModuleFile reads whatever may stand in a .module file of p11-kit. Either it names a module, or the reason why it is left
// out is told; a name has no line end in it.
func FuzzModuleFile(f *testing.F) {
	f.Add("module: opensc-pkcs11.so\n")
	f.Add("# a comment\nmodule:/usr/lib/x.so\ntrust-policy: yes\n")
	f.Add("module: x.so\r\nremote: |ssh host\nx-init-reserved: a=b\n")
	f.Add("module : \n")
	f.Add(strings.Repeat("x", 70_000))
	path := filepath.Join(f.TempDir(), "fuzz.module")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := readConfiguration(path)
		if c.File != path || (c.Ignored == "") != (c.Library.Path != "") || (c.Ignored == ConfigurationUnreadable) != (c.Err != nil) {
			t.Fatalf("%+v", c)
		}
		if strings.ContainsAny(c.Library.Path+c.Library.InitString, "\n") {
			t.Fatalf("a line end in %+v", c.Library)
		}
	})
}
