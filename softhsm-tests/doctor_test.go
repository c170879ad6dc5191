package softhsmtests

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// health is what doctor --json wrote.
type health struct {
	Usable  int `json:"usable_tokens"`
	Reasons []statedReason
	Modules []struct {
		Path    string
		Health  string `json:"health"`
		Library *struct{ Manufacturer string }
		PCSC    bool
		Reasons []statedReason
		Slots   []struct {
			State   string
			Reasons []statedReason
			Token   *struct {
				Label   string
				Shroud  bool
				Wrap    []string
				Objects *struct {
					All         int
					PrivateKeys int `json:"private_keys"`
				}
			}
		}
	}
	PCSCD struct{ Answers bool }
}

// doctorRun is one run of doctor and what it wrote.
type doctorRun struct {
	*result
	health health
}

// doctor runs it with --json on one module; the document fits its schema.
func doctor(t *testing.T, environment []string, module string, args ...string) doctorRun {
	t.Helper()
	r := doctorRun{result: p11bridge(t, environment, append([]string{"doctor", "--json", "--module", module}, args...)...)}
	if err := json.Unmarshal([]byte(r.stdout), &r.health); err != nil {
		t.Fatal(err)
	}
	if len(r.health.Modules) != 1 || r.health.Modules[0].Path != module {
		t.Fatalf("%d modules:\n%s", len(r.health.Modules), r.stdout)
	}
	return r
}

// all gives the module's reasons and those of its slots.
func (r doctorRun) all() []statedReason {
	reasons := slices.Clone(r.health.Modules[0].Reasons)
	for _, slot := range r.health.Modules[0].Slots {
		reasons = append(reasons, slot.Reasons...)
	}
	return reasons
}

// states wants the reason with this evidence.
func (r doctorRun) states(t *testing.T, code string, evidence map[string]any) {
	t.Helper()
	for _, reason := range r.all() {
		fits := reason.Code == code
		for name, want := range evidence {
			fits = fits && reason.Evidence[name] == want
		}
		if fits {
			return
		}
	}
	t.Errorf("no %s with %v among %q\n%s%s", code, evidence, codesOf(r.all()), r.stdout, r.stderr)
}

// asked are the functions that doctor calls, in their order.
var asked = []string{
	"C_GetFunctionList", "C_Initialize", "C_GetInfo", "C_GetSlotList", "C_GetSlotInfo", "C_GetTokenInfo", "C_GetMechanismList", "C_GetMechanismInfo",
	"C_OpenSession", "C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal", "C_CloseSession", "C_Finalize",
}

// doctorCase is one run of doctor on the faulty module.
type doctorCase struct {
	faults   string
	code     int
	health   string
	reason   string
	evidence map[string]any
	check    func(t *testing.T, r doctorRun)
}

// misbehavingCalls are every way to misbehave in every call that doctor makes.
func misbehavingCalls(module string) []doctorCase {
	var cases []doctorCase
	for i, function := range asked {
		knows := func(t *testing.T, r doctorRun) { r.knows(t, i) }
		cases = append(cases,
			doctorCase{"crash:" + function, 1, "broken", "module-crashed", map[string]any{"function": function, "signal": "SIGSEGV", "module": module}, knows},
			doctorCase{"abort:" + function, 1, "broken", "module-crashed", map[string]any{"function": function, "signal": "SIGABRT"}, knows},
			doctorCase{"exit:" + function, 1, "broken", "module-exited", map[string]any{"function": function}, knows},
			doctorCase{"hang:" + function, 1, "broken", "module-hung", map[string]any{"function": function}, knows})
		refused := doctorCase{"error:" + function + ":0x6", 1, "look", "module-failed", map[string]any{"function": function, "CKR": "CKR_FUNCTION_FAILED"}, nil}
		switch function {
		case "C_GetFunctionList":
			refused.health, refused.reason, refused.evidence = "broken", "module-function-list-failed", map[string]any{"problem": "C_GetFunctionList: CKR_FUNCTION_FAILED"}
		case "C_Initialize", "C_GetInfo":
			refused.health, refused.reason = "broken", "module-initialize-failed"
		case "C_GetSlotList":
			refused.health = "broken"
		case "C_GetSlotInfo", "C_GetTokenInfo": // the other slot can do nothing for anybody
			refused.faults = strings.Replace(refused.faults, ":0x6", "@1:0x6", 1)
		case "C_GetMechanismInfo": // a mechanism whose uses are not told is listed all the same
			refused = doctorCase{faults: refused.faults, health: "ok", reason: "keys-hidden-until-login"}
		case "C_Finalize":
			refused.health = "broken"
		}
		cases = append(cases, refused)
	}
	return cases
}

// knows wants what was known when the module misbehaved in this call of those that are asked, and no more.
func (r doctorRun) knows(t *testing.T, call int) {
	t.Helper()
	if library := r.health.Modules[0].Library; (library != nil) != (call > slices.Index(asked, "C_GetInfo")) {
		t.Errorf("what C_GetInfo told: %v", library)
	}
	if slots := len(r.health.Modules[0].Slots); (slots > 0) != (call > slices.Index(asked, "C_GetTokenInfo")) {
		t.Errorf("%d slots", slots)
	}
	if slices.Contains(codesOf(r.all()), "module-printed") {
		t.Errorf("what Go's runtime says of a crash is taken for what the module printed:\n%s", r.stdout)
	}
}

// tokenStates are what a module that works can say of its token, and two ways to print and to be set up wrongly.
var tokenStates = []doctorCase{
	{faults: "", health: "ok", reason: "keys-hidden-until-login", check: func(t *testing.T, r doctorRun) {
		r.ways(t, false, "CKM_AES_KEY_WRAP_PAD", "CKM_AES_KEY_WRAP")
		if objects := r.health.Modules[0].Slots[0].Token.Objects; objects == nil || objects.All < 10 || objects.PrivateKeys != 0 {
			t.Errorf("%+v are counted without a login", objects)
		}
	}},
	{faults: "flags:+0x40000", code: 1, health: "look", reason: "pin-locked", evidence: map[string]any{"CKF_USER_PIN_LOCKED": true}},
	{faults: "flags:+0x20000", code: 1, health: "look", reason: "pin-last-attempt"},
	{faults: "flags:+0x80000", code: 1, health: "look", reason: "pin-must-change"},
	{faults: "flags:-0x8", code: 1, health: "look", reason: "pin-not-set"},
	{faults: "flags:-0x400", code: 1, health: "look", reason: "token-not-initialised"},
	{faults: "pinpad", health: "ok", reason: "pinpad-required"},
	{faults: "no-wrap", health: "ok", reason: "keys-hidden-until-login", check: func(t *testing.T, r doctorRun) { r.ways(t, false) }},
	{faults: "only:0x210A", health: "ok", reason: "keys-hidden-until-login", check: func(t *testing.T, r doctorRun) { r.ways(t, false, "CKM_AES_KEY_WRAP_PAD") }},
	{faults: "endless", code: 1, health: "look", reason: "module-failed", evidence: map[string]any{"function": "C_FindObjects"}},
	{faults: "removed:8", code: 1, health: "broken", reason: "module-failed", evidence: map[string]any{"function": "C_Finalize", "CKR": "CKR_DEVICE_REMOVED"}},
	{faults: "print", health: "ok", reason: "module-printed", check: func(t *testing.T, r doctorRun) {
		if text, _ := r.health.Modules[0].Reasons[0].Evidence["printed"].(string); !strings.Contains(text, "P11FAULT-RUBBISH") {
			t.Errorf("it is said to have printed %q", text)
		}
		if err := checkPrintable(r.stdout + r.stderr); err != nil {
			t.Error(err)
		}
	}},
	{faults: "print,crash:C_GetSlotList@2", code: 1, health: "broken", reason: "module-crashed", evidence: map[string]any{"function": "C_GetSlotList"}},
	{faults: "misspelt", code: 1, health: "broken", reason: "module-function-list-failed"},
}

// TestDoctorNames shows for every way to misbehave, in every call that doctor makes, that doctor ends in time, names the
// call, tells what was known before, and never logs in.
func TestDoctorNames(t *testing.T) {
	t.Parallel()
	f := newFaulty(t)
	free := make(chan string, len(f.tokens))
	for _, token := range f.tokens {
		free <- token
	}
	for _, c := range sampled(t, 6, append(misbehavingCalls(f.module), tokenStates...)) {
		t.Run(c.faults, func(t *testing.T) {
			t.Parallel()
			token := <-free
			defer func() { free <- token }()
			trace := filepath.Join(t.TempDir(), "trace")
			r := doctor(t, []string{"SOFTHSM2_CONF=" + token, "P11FAULT=" + c.faults}, f.module, "--timeout", callLimit(c.faults), "--trace", trace)
			if r.code != c.code || r.health.Modules[0].Health != c.health {
				t.Errorf("exit code %d and %q, not %d and %q\n%s%s", r.code, r.health.Modules[0].Health, c.code, c.health, r.stdout, r.stderr)
			}
			r.states(t, c.reason, c.evidence)
			if c.check != nil {
				c.check(t, r)
			}
			text, err := os.ReadFile(trace)
			if err != nil || strings.Contains(string(text), "C_Login") || !strings.HasPrefix(string(text), "# p11bridge trace\n# "+f.module+"\n") {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

// TestDoctorNamesLong has the other ways and calls.
func TestDoctorNamesLong(t *testing.T) { TestDoctorNames(t) }

// ways wants the first token to list these ways out.
func (r doctorRun) ways(t *testing.T, shroud bool, wrap ...string) {
	t.Helper()
	slots := r.health.Modules[0].Slots
	if len(slots) == 0 || slots[0].Token == nil || slots[0].Token.Shroud != shroud || !slices.Equal(slots[0].Token.Wrap, wrap) {
		t.Errorf("the ways out are not %v and %q:\n%s", shroud, wrap, r.stdout)
	}
}

// TestReadersService shows a module that reaches its readers through pcscd, without that service and with one that takes
// every connection and shows no reader. It is told by what it loads, whatever its name.
func TestReadersService(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(library(t, "opensc-pkcs11.so"))
	if err != nil {
		t.Fatal(err)
	}
	module := write(t, t.TempDir(), "token.so", content)
	socket := filepath.Join(socketDirectory(t), "pcscd.comm")
	environment := []string{"PCSCLITE_CSOCK_NAME=" + socket}
	r := doctor(t, environment, module)
	r.states(t, "pcscd-not-running", map[string]any{"socket": socket, "problem": "no such file or directory"})
	if r.code != 1 || r.health.PCSCD.Answers || !r.health.Modules[0].PCSC || r.health.Modules[0].Health != "look" {
		t.Errorf("exit code %d\n%s", r.code, r.stdout)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				err = connection.Close()
			}
			if err != nil {
				t.Error(err)
			}
		}
	}()
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	})
	r = doctor(t, environment, module, "--timeout", (30 * time.Second).String())
	r.states(t, "no-reader", map[string]any{"slots": 0.0})
	if r.code != 1 || !r.health.PCSCD.Answers || slices.Contains(codesOf(r.all()), "pcscd-not-running") {
		t.Errorf("exit code %d\n%s", r.code, r.stdout)
	}
}

// lyingModule is a module whose counts lie.
const lyingModule = `
#include <string.h>
typedef unsigned long U;
static U done(void *a) { return 0; }
static U info(void *i) { memset(i, ' ', 88); return 0; }
static U slots(unsigned char present, U *list, U *n) { *n = SLOTS; if (list != NULL) for (U i = 0; i < 2; i++) list[i] = i; return 0; }
static U slot(U s, void *i) { memset(i, 0xff, 112); return 0; }
static U token(U s, void *i) { memset(i, 0xff, 204); return 0; }
static U mechanisms(U s, U *list, U *n) { *n = MECHANISMS; return 0; }
static struct { unsigned char major, minor; void *f[68]; } all = { 2, 40, { done, done, info, 0, slots, slot, token, mechanisms } };
U C_GetFunctionList(void **list) { *list = &all; return 0; }
`

// TestLyingCounts shows what becomes of a module that claims more slots or mechanisms than there can be.
func TestLyingCounts(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	source := write(t, directory, "lies.c", []byte(lyingModule))
	for name, row := range map[string]struct {
		slots, mechanisms, function string
		codes                       []string // any of them
	}{
		"no such number of slots":      {"~0UL", "0", "C_GetSlotList", []string{"module-failed"}},
		"more slots than memory":       {"1UL<<40", "0", "C_GetSlotList", []string{"module-failed"}},
		"no such number of mechanisms": {"2", "~0UL", "C_GetMechanismList", []string{"module-failed"}},
		"more mechanisms than memory":  {"2", "1UL<<40", "C_GetMechanismList", []string{"module-failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			module := filepath.Join(t.TempDir(), "lies.so")
			mustForeign(t, directory, "gcc", "-shared", "-fPIC", "-w", "-DSLOTS="+row.slots, "-DMECHANISMS="+row.mechanisms, "-o", module, source)
			r := doctor(t, nil, module, "--timeout", "20s")
			named := slices.ContainsFunc(r.all(), func(reason statedReason) bool {
				return slices.Contains(row.codes, reason.Code) && reason.Evidence["function"] == row.function
			})
			if r.code != 1 || !named {
				t.Errorf("exit code %d, none of %q in %s\n%s%s", r.code, row.codes, row.function, r.stdout, r.stderr)
			}
			if row.slots == "2" {
				return // the other commands do not ask for the mechanisms before they open a session
			}
			list := p11bridge(t, nil, "list", "--json", "--module", module, "--timeout", "20s")
			if codes := codesOf(list.document.Reasons); list.code != 1 || len(codes) != 1 || !slices.Contains(row.codes, codes[0]) {
				t.Errorf("list: exit code %d and %q instead of one of %q\n%s", list.code, codes, row.codes, list.stderr)
			}
		})
	}
}

// TestUnusableModule shows for every command that opens a module what it says of a file that is none.
func TestUnusableModule(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	library, err := os.ReadFile(softHSM(t))
	if err != nil {
		t.Fatal(err)
	}
	patched := func(name string, at int, bytes ...byte) string {
		return write(t, directory, name, slices.Concat(library[:at], bytes, library[at+len(bytes):]))
	}
	files := []struct{ path, reason string }{
		{filepath.Join(directory, "nowhere.so"), "module-missing"},
		{"libnowhere.so.9", "module-missing"},
		{directory, "module-not-a-library"},
		{write(t, directory, "text.so", []byte("Ceci n'est pas un module.\n")), "module-not-a-library"},
		{write(t, directory, "empty.so", nil), "module-not-a-library"},
		{write(t, directory, "cut.so", library[:5000]), "module-not-a-library"},
		{patched("32-bit.so", 4, 1), "module-wrong-architecture"},         // EI_CLASS
		{patched("i386.so", 18, 3, 0), "module-wrong-architecture"},       // e_machine
		{patched("big-endian.so", 5, 2), "module-wrong-architecture"},     // EI_DATA: the machine's number reads otherwise
		{patched("aarch64.so", 18, 0xB7, 0), "module-wrong-architecture"}, // e_machine
		{"libc.so.6", "module-not-pkcs11"},
	}
	commands := [][]string{
		{"list"}, {"diagnose"}, {"snapshot", "-o", filepath.Join(directory, "snapshot.json")},
		{"export", "alice", "-o", filepath.Join(directory, "alice.pfx"), "--password-source", "generate"},
		{"request", "alice", "-o", filepath.Join(directory, "alice.csr")}, {"doctor"},
	}
	for _, file := range files {
		for _, command := range sampled(t, 3, commands) {
			t.Run(command[0]+" "+filepath.Base(file.path), func(t *testing.T) {
				r := p11bridge(t, nil, append(command, "--json", "--module", file.path)...)
				if r.code != 1 {
					t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
				}
				reasons := r.document.Reasons
				if command[0] == "doctor" {
					var h health
					if err := json.Unmarshal([]byte(r.stdout), &h); err != nil {
						t.Fatal(err)
					}
					reasons = h.Modules[0].Reasons
				}
				if codes := codesOf(reasons); len(codes) != 1 || codes[0] != file.reason {
					t.Errorf("the reasons are %q, not %s\n%s%s", codes, file.reason, r.stdout, r.stderr)
				}
			})
		}
	}
}

// TestUnusableModuleLong has the other commands.
func TestUnusableModuleLong(t *testing.T) { TestUnusableModule(t) }
