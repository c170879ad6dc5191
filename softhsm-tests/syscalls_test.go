package softhsmtests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// failedErrors are the numbers that each system call fails with: EIO for all, and what else it is known for. "after" carries
// the call out first, as a network drive does that loses the answer.
var failedErrors = map[string][]string{
	"openat":     {"5", "13", "24", "28", "30"},                 // EIO, EACCES, EMFILE, ENOSPC, EROFS
	"write":      {"5", "28", "122"},                            // EDQUOT
	"fsync":      {"5", "22", "28", "116"},                      // EINVAL, ESTALE
	"close":      {"5", "28", "122"},                            //
	"renameat":   {"5", "13", "18", "28", "30", "after5"},       // EXDEV
	"renameat2":  {"5", "13", "17", "22", "38", "95", "after5"}, // EEXIST, ENOSYS, EOPNOTSUPP
	"rename":     {"5", "13", "28", "30", "after5"},
	"linkat":     {"1", "5", "31", "38", "95"}, // EPERM, EMLINK
	"link":       {"1", "5", "31", "38", "95"},
	"unlinkat":   {"5", "13", "30", "after5"},
	"unlink":     {"5", "13", "30", "after5"},
	"mkdirat":    {"5", "13", "28"},
	"fadvise64":  {"22", "29", "38"}, // ESPIPE
	"flock":      {"5", "37", "38"},  // ENOLCK
	"read":       {"5", "116"},
	"newfstatat": {"5", "116"},
}

// writing are the calls that fail on SoftHSM's own files.
var writing = []string{"write", "pwrite64", "ftruncate", "fsync", "close", "rename", "unlink", "unlinkat"}

// failedCall is one system call of one run that fails.
type failedCall struct {
	command *sweptCommand
	below   string // the scene's directory, or "/token": SoftHSM's own files
	call    string
	nth     int
	error   string
}

// failingProgram is the path of the compiled testdata/failing.c.
func failingProgram(t *testing.T) string {
	t.Helper()
	return compile(t, "failing.c", "failing")
}

// testSystemCalls fails the system calls of every command that writes, one at a time, on the files beside the token.
func (s *stage) testSystemCalls(t *testing.T) {
	failing := failingProgram(t)
	size := s.size(t, 60)
	var faults []failedCall
	for _, c := range s.sampled() {
		if c.faults != "" || c.reads && c.name != "status" {
			continue
		}
		faults = append(faults, s.failedCalls(t, failing, &c, "")...)
		if c.makes {
			faults = append(faults, s.failedCalls(t, failing, &c, "/token")...)
		}
	}
	chosen := sampleOf(faults, size)
	counts := newSweepCounts(t)
	spread(t, chosen, func(f failedCall, directory string) {
		a := s.performFailing(t, failing, f, directory)
		if !strings.Contains(readLog(t, directory), " struck") {
			t.Logf("%s: %s@%d was not made this time", f.command.name, f.call, f.nth)
		}
		switch {
		case a.run.code != 0:
			a.checkReported()
			a.checkFilesReported()
		case f.command.does != nil && f.command.does(a) != "":
			a.breaks(falseExit, "%s", f.command.does(a))
		}
		if a.run.code == 3 || a.run.code == 6 && f.call != "read" {
			a.breaks(falseRefusal, "exit code %d", a.run.code)
		}
		if lost := a.lostKeys(); !f.command.leaves && len(lost) > 0 {
			a.breaks(keyLost, "%q are no longer on the token", lost)
		}
		counts.add(f.command.name, fmt.Sprintf("%s@%d %s%s", f.call, f.nth, f.error, strings.Replace(f.below, "/", " of the ", 1)), a)
	})
	counts.report()
	if os.Getenv("SWEEP") == "full" && os.Getenv("SWEEP_COMMAND") == "" && len(chosen) < 500 {
		t.Errorf("only %d faults", len(chosen))
	}
}

// failedCalls runs a command without a fault, and lists what can fail below a part of its directory.
func (s *stage) failedCalls(t *testing.T, failing string, c *sweptCommand, below string) (faults []failedCall) {
	t.Helper()
	nth := map[string]int{}
	for _, call := range s.rehearseFailing(t, failing, c, below) {
		nth[call]++
		codes := failedErrors[call]
		switch {
		case below != "" && !slices.Contains(writing, call): // what SoftHSM cannot read, it hides in silence
			codes = []string{}
		case codes == nil || below != "":
			codes = []string{"5"}
		}
		for _, code := range codes {
			faults = append(faults, failedCall{c, below, call, nth[call], code})
		}
	}
	return faults
}

// rehearseFailing runs a command without a fault, and gives the system calls on files below a part of its directory.
func (s *stage) rehearseFailing(t *testing.T, failing string, c *sweptCommand, below string) []string {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "rehearsal")
	if a := s.performFailing(t, failing, failedCall{c, below, "-", 0, "0"}, directory); a.run.code != 0 || len(a.broken) > 0 {
		t.Fatalf("%s without a fault: exit code %d, %v\n%s", c.name, a.run.code, a.broken, a.text())
	}
	return callsIn(readLog(t, directory))
}

// performFailing runs a command in a fresh copy of its scene, under testdata/failing.c.
func (s *stage) performFailing(t *testing.T, failing string, f failedCall, directory string) *after {
	t.Helper()
	s.setUp(t, f.command, directory)
	ctx, cancel := context.WithTimeout(context.Background(), tooLong)
	defer cancel()
	command := s.command(ctx, directory, []string{"GODEBUG=asyncpreemptoff=1"}, append(slices.Clone(f.command.args), tokenArgument, pinArgument)...)
	struck := f.call
	if f.nth > 0 {
		struck = fmt.Sprintf("%s@%d", f.call, f.nth)
	}
	command.Args = append([]string{failing, directory + ".log", directory + f.below, struck, f.error}, command.Args...)
	command.Path = failing
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	r := stageRun{code: command.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), inTime: ctx.Err() == nil}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || r.code == 125 {
		t.Errorf("%v\n%s", err, r.stderr)
	}
	if f.below != "" {
		mendToken(t, s.scenes[f.command.scene], directory, false)
	}
	return s.lookAfter(s.scenes[f.command.scene], directory, r)
}
