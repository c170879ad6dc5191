package softhsmtests

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestInterruptedDemoLeavesNothing ends the demo while it makes its token.
func TestInterruptedDemoLeavesNothing(t *testing.T) {
	t.Parallel()
	directory := filepath.Join(t.TempDir(), "demo")
	command := product(context.Background(), []string{"SOFTHSM2_CONF=", "P11BRIDGE_MODULE="}, "demo", "--dir", directory)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the token is being made", func() bool {
		_, err := os.Stat(filepath.Join(directory, "pin.txt"))
		return err == nil
	})
	if err := command.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err == nil || !strings.Contains(stderr.String(), "Nothing was left behind") {
		t.Errorf("%v, %q", err, stderr.String())
	}
	if _, err := os.Stat(directory); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}
