package softhsmtests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hostileModes are all lies of testdata/hostile.c that may strike any command.
var hostileModes = []string{
	"changing:0x11", "changing:0x102", "changing:0x120", "changing:0x3", "changing:0x0", "changing:0x162", "changing:0x181",
	"another:0x11", "another:0x102", "another:0x120", "another:0x181", "another:0x3",
	"longer:0x11", "longer:0x102", "longer:0x120", "longer:0x0", "longer:0x181", "shorter:0x11", "shorter:0x102", "shorter:0x120", "shorter:0x0", "shorter:0x162",
	"shorter:0x181", "claims:C_GetSlotList:0xffffffff", "claims:C_GetMechanismList:0xffffffff", "claims:C_WrapKey:0xffffffff", "claims:C_Sign:0xffffffff",
	"forever", "login", "nul", "stale", "nothing",
	"write:0:2", "write:3:99", "close:3:99", "other:C_CreateObject", "other:C_UnwrapKey", "other:C_GenerateKeyPair",
}

// hostileModule is the path of the compiled testdata/hostile.c.
func hostileModule(t *testing.T) string {
	t.Helper()
	return compile(t, "hostile.c", "hostile.so", "-shared", "-fPIC", "-ldl")
}

// performHostile runs a command in a fresh copy of its scene with a module that lies.
func (s *stage) performHostile(t *testing.T, module string, c *sweptCommand, directory, mode string, more ...string) *after {
	t.Helper()
	s.setUp(t, c, directory)
	environment := []string{"P11HOSTILE=" + mode, "P11HOSTILE_MODULE=" + s.module, "P11FAULT_MODULE=" + s.census.module, "P11FAULT=" + c.faults}
	args := append(slices.Clone(c.args), "--module="+module, tokenArgument, pinArgument)
	r := s.run(directory, environment, append(args, more...)...)
	if strings.HasPrefix(mode, "close:") { // SoftHSM's own file as well, in the middle of C_Login
		mendToken(t, s.scenes[c.scene], directory, true)
	}
	a := s.lookAfter(s.scenes[c.scene], directory, r)
	if strings.Contains(r.stdout, "P11HOSTILE") {
		a.breaks(moduleNamed, "on standard output")
	}
	return a
}

// hostileTry is one lie to one command.
type hostileTry struct {
	command *sweptCommand
	mode    string
}

// testHostile tells every lie to every command. What must come of each is said by the rows of testAnswers; here nothing may be lost, or be
// called done that is not.
func (s *stage) testHostile(t *testing.T) {
	size, module := s.size(t, 100), hostileModule(t)
	var tries []hostileTry
	for _, c := range s.sampled() {
		for _, mode := range hostileModes {
			tries = append(tries, hostileTry{&c, mode})
		}
	}
	counts := newSweepCounts(t)
	spread(t, sampleOf(tries, size), func(try hostileTry, directory string) {
		c := try.command
		a := s.performHostile(t, module, c, directory, try.mode)
		switch {
		case a.run.code != 0:
			a.checkReported()
			a.checkFilesReported()
			if a.run.code == 3 || a.run.code == 6 {
				a.breaks(falseRefusal, "exit code %d", a.run.code)
			}
		case c.does != nil && c.does(a) != "":
			a.breaks(falseExit, "%s", c.does(a))
		}
		if lost := a.lostKeys(); !c.leaves && len(lost) > 0 {
			a.breaks(keyLost, "%q are no longer on the token", lost)
		}
		counts.add(c.name, "P11HOSTILE="+try.mode, a)
	})
	counts.report()
}

// hostileRow is one lie to one command, with what must come of it.
type hostileRow struct {
	mode, command string
	code          int
	words         []string // that the text must have
}

// hostileRows: a module that lies has failed, which is exit code 1 and no verdict on the key, and the text names the call. A lie
// about what is not needed is none of the user's business.
var hostileRows = []hostileRow{
	{"none", "export wrap RSA", 0, nil},
	{"claims:C_GetSlotList:0xffffffff", "list", 1, []string{"C_GetSlotList"}},
	{"claims:C_GetMechanismList:0xffffffff", "export wrap EC", 0, nil},
	{"claims:C_WrapKey:0xffffffff", "export wrap EC", 0, nil},
	{"claims:C_Sign:0xffffffff", "verify --against EC", 0, nil},
	{"forever", "list", 1, []string{"C_FindObjects", "came twice"}},
	{"forever", "export --all", 1, []string{"C_FindObjects"}},
	{"nul", "list", 0, nil},
	{"nothing", "export --delete-key EC", 1, []string{"C_Sign"}},
	{"nothing", "verify --against EC", 1, []string{"C_Sign"}},
	{"write:0:2", "status", 0, nil},
	{"write:3:99", "list", 0, nil},
	{"write:3:99", "export wrap EC", 0, nil},
	{"longer:0x102", "export wrap RSA", 0, nil}, // the public key links
	{"another:0x102", "export wrap RSA", 0, nil},
	{"close:3:99", "list", 1, []string{"C_Initialize"}},
	{"close:3:99", "export wrap EC", 1, []string{"C_Initialize"}},
	{"changing:0x11", "export attributes", 2, []string{"names several objects"}}, // a key, and a certificate that is another one each time
	// Of the public half each object tells another story: what a signature shows, counts.
	{"changing:0x120", "status", 5, []string{"no backup recorded"}},
	{"changing:0x181", "export wrap EC", 2, []string{"names several objects"}},
	{"another:0x120", "export wrap RSA", 0, nil}, {"longer:0x120", "status", 0, nil}, {"shorter:0x120", "export wrap EC", 0, nil},
	{"another:0x181", "status", 0, nil}, {"longer:0x181", "status", 0, nil}, {"shorter:0x181", "status", 0, nil},
	{"another:0x11", "export wrap EC", 0, nil}, {"longer:0x11", "export wrap EC", 0, nil},
	{"shorter:0x102", "export wrap EC", 0, nil},
	{"changing:0x3", "export wrap EC", 0, []string{"is used"}}, // by its certificate's CN, which is the name that was typed
	{"another:0x3", "status", 0, nil},                          // the certificates tell the keys apart
	{"changing:0x162", "status", 0, nil},
	{"shorter:0x162", "status", 1, []string{"could not be read"}},
	{"shorter:0x162", "export wrap EC", 1, []string{"C_GetAttributeValue", "CKA_EXTRACTABLE"}},
	{"longer:0x0", "list", 1, []string{"C_GetAttributeValue"}},
	{"shorter:0x0", "status", 1, []string{"C_GetAttributeValue", "CKA_CLASS"}},
	{"login", "status", 1, []string{"C_Login", "C_GetSessionInfo"}},
	{"login", "export --delete-key EC", 1, []string{"C_Login"}},
	{"label", "list", 1, []string{"was not found"}},
	// A handle of another object: nothing but the run's own may be destroyed.
	{"other:C_CreateObject", "restore create RSA", 1, []string{"C_CreateObject"}},
	{"other:C_CreateObject", "install", 1, []string{"C_CreateObject", "there before"}},
	{"other:C_CreateObject", "restore unwrap RSA", 1, []string{"C_CreateObject"}},
	{"other:C_UnwrapKey", "restore unwrap RSA", 1, []string{"C_UnwrapKey", "there before"}},
	{"other:C_UnwrapKey", "restore shroud RSA", 1, []string{"C_UnwrapKey", "there before"}},
	{"other:C_CreateObject", "export wrap RSA", 1, []string{"C_CreateObject"}},
	{"other:C_UnwrapKey", "export shroud RSA", 1, []string{"C_UnwrapKey"}},
	{"other:C_GenerateKeyPair", "request", 1, []string{"C_GenerateKeyPair", "there before"}},
	{"shorter:0x11", "restore create EC", 1, []string{"C_GetAttributeValue"}}, // the certificate that is there: no second one
	{"changing:0x11", "restore create EC", 1, []string{"C_GetAttributeValue"}},
	{"changing:0x0", "export --all", 1, []string{"C_GetAttributeValue", "CKA_CLASS"}}, // any of them may be a private key
	{"changing:0x102", "request", 1, []string{"CKA_ID"}},                              // the CKA_ID that it was given is named, too
	{"stale", "verify --against RSA", 1, []string{"C_Sign"}},                          // the token told whose the key is, and then signs as another
	{"close:3:99", "export --all --delete-key", 1, []string{"C_Initialize"}},
}

func (s *stage) testHostileRows(t *testing.T) {
	module := hostileModule(t)
	commands := map[string]*sweptCommand{}
	for _, c := range s.commands() {
		commands[c.name] = &c
	}
	for _, mode := range hostileModes {
		if !slices.ContainsFunc(hostileRows, func(row hostileRow) bool { return row.mode == mode }) {
			t.Errorf("no row says what must come of %s", mode)
		}
	}
	rows := hostileRows
	if os.Getenv("SWEEP") == "" {
		rows = sampled(t, 3, rows)
	}
	for _, row := range rows {
		if os.Getenv("SWEEP_COMMAND") != "" && commands[row.command] == nil {
			continue
		}
		t.Run(row.mode+" "+row.command, func(t *testing.T) {
			a := s.performHostile(t, module, commands[row.command], filepath.Join(t.TempDir(), "scene"), row.mode)
			if a.run.code != 0 {
				a.checkReported()
				a.checkFilesReported()
			}
			for _, b := range a.broken {
				t.Errorf("%s: %s", b.breach, b.what)
			}
			if a.run.code != row.code {
				t.Errorf("exit code %d instead of %d", a.run.code, row.code)
			}
			for _, word := range row.words {
				if !strings.Contains(a.text(), word) {
					t.Errorf("the text has no %q", word)
				}
			}
			if t.Failed() {
				t.Logf("%.1500s", a.text())
			}
		})
	}
}
