package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"p11bridge/bridge/demo"
	"p11bridge/bridge/pfx"
)

// on is a command of p11bridge's on a token.
func (t tools) on(place demo.Place, module string, args ...string) []string {
	return append(append([]string{t.p11bridge}, args...), "--module", module, "--token", "bench", "--pin-source", "file:"+place.PINFile())
}

// benchReading sets what reads a token, or what was read of it, beside the list of the same token.
func benchReading(ctx context.Context, t tools) error {
	snapshot := filepath.Join(t.scratch, "snapshot.json")
	fmt.Printf("\nWhat reads %d identities, beside their list\n", t.identities+2)
	for _, row := range []struct {
		name    string
		aim     float64
		command []string
	}{
		{"p11bridge snapshot", 1.5, t.on(t.large, t.library, "snapshot", "--force", "-o", snapshot)},
		{"p11bridge diagnose --from", 1, []string{t.p11bridge, "diagnose", "--from", snapshot}},
	} {
		ours, list, err := t.compare(ctx, t.large, row.command, t.list(t.large, t.library), nil)
		if err != nil {
			return err
		}
		printTable(row.name, ours, "p11bridge list", list, row.aim)
	}
	return nil
}

// derivations is the CPU time in which one file is written and proven, with everything in memory: little but key derivations. A count of
// zero is the usual one.
func derivations(ctx context.Context, rounds, count int) (time.Duration, error) {
	password := []byte("bench-password")
	contents, err := specimen()
	if err != nil {
		return 0, err
	}
	var costs []time.Duration
	for range rounds {
		cost, err := cpu(func() error {
			derived, err := pfx.Derive(ctx, rand.Reader, password, pfx.Options{Iterations: count})
			if err != nil {
				return err
			}
			file, err := pfx.Encode(ctx, rand.Reader, contents, password, pfx.Options{Iterations: count, Derived: derived})
			if err != nil {
				return err
			}
			_, _, err = pfx.ReadEncoded(file, password, derived)
			return err
		})
		if err != nil {
			return 0, err
		}
		costs = append(costs, cost)
	}
	return middle(costs), nil
}

const (
	perFileAim    = 1.2 // what a file of many may cost, as a share of its derivations alone
	throughputAim = 0.8 // of the derivations alone, on all cores
)

// benchAll exports all keys of a token: by one run, again where all is up to date, and by workers with shares.
func benchAll(ctx context.Context, t tools) error {
	place, err := newToken(ctx, filepath.Join(t.tokenFiles, "all"), t.files-1)
	if err != nil {
		return err
	}
	alone, err := derivations(ctx, t.runs, 0)
	if err != nil {
		return err
	}
	directory, password := filepath.Join(t.scratch, "backups"), "file:"+place.PINFile()
	export := t.on(place, t.library, "export", "--all", "--dir", directory, "--password-source", password)
	reading, err := readings(ctx, t.runs)
	if err != nil {
		return err
	}
	fmt.Printf("\nAll %d keys; the derivations of one file alone take %.3f s of CPU to write and prove, %.3f s to read\n", t.files, alone.Seconds(), reading.Seconds())
	for _, row := range []struct {
		name    string
		alone   time.Duration
		command []string
	}{{"p11bridge export --all", alone, export}, {"p11bridge verify --dir", reading, []string{t.p11bridge, "verify", "--dir", directory, "--password-source", password}}} {
		c, err := t.measure(ctx, place, nil, row.command)
		if err != nil {
			return err
		}
		ratio := c.cpu.Seconds() / float64(t.files) / row.alone.Seconds()
		fmt.Printf("  %-28s %7.3f s wall %7.2f s CPU, %5.2f of the derivations alone   aim ≤ %.1f: %s\n", row.name, c.wall.Seconds(), c.cpu.Seconds(), ratio, perFileAim, met(ratio <= perFileAim))
	}
	for _, row := range []struct {
		name    string
		aim     float64
		command []string
	}{{"the same, nothing to do", 1.5, export}, {"p11bridge status", 1.5, t.on(place, t.library, "status", "--dir", directory)}} {
		ours, list, err := t.compare(ctx, place, row.command, t.list(place, t.library), nil)
		if err != nil {
			return err
		}
		printTable(row.name, ours, "p11bridge list", list, row.aim)
	}
	return t.benchShards(ctx)
}

// benchShards exports all keys of a token by 1, 2 and 4 workers. There are more keys than above, each with fewer iterations: which share a key is
// in is chance, and of a few keys one worker may get two thirds.
func (t tools) benchShards(ctx context.Context) error {
	const more, count = 4, 150_000
	keys := more * t.files
	place, err := newToken(ctx, filepath.Join(t.tokenFiles, "shards"), keys-1)
	if err != nil {
		return err
	}
	alone, err := derivations(ctx, t.runs, count)
	if err != nil {
		return err
	}
	directory := filepath.Join(t.scratch, "shared")
	export := t.on(place, t.library, "export", "--all", "--dir", directory, "--iterations", strconv.Itoa(count), "--password-source", "file:"+place.PINFile())
	fmt.Printf("\n%d keys by workers with shares, one core each, on %d cores: throughput as a share of the derivations alone\n", keys, runtime.NumCPU())
	for _, workers := range []int{1, 2, 4} {
		if err := os.RemoveAll(directory); err != nil {
			return err
		}
		wall, err := t.share(ctx, place, export, workers)
		if err != nil {
			return err
		}
		ideal := alone.Seconds() * float64(keys) / float64(min(workers, runtime.NumCPU()))
		share := ideal / wall.Seconds()
		fmt.Printf("  workers: %-19d %7.3f s wall, %5.2f   aim ≥ %.1f: %s\n", workers, wall.Seconds(), share, throughputAim, met(share >= throughputAim))
	}
	return nil
}

// share runs so many workers at once. One that fails is run again, as an engine does: SoftHSM2 gives half a file to whoever logs in while
// another process does.
func (t tools) share(ctx context.Context, place demo.Place, export []string, workers int) (time.Duration, error) {
	const tries = 20
	failures := make([]error, workers)
	start := time.Now()
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() {
			command := append(slices.Clone(export), "--shard", strconv.Itoa(i+1)+"/"+strconv.Itoa(workers))
			for range tries {
				if _, failures[i] = t.run(ctx, place, []string{"GOMAXPROCS=1"}, command); failures[i] == nil {
					return
				}
			}
		})
	}
	running.Wait()
	wall := time.Since(start)
	for _, err := range failures {
		if err != nil {
			return 0, err
		}
	}
	return wall, nil
}

// latencyAim is what a list of 100 identities may take, in seconds, where each call takes 10 ms longer.
const latencyAim = 1.3

// benchLatency lists a token whose module seems to be far away. Its keys are of P-256, and each is asked for a signature, since it does not
// tell its public half: four calls that a key of RSA does not cost. A module that is called from one thread makes them one after the other:
// that row shows what several sessions save, and has no aim.
func benchLatency(ctx context.Context, t tools) error {
	module := filepath.Join(t.scratch, "slow.so")
	if out, err := exec.CommandContext(ctx, "gcc", "-shared", "-fPIC", "-o", module, filepath.Join("softhsm-tests", "testdata", "slow.c")).CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w: %s", err, out)
	}
	place, err := newToken(ctx, filepath.Join(t.tokenFiles, "far"), 99)
	if err != nil {
		return err
	}
	fmt.Println("\nList 100 identities, 10 ms a call")
	for _, row := range []struct {
		name  string
		env   []string
		aimed bool
	}{{"p11bridge list", nil, true}, {"a module for one thread", []string{"P11SLOW_ONE=1"}, false}} {
		env := append([]string{"P11SLOW_MODULE=" + t.library, "P11SLOW_US=10000", "P11SLOW_REPORT=" + filepath.Join(t.scratch, "far.txt")}, row.env...)
		c, err := t.measure(ctx, place, env, t.list(place, module))
		if err != nil {
			return err
		}
		aim := ""
		if row.aimed {
			aim = fmt.Sprintf("   aim ≤ %.1f: %s", latencyAim, met(c.wall.Seconds() <= latencyAim))
		}
		fmt.Printf("  %-28s %7.3f s wall%s\n", row.name, c.wall.Seconds(), aim)
	}
	return nil
}
