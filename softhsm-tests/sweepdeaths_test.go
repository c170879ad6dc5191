package softhsmtests

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// sweptDeaths are the ways in which the process that does the work dies in a call: before the call is made, and after it.
var sweptDeaths = []string{"crash", "kill-after"}

// testDeaths has the process that does the work die in every call of every command, one at a time. testKills leaves the moment to chance.
func (s *stage) testDeaths(t *testing.T) {
	var faults []sweptFault
	for _, c := range s.sampled() {
		_, calls := s.rehearse(t, &c)
		nth := map[string]int{}
		for _, function := range calls {
			nth[function]++
			for _, mode := range sweptDeaths {
				faults = append(faults, sweptFault{command: &c, mode: mode, function: function, nth: nth[function]})
			}
		}
	}
	spreadDeaths(t, len(faults), sampleOf(faults, s.size(t, 120)), func(f sweptFault, directory string) (*sweptCommand, string, *after) {
		fault := fmt.Sprintf("%s:%s@%d", f.mode, f.function, f.nth)
		run := s.perform(t, f.command, directory, fault).run
		a := s.afterDeath(t, f.command, directory, run)
		// Where several calls are under way at once, any of them may be the one that is named.
		if run.code != 0 && !strings.Contains(f.command.name, "--all") && !named(a.text(), []string{f.function}) {
			a.breaks(unnamed, "exit code %d", run.code)
		}
		return f.command, "P11FAULT=" + fault, a
	})
}

// testSystemDeaths has the process that makes it, whichever that is, die at every system call on a file, one at a time.
func (s *stage) testSystemDeaths(t *testing.T) {
	failing := failingProgram(t)
	var faults []failedCall
	for _, c := range s.sampled() {
		if c.faults != "" || c.reads && c.name != "status" {
			continue
		}
		faults = append(faults, s.systemDeaths(t, failing, &c, "")...)
		if c.makes || c.leaves {
			faults = append(faults, s.systemDeaths(t, failing, &c, "/token")...)
		}
	}
	spreadDeaths(t, len(faults), sampleOf(faults, s.size(t, 120)), func(f failedCall, directory string) (*sweptCommand, string, *after) {
		run := s.performFailing(t, failing, f, directory).run
		return f.command, fmt.Sprintf("SIGKILL at %s@%d%s", f.call, f.nth, strings.Replace(f.below, "/", " of the ", 1)), s.afterDeath(t, f.command, directory, run)
	})
}

// systemDeaths runs a command without a fault, and lists where it can die below a part of its directory.
func (s *stage) systemDeaths(t *testing.T, failing string, c *sweptCommand, below string) (faults []failedCall) {
	t.Helper()
	nth := map[string]int{}
	for _, call := range s.rehearseFailing(t, failing, c, below) {
		nth[call]++
		if below == "" || slices.Contains(writing, call) || call == "openat" {
			faults = append(faults, failedCall{c, below, call, nth[call], "do:kill -9 $2"})
		}
	}
	return faults
}

// spreadDeaths runs deaths, of so many that there are, and counts what they broke.
func spreadDeaths[fault any](t *testing.T, all int, chosen []fault, run func(fault, string) (*sweptCommand, string, *after)) {
	t.Helper()
	counts := newSweepCounts(t)
	spread(t, chosen, func(f fault, directory string) {
		c, name, a := run(f, directory)
		counts.add(c.name, name, a)
	})
	counts.report()
	if all < 1000 && os.Getenv("SWEEP_COMMAND") == "" {
		t.Errorf("only %d deaths", all)
	}
}

// afterDeath looks at what a run left that was killed, or one of whose processes was.
func (s *stage) afterDeath(t *testing.T, c *sweptCommand, directory string, run stageRun) *after {
	t.Helper()
	mendToken(t, s.scenes[c.scene], directory, false)
	a := s.lookAfter(s.scenes[c.scene], directory, run)
	left := len(a.added())+len(a.lostKeys()) > 0
	switch {
	case run.code == 128+9 || run.code == -1: // the parent: nobody was left to tell anything, or to take the draft away
		a.broken = without(a.broken, leftDraft)
	case run.code == 0 && c.does != nil && c.does(a) != "":
		a.breaks(falseExit, "%s", c.does(a))
	case run.code != 0:
		a.checkReported()
		a.checkFilesReported()
	}
	if left && strings.Contains(run.stderr, "Nothing was left behind") {
		a.breaks(unreported, "it says that nothing was left behind")
	}
	if run.code == 3 || run.code == 6 {
		a.breaks(falseRefusal, "exit code %d", run.code)
	}
	if lost := a.lostKeys(); !c.leaves && len(lost) > 0 {
		a.breaks(keyLost, "%q are no longer on the token", lost)
	}
	return a
}
