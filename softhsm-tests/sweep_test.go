package softhsmtests

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sweptCodes are what a call answers in its place. The last is one that no specification knows.
var sweptCodes = []string{
	"0x2", "0x5", "0x6", "0x13", "0x30", "0x32", "0x54", "0x63", "0x70", "0x82", "0xB3", "0xD1", "0xE0", "0x101", "0x150", "0x80000001",
}

// codesOfFunction are those that mean something of their own where this function answers them.
var codesOfFunction = map[string][]string{
	"C_Login":         {"0xA0", "0xA2", "0xA3", "0xA4", "0x100", "0x102", "0x104"},
	"C_WrapKey":       {"0x69", "0x6A", "0x62", "0x113", "0x115"},
	"C_UnwrapKey":     {"0xF0", "0x110", "0x112"},
	"C_CreateObject":  {"0x31", "0xE2", "0x10"},
	"C_DestroyObject": {"0x1B", "0xE2"},
	"C_OpenSession":   {"0xB1", "0xB7", "0xE2"},
	"C_Initialize":    {"0x191", "0xA"},
}

// sweptModes are the ways in which a call fails: not made, made all the same, and the two with nothing answering any more.
var sweptModes = []string{"error", "after", "dead", "pulled"}

// sweptFault is one fault of one run.
type sweptFault struct {
	command        *sweptCommand
	mode, function string
	nth            int
	code           string
}

func (f sweptFault) String() string {
	return fmt.Sprintf("%s:%s@%d:%s", f.mode, f.function, f.nth, f.code)
}

// size is how many faults a run of the tests tries: SWEEP=full is what make sweep sets, a number is a sample of so many.
// SWEEP_COMMAND tries only the commands whose names begin so, SWEEP_FAULT only this fault, as a report gives it, SWEEP_AT_ONCE
// so many at a time; SWEEP_SHOW shows every broken invariant, and not only the first ones of a kind.
func (s *stage) size(t *testing.T, sample int) int {
	t.Helper()
	switch wanted := os.Getenv("SWEEP"); wanted {
	case "":
		return sample / s.oneOf
	case "full":
		return 0
	default:
		n, err := strconv.Atoi(wanted)
		if err != nil {
			t.Fatalf("SWEEP: %v", err)
		}
		return n
	}
}

// TestSweep ends every command in every way that is known, and holds what is left against what must be true however a run ends.
// It tries a twelfth of the sample that TestSweepLong takes, of one command in three, and one row in three.
func TestSweep(t *testing.T) {
	t.Parallel()
	sweep(t, 12)
}

func TestSweepLong(t *testing.T) {
	t.Parallel()
	sweep(t, 1)
}

// sweep tries one of so many faults of a sample.
func sweep(t *testing.T, oneOf int) {
	t.Helper()
	s := newStage(t)
	s.oneOf = oneOf
	t.Run("calls", s.testCalls)
	t.Run("system calls", s.testSystemCalls)
	t.Run("kills", s.testKills)
	if oneOf == 1 || os.Getenv("SWEEP") != "" {
		t.Run("deaths", s.testDeaths)
		t.Run("system deaths", s.testSystemDeaths)
	}
	t.Run("hostile", s.testHostile)
	t.Run("hostile rows", s.testHostileRows)
}

// testCalls fails the calls of every command one at a time. A sample is taken of all commands evenly.
func (s *stage) testCalls(t *testing.T) {
	size := s.size(t, 240)
	var faults []sweptFault
	clean := map[string]*after{}
	for _, c := range s.sampled() {
		a, calls := s.rehearse(t, &c)
		clean[c.name] = a
		faults = append(faults, faultsOf(&c, calls)...)
	}
	chosen := sampleOf(faults, size)
	if wanted := os.Getenv("SWEEP_FAULT"); wanted != "" {
		chosen = nil
		for _, c := range s.commands() {
			chosen = append(chosen, theFault(t, &c, wanted))
		}
	}
	sweepCounts := newSweepCounts(t)
	spread(t, chosen, func(fault sweptFault, directory string) {
		a := s.strike(t, fault, directory, clean[fault.command.name])
		sweepCounts.add(fault.command.name, fmt.Sprintf("P11FAULT=%v", fault), a)
	})
	sweepCounts.report()
	if os.Getenv("SWEEP") == "full" && os.Getenv("SWEEP_COMMAND") == "" && os.Getenv("SWEEP_FAULT") == "" && len(chosen) < 10_000 {
		t.Errorf("only %d faults", len(chosen))
	}
}

// theFault reads a fault as it is written by String: any one, and not only those that the sweep tries.
func theFault(t *testing.T, c *sweptCommand, text string) sweptFault {
	t.Helper()
	mode, rest, _ := strings.Cut(text, ":")
	function, rest, _ := strings.Cut(rest, "@")
	number, code, found := strings.Cut(rest, ":")
	nth, err := strconv.Atoi(number)
	if !found || err != nil {
		t.Fatalf("SWEEP_FAULT=%s is not as mode:C_Function@number:code", text)
	}
	return sweptFault{c, mode, function, nth, code}
}

// sampleOf takes about so many, evenly; all where the size is 0.
func sampleOf[fault any](faults []fault, size int) (chosen []fault) {
	every := 1
	if size > 0 {
		every = max(1, len(faults)/size)
	}
	for i := 0; i < len(faults); i += every {
		chosen = append(chosen, faults[i])
	}
	return chosen
}

// spread runs faults in directories of their own, as many at a time as there are processors, or SWEEP_AT_ONCE.
func spread[fault any](t *testing.T, faults []fault, run func(fault, string)) {
	t.Helper()
	atOnce := runtime.NumCPU()
	if n, err := strconv.Atoi(os.Getenv("SWEEP_AT_ONCE")); err == nil {
		atOnce = n
	}
	next := make(chan fault)
	var group sync.WaitGroup
	for i := range max(1, min(atOnce, 16)) {
		directory := filepath.Join(t.TempDir(), strconv.Itoa(i))
		group.Go(func() {
			for fault := range next {
				run(fault, directory)
			}
		})
	}
	for _, fault := range faults {
		next <- fault
	}
	close(next)
	group.Wait()
}

// rehearse runs a command without a fault, which must do what it promises, and gives the calls that it made.
func (s *stage) rehearse(t *testing.T, c *sweptCommand) (*after, []string) {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "rehearsal")
	a := s.perform(t, c, directory, "")
	if a.run.code != 0 || len(a.broken) > 0 {
		t.Fatalf("%s without a fault: exit code %d, broken %v\n%s", c.name, a.run.code, a.broken, a.text())
	}
	if c.does != nil {
		if missing := c.does(a); missing != "" {
			t.Fatalf("%s without a fault: %s", c.name, missing)
		}
	}
	calls := callsIn(readLog(t, directory))
	if len(calls) < 20 {
		t.Fatalf("%s made only the calls %q", c.name, calls)
	}
	return a, calls
}

// callsIn lists the functions of a log, without what it says of them.
func callsIn(log string) (calls []string) {
	for line := range strings.Lines(log) {
		calls = append(calls, strings.Fields(line)[0])
	}
	return calls
}

func readLog(t *testing.T, directory string) string {
	t.Helper()
	text, err := os.ReadFile(directory + ".log")
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	return string(text)
}

// perform runs a command in a fresh copy of its scene.
func (s *stage) perform(t *testing.T, c *sweptCommand, directory, fault string) *after {
	t.Helper()
	s.setUp(t, c, directory)
	kinds := slices.DeleteFunc([]string{"log", fault, c.faults}, func(kind string) bool { return kind == "" })
	environment := []string{"P11FAULT=" + strings.Join(kinds, ","), "P11FAULT_LOG=" + directory + ".log", "P11FAULT_MODULE=" + s.census.module}
	r := s.run(directory, environment, append(slices.Clone(c.args), "--module="+s.module, tokenArgument, pinArgument)...)
	return s.lookAfter(s.scenes[c.scene], directory, r)
}

// setUp makes a fresh copy of a command's scene, without the log of the last run.
func (s *stage) setUp(t *testing.T, c *sweptCommand, directory string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(directory), os.RemoveAll(directory+".log"), copyTree(s.scenes[c.scene].directory, directory)); err != nil {
		t.Error(err)
	}
}

// faultsOf lists what is done to the calls of a command. A call that comes seldom fails with every code; the calls of one
// function that come often share the codes.
func faultsOf(c *sweptCommand, calls []string) (faults []sweptFault) {
	total := map[string]int{}
	for _, function := range calls {
		total[function]++
	}
	nth, turn := map[string]int{}, 0
	for _, function := range calls {
		nth[function]++
		codes := append(slices.Clone(sweptCodes), codesOfFunction[function]...)
		share := max(2, len(codes)/(2*total[function]))
		for _, mode := range sweptModes {
			for range share {
				faults = append(faults, sweptFault{c, mode, function, nth[function], codes[turn%len(codes)]})
				turn++
			}
			turn += 5 // the modes of one call do not share their codes
		}
	}
	return faults
}

// strike runs a command with one fault, and holds it against its promise.
func (s *stage) strike(t *testing.T, fault sweptFault, directory string, clean *after) *after {
	t.Helper()
	c := fault.command
	a := s.perform(t, c, directory, fault.String())
	_, failed, struck := strings.Cut(readLog(t, directory), fault.function+" struck")
	if !struck { // the keys of --all come in any order, and not all are asked the same
		t.Logf("%s: %v never struck", c.name, fault)
	}
	failing := []string{fault.function}
	if fault.mode == "dead" || fault.mode == "pulled" { // so did every later call
		failing = append(failing, callsIn(fault.function+failed)...)
	}
	switch said := a.text(); { // a key that cannot leave, of several, is no failure of the run where the text says why
	case a.run.code != 0:
		a.checkReported()
		a.checkFilesReported()
		if !named(said, failing) {
			a.breaks(unnamed, "exit code %d", a.run.code)
		}
		if (a.run.code == 3 || a.run.code == 6) && !mayRefuse(fault) {
			a.breaks(falseRefusal, "exit code %d", a.run.code)
		}
	case c.does != nil && c.does(a) != "" && !(refusesKey(fault) && strings.Contains(said, "cannot be exported") && named(said, failing)):
		a.breaks(falseExit, "%s", c.does(a))
	case c.reads && a.run.stdout != clean.run.stdout && !named(said, failing):
		a.breaks(falseExit, "it says something else than without a fault")
	}
	// What the token did not take, a public key beside the private one and nothing else, may be missing where the text says why.
	if more, fewer := classes(a.added()), classes(clean.added()); a.run.code == 0 && !slices.Equal(more, fewer) {
		without := slices.DeleteFunc(fewer, func(class string) bool { return class == "public" })
		if !slices.Equal(more, without) || !named(a.text(), failing) {
			a.breaks(unreported, "%v instead of %v", a.added(), clean.added())
		}
	}
	if lost := a.lostKeys(); !c.leaves && len(lost) > 0 {
		a.breaks(keyLost, "%q are no longer on the token", lost)
	}
	return a
}

// named reports whether a text names a call that failed. What a login says of the PIN is a reason of its own, whose code a refusal shows with
// --verbose only: it begins by saying that nobody was logged in.
func named(text string, failing []string) bool {
	return slices.ContainsFunc(failing, func(call string) bool {
		return strings.Contains(text, call) || call == "C_Login" && (strings.Contains(text, "[pin-") || strings.Contains(text, "Not logged in. "))
	})
}

// classes are those of the objects, in order.
func classes(objects []censusObject) (classes []string) {
	for _, o := range objects {
		classes = append(classes, o.class)
	}
	slices.Sort(classes)
	return classes
}

// refusesKey reports whether an answer means that the key may not leave, whatever the way: that is no failure of export --all. The refusal
// of one mechanism is not that.
func refusesKey(fault sweptFault) bool {
	return fault.function == "C_WrapKey" && slices.Contains([]string{"0x69", "0x6A", "0x63"}, fault.code)
}

// mayRefuse reports whether an answer can mean that the key may not leave, or that there is no way for it.
func mayRefuse(fault sweptFault) bool {
	switch fault.code {
	case "0x69", "0x6A", "0x62", "0x54", "0x70", "0x63", "0x113", "0x115", "0xD1", "0xE2", "0x10", "0x13":
		return true
	}
	return false
}

// sweepCounts counts faults and what they broke.
type sweepCounts struct {
	sync.Mutex
	t      *testing.T
	all    int
	begun  time.Time
	faults map[string]int // by command
	counts map[breach]int // runs that broke an invariant
	shown  map[string]int // by command and kind
	lines  map[breach][]string
}

func newSweepCounts(t *testing.T) *sweepCounts {
	return &sweepCounts{t: t, begun: time.Now(), faults: map[string]int{}, counts: map[breach]int{}, shown: map[string]int{}, lines: map[breach][]string{}}
}

// mostShown is how many examples of each kind a command shows.
const mostShown = 3

func (y *sweepCounts) add(command, fault string, a *after) {
	y.Lock()
	defer y.Unlock()
	y.faults[command]++
	if y.all++; y.all%1000 == 0 {
		y.t.Logf("%d faults after %s", y.all, time.Since(y.begun).Round(time.Second))
	}
	seen := map[breach]bool{}
	for _, b := range a.broken {
		if !seen[b.breach] {
			y.counts[b.breach]++
		}
		seen[b.breach] = true
		key := command + string(b.breach)
		if y.shown[key]++; y.shown[key] <= mostShown || os.Getenv("SWEEP_SHOW") != "" {
			y.lines[b.breach] = append(y.lines[b.breach], fmt.Sprintf("%s: %s, %s: %s\n\texit code %d: %.3000q", b.breach, command, fault, b.what, a.run.code, a.text()))
		}
	}
}

// report prints the counts, and fails the test where an invariant broke.
func (y *sweepCounts) report() {
	t := y.t
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(y.faults)) {
		t.Logf("%6d faults: %s", y.faults[name], name)
	}
	summary := fmt.Sprintf("%d faults in %s", y.all, time.Since(y.begun).Round(time.Second))
	for _, kind := range breaches {
		slices.Sort(y.lines[kind])
		for _, line := range y.lines[kind] {
			t.Error(line)
		}
		summary += fmt.Sprintf(", %d %s", y.counts[kind], kind)
	}
	t.Log(summary)
}
