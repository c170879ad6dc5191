package softhsmtests

import (
	"bytes"
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sweptKill is one signal at one moment of one run.
type sweptKill struct {
	command *sweptCommand
	signal  unix.Signal
	at      string // who gets it: parent, child or group
	after   time.Duration
}

// sweptKills are the signals, and who gets them. SIGQUIT goes to the group, as the terminal sends it at Ctrl-\.
var sweptKills = []struct {
	signal unix.Signal
	at     string
}{
	{unix.SIGKILL, "parent"}, {unix.SIGKILL, "child"}, {unix.SIGKILL, "group"}, {unix.SIGTERM, "parent"}, {unix.SIGINT, "group"},
	{unix.SIGHUP, "group"}, {unix.SIGQUIT, "group"},
}

// testKills ends every command that changes something at random moments.
func (s *stage) testKills(t *testing.T) {
	size := s.size(t, 60)
	if size == 0 {
		size = 2000
	}
	seed := mathrand.Uint64()
	t.Logf("seed %d", seed)
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	var commands []sweptCommand
	var lasts []time.Duration
	for _, c := range s.sampled() {
		if c.reads || c.faults != "" {
			continue
		}
		begun := time.Now()
		s.rehearse(t, &c)
		commands, lasts = append(commands, c), append(lasts, time.Since(begun))
	}
	var kills []sweptKill
	for i := range size {
		c, kill := i%len(commands), sweptKills[i/len(commands)%len(sweptKills)]
		kills = append(kills, sweptKill{&commands[c], kill.signal, kill.at, time.Duration(random.Int64N(int64(lasts[c])))})
	}
	counts := newSweepCounts(t)
	spread(t, kills, func(k sweptKill, directory string) {
		counts.add(k.command.name, fmt.Sprintf("%v at the %s after %v", k.signal, k.at, k.after), s.kill(t, k, directory))
	})
	counts.report()
}

// kill runs a command in a fresh copy of its scene and sends the signal.
func (s *stage) kill(t *testing.T, k sweptKill, directory string) *after {
	t.Helper()
	s.setUp(t, k.command, directory)
	ctx, cancel := context.WithTimeout(context.Background(), tooLong)
	defer cancel()
	command := s.command(ctx, directory, nil, append(append([]string{}, k.command.args...), tokenArgument, pinArgument)...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Start(); err != nil {
		t.Error(err)
		return &after{}
	}
	time.Sleep(k.after)
	parent := command.Process.Pid
	pid := parent
	switch child := childOf(parent); {
	case k.at == "group":
		pid = -parent
	case k.at == "child" && child != 0:
		pid = child
	}
	struck := unix.Kill(pid, k.signal) == nil
	command.Wait() // its end is looked at below
	for end := time.Now().Add(tooLong); !groupEnded(parent) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	r := stageRun{code: command.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), inTime: ctx.Err() == nil}
	if k.signal == unix.SIGKILL {
		mendToken(t, s.scenes[k.command.scene], directory, false)
	}
	a := s.lookAfter(s.scenes[k.command.scene], directory, r)
	switch {
	case k.signal == unix.SIGKILL && k.at != "child":
		a.broken = without(a.broken, leftDraft) // nobody was left to take it away
	case r.code == 0 && k.command.does != nil && k.command.does(a) != "":
		a.breaks(falseExit, "%s", k.command.does(a))
	case r.code > 0 && struck:
		a.checkReported()
		a.checkFilesReported()
	}
	if dumped := strings.Contains(r.stderr, "\ngoroutine ") || strings.Contains(r.stderr, "\nrip "); dumped && begun(r.stderr) {
		a.broken = without(a.broken, leftDraft) // it ended on the spot, as by SIGKILL
		a.breaks(stateShown, "by %v", k.signal)
	}
	if lost := a.lostKeys(); !k.command.leaves && len(lost) > 0 {
		a.breaks(keyLost, "%q are no longer on the token", lost)
	}
	return a
}

// begun tells, by what Go's runtime printed at SIGQUIT, whether the program had begun. Until it asks for the signal, which is the first
// thing that it does, the runtime answers: nothing is known by then, and nothing was done.
func begun(dump string) bool {
	return strings.Contains(dump, "\nmain.main(") && !strings.Contains(dump, "supervise.Interruptible(")
}

func without(list []broken, kind breach) (rest []broken) {
	for _, b := range list {
		if b.breach != kind {
			rest = append(rest, b)
		}
	}
	return rest
}

// mendToken puts SoftHSM's own token.object back where a kill within C_Login, or a write that failed, cut it off, as tokenMender does. It
// holds PINs and flags, and no object. A module that closes SoftHSM's descriptors may have had anything written there: mixedUp.
func mendToken(t *testing.T, scene *scene, directory string, mixedUp bool) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(scene.directory, "token/tokens/*/token.object"))
	if err != nil || len(paths) != 1 {
		t.Errorf("%d token.object: %v", len(paths), err)
		return
	}
	sound := mustRead(t, paths[0])
	name := directory + strings.TrimPrefix(paths[0], scene.directory)
	if found, err := os.ReadFile(name); err != nil || len(found) < len(sound) || mixedUp && !bytes.Equal(found, sound) {
		t.Logf("C_Login was cut off or mixed up: SoftHSM left %d of %d bytes of its token.object (%v)", len(found), len(sound), err)
		if err := os.WriteFile(name, sound, 0o600); err != nil {
			t.Error(err)
		}
	}
}
