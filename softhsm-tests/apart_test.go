package softhsmtests

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// apart is a token in a process of its own, behind the module that testdata/apart.c makes, with every call that reached it.
type apart struct {
	module string // for --module
	socket string // for P11APART
	// look is called for every call after the token has answered and before the caller knows: the caller stands still.
	look func(tokenCall)

	mutex  sync.Mutex
	calls  []tokenCall
	broken error
}

// tokenCall is a call as the token's side saw it.
type tokenCall struct {
	function   string
	code       uint64
	class      uint64 // CKA_CLASS of the object that was read, made or wrapped
	stored     uint64 // its CKA_TOKEN: 0, 1, or 2 where there is no object
	numbers    [3]uint64
	attributes []uint64
}

// newApart starts the server on a module; reserved is what its C_Initialize wants.
func newApart(t *testing.T, environment []string, module, reserved string) *apart {
	t.Helper()
	a := &apart{module: compile(t, "apart.c", "apart.so", "-shared", "-fPIC"), socket: filepath.Join(socketDirectory(t), "socket")}
	args := []string{module, a.socket}
	if reserved != "" {
		args = append(args, reserved)
	}
	command := exec.Command(compile(t, "apart.c", "apart", "-DSERVER", "-ldl"), args...)
	command.Env = append(os.Environ(), environment...)
	found, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	proceed, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	startServer(t, command)
	lines := bufio.NewScanner(found)
	if !lines.Scan() || lines.Text() != "listening" {
		t.Fatalf("the server of %s does not listen: %q", module, lines.Text())
	}
	if _, err := proceed.Write([]byte{'\n'}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines.Scan() {
			call, err := parseTokenCall(lines.Text())
			a.mutex.Lock()
			if err != nil && a.broken == nil {
				a.broken = err
			}
			a.calls = append(a.calls, call)
			look := a.look
			a.mutex.Unlock()
			if look != nil {
				look(call)
			}
			if _, err := proceed.Write([]byte{'\n'}); err != nil {
				return // the server has ended
			}
		}
	}()
	return a
}

func parseTokenCall(line string) (tokenCall, error) {
	var call tokenCall
	if id, ok := strings.CutPrefix(line, "client "); ok {
		pid, err := strconv.ParseUint(id, 10, 32)
		return tokenCall{function: "client", numbers: [3]uint64{pid}}, err
	}
	start, attributes, _ := strings.Cut(line, ":")
	_, err := fmt.Sscanf(start, "%s %x %x %x %x %x %x", &call.function, &call.code, &call.class, &call.stored,
		&call.numbers[0], &call.numbers[1], &call.numbers[2])
	for field := range strings.FieldsSeq(attributes) {
		attribute, fieldErr := strconv.ParseUint(field, 16, 64)
		if err == nil {
			err = fieldErr
		}
		call.attributes = append(call.attributes, attribute)
	}
	if err != nil {
		err = fmt.Errorf("line %q: %w", line, err)
	}
	return call, err
}

// environment makes the product use the token.
func (a *apart) environment() []string { return []string{"P11APART=" + a.socket} }

// watch sets what looks at the calls from now on, and forgets those before.
func (a *apart) watch(look func(tokenCall)) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.look, a.calls = look, nil
}

// rest lets the calls pass unseen again, and keeps the list.
func (a *apart) rest() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.look = nil
}

// seen lists the calls since the last watch.
func (a *apart) seen(t *testing.T) []tokenCall {
	t.Helper()
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.broken != nil {
		t.Fatal(a.broken)
	}
	return slices.Clone(a.calls)
}

// The numbers that these tests look for (PKCS#11 v2.40).
const (
	ckoPrivateKey  = 3
	ckoSecretKey   = 4
	ckaValue       = 0x11
	ckaPrivateExp  = 0x123
	ckaCoefficient = 0x128
	ckfReadWrite   = 2
	ckmAESCBCPad   = 0x1085
)

// secretAttributes are those in which a private key's value stands: CKA_VALUE, and CKA_PRIVATE_EXPONENT to CKA_COEFFICIENT.
func secretAttribute(attribute uint64) bool {
	return attribute == ckaValue || attribute >= ckaPrivateExp && attribute <= ckaCoefficient
}

// checkDiscretion wants what is true of every export that keeps the key on the token: no private part was asked for, the
// sessions were read-only, whatever was made or unwrapped was a session object and was destroyed.
func checkDiscretion(t *testing.T, calls []tokenCall) {
	t.Helper()
	count := map[string]int{}
	for _, call := range calls {
		if call.code == 0 {
			count[call.function]++
		}
		switch call.function {
		case "C_GetAttributeValue":
			if call.class == ckoPrivateKey && slices.ContainsFunc(call.attributes, secretAttribute) || call.class == ckoSecretKey && slices.Contains(call.attributes, ckaValue) {
				t.Errorf("a private part was asked for: %x", call.attributes)
			}
		case "C_OpenSession":
			if call.numbers[1]&ckfReadWrite != 0 {
				t.Errorf("a session was opened with the flags %#x", call.numbers[1])
			}
		case "C_CreateObject", "C_UnwrapKey":
			if call.code == 0 && call.stored != 0 {
				t.Errorf("%s made an object with CKA_TOKEN %d", call.function, call.stored)
			}
		case "C_WrapKey":
			if call.numbers[2] != ckmAESCBCPad {
				t.Errorf("C_WrapKey with the mechanism %#x", call.numbers[2])
			}
		}
	}
	if count["C_GetAttributeValue"] == 0 || count["C_OpenSession"] == 0 || count["C_Login"] != 1 {
		t.Errorf("%v: what was watched?", count)
	}
	if made := count["C_CreateObject"] + count["C_UnwrapKey"]; made < 3 || count["C_DestroyObject"] != made {
		t.Errorf("%d objects were made, %d destroyed", made, count["C_DestroyObject"])
	}
	for opened, closed := range map[string]string{"C_OpenSession": "C_CloseSession", "C_Initialize": "C_Finalize", "C_FindObjectsInit": "C_FindObjectsFinal"} {
		if count[opened] != count[closed] {
			t.Errorf("%d times %s, %d times %s", count[opened], opened, count[closed], closed)
		}
	}
}
