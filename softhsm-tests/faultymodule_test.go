package softhsmtests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// faultyModule is the path of the compiled testdata/faulty.c.
func faultyModule(t testing.TB) string {
	t.Helper()
	return compile(t, "faulty.c", "faulty.so", "-shared", "-fPIC", "-ldl")
}

// faulty is what all cases share: the module, and copies of one token. A copy has one run at a time, since SoftHSM2 writes
// to a token at C_Login and other processes may then read half of it. No run may change a token's objects.
type faulty struct {
	program      string
	environment  []string // more of it
	module       string
	directory    string
	tokens       []string // the configuration of each copy
	pin          string
	password     string              // a file
	certificates map[string]string   // SHA-256 of those that cases export, by the name that they use
	labels       []string            // of all objects
	every        int                 // tries one case in so many; all where it is zero
	skip         int                 // of each list, so many cases are tried already
	said         func(string) string // how this system says a word of standard error; nil for Linux
}

// mostAtOnce is how many runs there are at the same time where they only wait.
const mostAtOnce = 8

// faultyPassword stands nowhere else, so that its absence can be shown.
const faultyPassword = "Siebenschlaefer-0815"

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	f := &faulty{program: "p11bridge", module: faultyModule(t), directory: filepath.Join(t.TempDir(), "token"), certificates: map[string]string{}}
	if err := runMktoken("everything", f.directory); err != nil {
		t.Fatal(err)
	}
	pin, err := os.ReadFile(f.path("pin.txt"))
	if err != nil {
		t.Fatal(err)
	}
	f.pin, f.password = strings.TrimSpace(string(pin)), f.path("password.txt")
	if err := os.WriteFile(f.password, []byte(faultyPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range mostAtOnce {
		if err := f.copyToken(f.path(fmt.Sprintf("copy-%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *faulty) copyToken(directory string) error {
	if err := os.CopyFS(filepath.Join(directory, "tokens"), os.DirFS(f.path("tokens"))); err != nil {
		return err
	}
	text, err := os.ReadFile(f.path("softhsm2.conf"))
	if err != nil {
		return err
	}
	configuration := filepath.Join(directory, "softhsm2.conf")
	f.tokens = append(f.tokens, configuration)
	return os.WriteFile(configuration, bytes.ReplaceAll(text, []byte(f.directory), []byte(directory)), 0o600)
}

func (f *faulty) path(name string) string { return filepath.Join(f.directory, name) }

// faultyCase is one run on one fault, and what is to come of it.
type faultyCase struct {
	faults string
	export string   // exports this object; empty lists the token
	args   []string // more arguments
	keypad bool     // no PIN source: the PIN is typed on the token
	alone  bool     // no --token: the one that is there is meant

	code      int
	orCode    int    // where not zero, this exit code is as good; anyCode for all that an export may end with
	reason    string // the first reason of the failure, or one of the token's in a list
	mechanism string // of the receipt
	stderr    []string
	noLogin   bool // C_Login is never called
	unread    bool // a list that tells everything, and ends with 1 for an object that could not be read
	unwritten bool // exit code 5 without a file: nobody knows that the key cannot leave
	check     func(t *testing.T, r *faultyRun)
}

func (c faultyCase) name() string {
	return strings.Join(append([]string{c.faults, c.command(), c.export}, c.args...), " ")
}

func (c faultyCase) command() string {
	if c.export != "" {
		return "export"
	}
	return "list"
}

const anyCode = -1

// faultyRun is what came of a case.
type faultyRun struct {
	faultyCase
	directory string // where the file was to be
	code      int
	stdout    string
	stderr    string
	took      time.Duration
	inTime    bool
	counts    map[string]int // calls by function and strikes by fault; nil where C_Finalize was not reached
	document  map[string]any
}

// try runs the product as a person does, with nobody at a terminal.
func (f *faulty) try(c faultyCase, token, directory string) (*faultyRun, error) {
	r := &faultyRun{faultyCase: c, directory: directory, inTime: true}
	counts := directory + ".counts"
	args := []string{c.command(), "--module", f.module, "--json", "--timeout", callLimit(c.faults)}
	if !c.alone {
		args = append(args, "--token", "demo")
	}
	if !c.keypad {
		args = append(args, "--pin-source", "file:"+f.path("pin.txt"))
	}
	if c.export != "" {
		args = append(args, c.export, "-o", r.target(), "--password-source", "file:"+f.password, "--iterations", "2000")
	}
	ctx, cancel := context.WithDeadline(context.Background(), lastMoment())
	defer cancel()
	command := exec.CommandContext(ctx, f.program, append(args, c.args...)...)
	command.Env = append(os.Environ(), "LC_ALL=C", "SOFTHSM2_CONF="+token, "P11FAULT="+strings.TrimPrefix(c.faults+",count", ","),
		"P11FAULT_COUNT="+counts, "P11FAULT_ONE=1")
	command.Env = append(command.Env, f.environment...)
	if c.keypad {
		command.Env = append(command.Env, "P11FAULT_PIN="+f.pin)
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	command.WaitDelay = 5 * time.Second
	start := time.Now()
	err := command.Run()
	r.took, r.stdout, r.stderr, r.inTime = time.Since(start), stdout.String(), stderr.String(), ctx.Err() == nil
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	r.code = command.ProcessState.ExitCode()
	text, err := os.ReadFile(counts)
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	r.counts = map[string]int{}
	for line := range strings.Lines(string(text)) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", counts, err)
		}
		r.counts[name] += n
	}
	return r, err
}

// callLimit is --timeout for a run on these faults: short where a call hangs, and else longer than a busy machine needs.
func callLimit(faults string) string {
	if strings.Contains(faults, "hang") {
		return "2s"
	}
	return "2m"
}

func (r *faultyRun) target() string { return filepath.Join(r.directory, "copy.pfx") }

// done reports whether the run did what it was asked for, if not all that it would.
func (r *faultyRun) done() bool { return r.code == 0 || r.code == 5 && !r.unwritten || r.unread }

// run tries all cases, several at a time, and then checks each.
func (f *faulty) run(t *testing.T, atOnce int, cases []faultyCase) {
	t.Helper()
	cases = f.some(cases)
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	runs, failures := make([]*faultyRun, len(cases)), make([]error, len(cases))
	places := t.TempDir()
	var group sync.WaitGroup
	free := make(chan string, atOnce)
	for _, token := range f.tokens[:atOnce] {
		free <- token
	}
	for i, c := range cases {
		directory := filepath.Join(places, strconv.Itoa(i))
		if err := os.Mkdir(directory, 0o700); err != nil {
			t.Fatal(err)
		}
		token := <-free
		group.Go(func() {
			runs[i], failures[i] = f.try(c, token, directory)
			free <- token
		})
	}
	group.Wait()
	for i, c := range cases {
		t.Run(c.name(), func(t *testing.T) {
			if failures[i] != nil {
				t.Fatal(failures[i])
			}
			defer func() { // a check that ends the test must not hide what was said
				if t.Failed() {
					t.Logf("exit code %d after %s\n[stdout]\n%s[stderr]\n%s[calls] %v", runs[i].code, runs[i].took, runs[i].stdout, runs[i].stderr, runs[i].counts)
				}
			}()
			f.check(t, runs[i])
		})
	}
}

// some thins the cases out, where not every one is to be tried.
func (f *faulty) some(cases []faultyCase) []faultyCase {
	if f.every == 0 {
		return cases
	}
	var kept []faultyCase
	for i := min(f.skip, len(cases)-1); i < len(cases); i += f.every {
		kept = append(kept, cases[i])
	}
	return kept
}
