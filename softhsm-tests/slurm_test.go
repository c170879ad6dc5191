package softhsmtests

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// slurm is a Slurm of one node on this machine, run by whoever runs the tests: munged, slurmctld and slurmd, in a directory of its own.
type slurm struct {
	directory   string
	environment []string
}

// slurmConfiguration asks for no control groups, no accounting and no other user. A node counts more cores than the machine may have.
const slurmConfiguration = `ClusterName=tests
SlurmctldHost=%[2]s(127.0.0.1)
SlurmUser=%[3]s
SlurmdUser=%[3]s
AuthInfo=socket=%[1]s/munge/socket
SlurmctldPort=%[4]d
SlurmdPort=%[5]d
StateSaveLocation=%[1]s/state
SlurmdSpoolDir=%[1]s/spool
SlurmctldPidFile=%[1]s/slurmctld.pid
SlurmdPidFile=%[1]s/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=1
NodeName=%[2]s NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=%[2]s Default=YES MaxTime=INFINITE State=UP
`

// newSlurm starts one and waits until its node is idle.
func newSlurm(t *testing.T, environment []string) *slurm {
	t.Helper()
	directory, err := os.MkdirTemp("/tmp", "slurm") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	key := make([]byte, 128)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	s := &slurm{directory, append(append(os.Environ(), "LC_ALL=C", "SLURM_CONF="+filepath.Join(directory, "slurm.conf")), environment...)}
	for _, name := range []string{"munge", "state", "spool"} {
		if err := os.Mkdir(filepath.Join(directory, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.write(t, "munge/key", string(key))
	s.write(t, "slurm.conf", fmt.Sprintf(slurmConfiguration, directory, host, me.Username, freePorts(t, 1), freePorts(t, 1)))
	at := func(name string) string { return filepath.Join(directory, name) }
	s.start(t, "munged", "--foreground", "--force", "--socket", at("munge/socket"), "--key-file", at("munge/key"), "--pid-file", at("munge/pid"), "--log-file", at("munge/log"), "--seed-file", at("munge/seed"))
	until(t, "munged listens", func() bool { _, err := os.Stat(at("munge/socket")); return err == nil })
	s.start(t, "slurmctld", "-D")
	s.start(t, "slurmd", "-D", "-N", host)
	until(t, "the node is idle", func() bool {
		out, err := s.command("sinfo", "--noheader", "--format=%T").Output()
		return err == nil && strings.TrimSpace(string(out)) == "idle"
	})
	return s
}

func (s *slurm) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.directory, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *slurm) command(name string, args ...string) *exec.Cmd {
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		path = filepath.Join("/usr/sbin", name) // not everybody has it in PATH
	}
	command := exec.CommandContext(context.Background(), path, args...)
	command.Env, command.Dir = s.environment, s.directory
	return command
}

// start runs a daemon until the test ends.
func (s *slurm) start(t *testing.T, name string, args ...string) {
	t.Helper()
	daemon := s.command(name, args...)
	out, err := os.Create(filepath.Join(s.directory, name+".out"))
	if err != nil {
		t.Fatal(err)
	}
	daemon.Stdout, daemon.Stderr = out, out
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(daemon.Process.Kill(), out.Close()); err != nil {
			t.Error(err)
		}
		if err := daemon.Wait(); daemon.ProcessState == nil {
			t.Error(err)
		}
		if t.Failed() {
			text, err := os.ReadFile(out.Name())
			t.Logf("%s: %s (%v)", name, text, err)
		}
	})
}

func (s *slurm) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := s.command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// array runs the worker's script for some shares of as many as there are, and calls meanwhile, if there is one, with the array's number.
// It gives the shares that did not end with 0.
func (s *slurm) array(t *testing.T, of int, shares []string, meanwhile func(job string)) (failed []string) {
	t.Helper()
	for _, share := range shares {
		if err := os.Remove(filepath.Join(s.directory, "done."+share)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	job := s.run(t, "sbatch", "--parsable", "--array="+strings.Join(shares, ","), "--output=%a.out", "worker.sh", fmt.Sprint(of))
	if meanwhile != nil {
		meanwhile(job)
	}
	until(t, "the array ends", func() bool {
		time.Sleep(200 * time.Millisecond)
		return s.run(t, "squeue", "--noheader", "--jobs="+job) == ""
	})
	return slices.DeleteFunc(slices.Clone(shares), func(share string) bool {
		_, err := os.Stat(filepath.Join(s.directory, "done."+share))
		return err == nil
	})
}

// strikes kills up to two of the four workers of an array at random moments, and gives how many still worked. Chance gives some shares few keys.
func (s *slurm) strikes(t *testing.T, job string) (struck int) {
	t.Helper()
	for _, share := range mathrand.Perm(4) {
		if _, err := os.Stat(filepath.Join(s.directory, fmt.Sprintf("done.%d", share+1))); err == nil || struck == 2 {
			continue
		}
		time.Sleep(mathrand.N(400 * time.Millisecond))
		if out, err := s.command("scancel", "--full", "--signal=KILL", fmt.Sprintf("%s_%d", job, share+1)).CombinedOutput(); err != nil {
			t.Logf("%s", out)
			continue
		}
		struck++
	}
	return struck
}

// TestSharesOnSlurmLong has a job array of Slurm export all keys: two of its four workers are killed at random moments and run again. Every
// key has one file, and dividing them by another number makes none.
func TestSharesOnSlurmLong(t *testing.T) {
	t.Parallel()
	const keys = 32
	p := newPlace(t, manyKeys(keys))
	s := newSlurm(t, p.environment)
	s.write(t, "worker.sh", `#!/bin/sh
p11bridge export --all --shard "$SLURM_ARRAY_TASK_ID/$1" --dir '`+p.path("backups")+`' --iterations $(cat iterations) --pin-source '`+p.pin+`' --password-source '`+p.password+`' && : > done.$SLURM_ARRAY_TASK_ID
`)
	// Files wait for each other for two seconds: a worker takes longer for its keys on any machine, so that it can be struck when some are placed.
	s.write(t, "iterations", "2000000")
	filesSoFar := func() int {
		files, _, _ := p.backups(t)
		return len(files)
	}
	var left []string
	for tries, struck := 0, 0; struck < 2; tries++ { // a worker may have ended before it is struck
		if tries == 20 {
			t.Fatal("no two workers are ever struck")
		}
		if err := os.RemoveAll(p.path("backups")); err != nil {
			t.Fatal(err)
		}
		left = s.array(t, 4, []string{"1", "2", "3", "4"}, func(job string) {
			until(t, "a file is placed", func() bool { return filesSoFar() > 0 })
			struck = s.strikes(t, job)
		})
	}
	s.write(t, "iterations", "1000")
	t.Logf("the shares %q did not end well, and %d of %d files were placed", left, filesSoFar(), keys)
	p.whole(t)
	for tries := 0; len(left) > 0; tries++ { // SoftHSM2 gives half a file to whoever logs in while another process does
		if tries == 20 {
			t.Fatalf("the shares %q never end well", left)
		}
		left = s.array(t, 4, left, nil)
	}
	files, records, drafts := p.backups(t)
	if len(files) != keys || len(records) != keys || len(drafts) != 0 {
		t.Errorf("%d files, %d records and the drafts %q for %d keys", len(files), len(records), drafts, keys)
	}
	original := modified(t, p.path("backups"))
	for tries, left := 0, []string{"1", "2", "3"}; len(left) > 0; tries++ {
		if tries == 20 {
			t.Fatalf("the shares %q of 3 never end well", left)
		}
		left = s.array(t, 3, left, nil)
	}
	if after := modified(t, p.path("backups")); !slices.Equal(original, after) {
		t.Errorf("divided by another number: %q became %q", original, after)
	}
	if _, err := os.Stat(filepath.Join(p.path("backups"), shardLocks)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the last worker left the locks: %v", err)
	}
	p.completes(t, keys)
}

// modified lists what is in a directory with the time of its last change.
func modified(t *testing.T, directory string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, entry.Name()+" "+info.ModTime().Format(time.RFC3339Nano))
	}
	return list
}
