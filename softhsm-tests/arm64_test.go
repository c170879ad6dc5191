package softhsmtests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The program for arm64, built by Debian's cross compiler and carried out by qemu, on SoftHSM2 for arm64.

// arm64Packages are those whose tests need no token, and little enough of the processor for qemu: token/pki and bridge/pfx take minutes.
// bridge/pfx/sha2 has code of its own for arm64; its TestAvailable asks /proc/cpuinfo, which is this machine's.
var arm64Packages = []string{"../token/secret", "../token/keywrap", "../bridge/verdict", "../bridge/pfx/sha2"}

// arm64 is a command that is carried out with arm64 programs in it.
type arm64 struct{ root, program string }

func newARM64(t *testing.T) *arm64 {
	t.Helper()
	a := &arm64{root: filepath.Join(t.TempDir(), "root"), program: filepath.Join(t.TempDir(), "p11bridge")}
	mustForeign(t, ".", "../scripts/arm64-root", a.root)
	build := exec.Command("go", "build", "-buildvcs=false", "-o", a.program, "../cmd/p11bridge")
	build.Env = arm64Environment()
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	return a
}

func arm64Environment() []string {
	return append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=1", "CC=aarch64-linux-gnu-gcc")
}

// run wants exit code 0 of the program.
func (a *arm64) run(t *testing.T, environment []string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "../scripts/on-arm64", append([]string{a.root, a.program}, args...)...)
	command.Env = append(append(os.Environ(), "LC_ALL=C"), environment...)
	said, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, said)
	}
	return string(said)
}

// TestARM64Long: the demo ends well on arm64, and what one architecture writes is a valid copy to the other, and to openssl.
func TestARM64Long(t *testing.T) {
	a := newARM64(t)
	t.Run("demo", func(t *testing.T) {
		if said := a.run(t, nil, "demo"); strings.Count(said, "is a valid copy") < 2 || !strings.Contains(said, "This key can never leave the token.") {
			t.Errorf("the demo:\n%s", said)
		}
	})
	t.Run("verify", func(t *testing.T) {
		p := newPlace(t, `label="alice" id=01 key=rsa2048 policy=wrappable certificate=valid
label="carol" id=02 key=p256 policy=wrappable certificate=valid
label="erin" id=03 key=ed25519 policy=readable certificate=valid
`)
		environment := append(p.environment, "P11BRIDGE_MODULE=/usr/lib/softhsm/libsofthsm2.so") // in the root
		for _, name := range []string{"alice", "carol", "erin"} {
			here, there := p.file(name+"-amd64.pfx"), p.file(name+"-arm64.pfx")
			export := func(file string) []string {
				return []string{"export", name, "-o", file, "--iterations", "1000", "--pin-source", p.pin, "--password-source", p.password}
			}
			p11bridge(t, p.environment, export(here)...)
			a.run(t, environment, export(there)...)
			for _, file := range []string{here, there} {
				if said := a.run(t, environment, "verify", file, "--password-source", p.password); !strings.Contains(said, "is a valid copy") {
					t.Errorf("on arm64: %s", said)
				}
			}
			if r := p11bridge(t, p.environment, "verify", there, "--password-source", p.password, "--json"); r.code != 0 {
				t.Errorf("%s here: exit code %d\n%s%s", there, r.code, r.stdout, r.stderr)
			}
			mustForeign(t, ".", "openssl", "pkcs12", "-in", there, "-passin", p.password, "-nodes", "-noout")
		}
	})
	t.Run("packages", func(t *testing.T) {
		runner, err := filepath.Abs("../scripts/on-arm64")
		if err != nil {
			t.Fatal(err)
		}
		test := exec.CommandContext(t.Context(), "go", append([]string{"test", "-count=1", "-vet=off", "-skip=^TestAvailable$", "-exec", runner + " " + a.root}, arm64Packages...)...)
		test.Env = arm64Environment()
		said, err := test.CombinedOutput()
		if err != nil || strings.Count("\n"+string(said), "\nok ") != len(arm64Packages) {
			t.Errorf("go test: %v\n%s", err, said)
		}
	})
}
