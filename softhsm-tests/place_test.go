package softhsmtests

import (
	"os"
	"path/filepath"
	"testing"
)

// place is a directory with a token of its own, for the tests that are no scripts. One run at a time may use it, since
// SoftHSM2 writes to a token at C_Login.
type place struct {
	directory   string
	files       string // where exports go
	environment []string
	pin         string // --pin-source
	password    string // --password-source
}

func newPlace(t *testing.T, specimens string) *place {
	t.Helper()
	directory := t.TempDir()
	list := filepath.Join(directory, "specimens")
	if err := os.WriteFile(list, []byte(specimens), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &place{
		directory:   directory,
		files:       directory,
		environment: []string{"SOFTHSM2_CONF=" + filepath.Join(directory, "token", "softhsm2.conf"), "P11BRIDGE_MODULE=" + softHSM(t)},
		pin:         "file:" + filepath.Join(directory, "token", "pin.txt"),
		password:    "file:" + filepath.Join(directory, "password.txt"),
	}
	if err := os.WriteFile(p.path("password.txt"), []byte(testPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := runMktoken(list, p.path("token")); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *place) path(name string) string { return filepath.Join(p.directory, name) }

func (p *place) file(name string) string { return filepath.Join(p.files, name) }

// export is the command line that exports an object to its own file, with a trace.
func (p *place) export(object string, more ...string) []string {
	args := []string{"export", object, "-o", p.file(object + ".pfx"), "--trace", p.path("trace"), "--pin-source", p.pin, "--password-source", p.password}
	return append(args, more...)
}

// untouched wants no file that an export could have left, and a token whose sessions were all closed.
func (p *place) untouched(t *testing.T, object string) {
	t.Helper()
	for _, pattern := range []string{object + ".pfx", ".p11bridge-*"} {
		if left, err := filepath.Glob(p.file(pattern)); err != nil || len(left) > 0 {
			t.Errorf("there is %q (%v)", left, err)
		}
	}
	trace, err := os.ReadFile(p.path("trace"))
	if err != nil {
		t.Fatal(err)
	}
	if err := closed(string(trace)); err != nil {
		t.Error(err)
	}
}
