package bridge

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"p11bridge/bridge/archive"
	"p11bridge/token/secret"
)

// callC calls C code: the C library has an environment of its own.
func callC(t *testing.T) {
	t.Helper()
	if err := os.Setenv("P11BRIDGE_TEST_CALLS_C", "1"); err != nil {
		t.Error(err)
	}
}

// zeros is a source of random numbers that calls C code.
type zeros struct{ t *testing.T }

func (z zeros) Read(p []byte) (int, error) {
	callC(z.t)
	clear(p)
	return len(p), nil
}

// TestCallersMayCallC has what a caller gave call C code within secret.Forget, where Go 1.26 crashes unless it is called outside.
func TestCallersMayCallC(t *testing.T) {
	target := archive.Target{Path: filepath.Join(t.TempDir(), "alice.pfx"), Scratch: func(string) { callC(t) }}
	secret.Forget(func() {
		export, err := ExportRequest{Password: secret.New([]byte("password")), Random: zeros{t}, Target: target}.validateFile()
		if err != nil {
			t.Error(err)
		}
		restore, _ := RestoreRequest{Random: zeros{t}}.validate()
		for _, random := range []io.Reader{export.Random, restore.Random} {
			if n, err := random.Read(make([]byte, 8)); n != 8 || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
		}
		draft, err := archive.NewDraft(target, []byte("contents"))
		if err == nil {
			err = draft.Discard()
		}
		if err != nil {
			t.Error(err)
		}
	})
}
