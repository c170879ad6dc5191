package softhsmtests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"p11bridge/bridge/demo"
)

// softHSMAbility is what the installed SoftHSM2 does with a sensitive key that may leave. SoftHSM2 2.6 wraps RSA and EC keys
// under CKM_AES_KEY_WRAP_PAD; 2.7 wraps Ed25519 keys too, and all of them under CKM_AES_CBC_PAD.
type softHSMAbility struct {
	shrouds      bool
	wrapsEdwards bool
}

// softHSMCan asks pkcs11-tool, which is not the program that is tested.
func softHSMCan(t testing.TB) softHSMAbility {
	t.Helper()
	ability, err := askSoftHSM()
	if err != nil {
		t.Fatal(err)
	}
	return ability
}

var askSoftHSM = sync.OnceValues(func() (ability softHSMAbility, err error) {
	directory, err := os.MkdirTemp("", "p11bridge-ability-")
	if err != nil {
		return ability, err
	}
	defer os.RemoveAll(directory)
	configuration := filepath.Join(directory, "softhsm2.conf")
	if err := os.WriteFile(configuration, []byte("directories.tokendir = "+directory+"\n"), 0o600); err != nil {
		return ability, err
	}
	library, err := demo.FindSoftHSM()
	if err != nil {
		return ability, err
	}
	command := exec.Command("pkcs11-tool", "--module", library.Path, "--show-info", "--list-mechanisms")
	command.Env = append(os.Environ(), "LC_ALL=C", "SOFTHSM2_CONF="+configuration)
	out, err := command.Output()
	if err != nil {
		return ability, fmt.Errorf("pkcs11-tool: %w\n%s", err, out)
	}
	mechanism := regexp.MustCompile(`(?m)^ *AES-CBC-PAD, .*$`).FindString(string(out))
	version := regexp.MustCompile(`(?m)^Library .*\(ver (\d+)\.(\d+)\)`).FindStringSubmatch(string(out))
	if mechanism == "" || version == nil {
		return ability, fmt.Errorf("pkcs11-tool lists no AES-CBC-PAD or no version:\n%s", out)
	}
	ability.shrouds = strings.Contains(mechanism, " wrap")
	minor, err := strconv.Atoi(version[2])
	ability.wrapsEdwards = version[1] > "2" || minor >= 7 // no flag of a mechanism tells it
	return ability, err
})

// method is how a key leaves that may be wrapped, and whose proof it is.
func (a softHSMAbility) method() (method, mechanism, proof string) {
	if a.shrouds {
		return "shroud", "CKM_AES_CBC_PAD", "token-signature"
	}
	return "wrap", "CKM_AES_KEY_WRAP_PAD", "independent-reader"
}

// environment is what scripts know of it: $METHOD, $MECHANISM and $PROOF of a key that is wrapped.
func (a softHSMAbility) environment(env *testscript.Env) {
	method, mechanism, proof := a.method()
	env.Setenv("METHOD", method)
	env.Setenv("MECHANISM", mechanism)
	env.Setenv("PROOF", proof)
}

// condition answers [shrouds] and [wraps-ed25519].
func (a softHSMAbility) condition(name string) (bool, error) {
	switch name {
	case "shrouds":
		return a.shrouds, nil
	case "wraps-ed25519":
		return a.wrapsEdwards, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}
