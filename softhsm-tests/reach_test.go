package softhsmtests

import (
	"strings"
	"testing"
)

// TestModuleReachesNoOutput has a module write to every file descriptor, and close every one, while p11bridge works: what
// it does reaches neither of our outputs, and a result is whole or is the document of an error.
func TestModuleReachesNoOutput(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	module := hostileModule(t)
	run := func(mode string) *result {
		return p11bridge(t, append(p.environment, "P11HOSTILE_MODULE="+softHSM(t), "P11HOSTILE="+mode), "list", "--json", "--module", module, "--trace", p.path("trace"))
	}
	clean := run("none")
	if clean.code != 0 || !strings.Contains(clean.stdout, `"dave"`) {
		t.Fatalf("without a lie: exit code %d\n%s", clean.code, clean.stderr)
	}
	for _, mode := range []string{"write:0:1023", "write:64:65", "close:0:2", "close:3:1023", "close:0:1023"} {
		t.Run(mode, func(t *testing.T) {
			r := run(mode)
			if strings.Contains(r.stdout+r.stderr, "RUBBISH") {
				t.Errorf("the module's words are in ours:\n%s%s", r.stdout, r.stderr)
			}
			switch {
			case r.code == 0 && r.stdout != clean.stdout:
				t.Errorf("exit code 0, and the result is another one:\n%s", r.stdout)
			case r.code == 1 && (strings.HasPrefix(mode, "write:") || !strings.Contains(r.stdout, `"p11bridge.error/1"`) || !strings.Contains(r.stderr, "C_")):
				t.Errorf("exit code 1\n%s%s", r.stdout, r.stderr)
			case r.code > 1 || r.code < 0:
				t.Errorf("exit code %d\n%s", r.code, r.stderr)
			}
		})
	}
}

// TestFullDiskIsAnError has the result go where it cannot be written.
func TestFullDiskIsAnError(t *testing.T) {
	t.Parallel()
	p := newPlace(t, oneKey)
	r := p.withDescriptors(t, ">/dev/full", "list")
	if r.code != 1 || !strings.Contains(r.stderr, "no space left on device") {
		t.Errorf("exit code %d, %q", r.code, r.stderr)
	}
}
