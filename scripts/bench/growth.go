package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strconv"

	"p11bridge/bridge/demo"
)

// clockTick is the least CPU time that is told from none, in seconds.
const clockTick = 0.01

// benchGrowth has commands work on a tenth of the large token's identities, and on all of them. What grows as n·log n does meets the aim.
func benchGrowth(ctx context.Context, t tools) error {
	few := t.identities / 10
	tenth, err := newToken(ctx, filepath.Join(t.tokenFiles, "tenth"), few)
	if err != nil {
		return err
	}
	many, some := float64(t.identities), float64(few)
	bound := many * math.Log(many) / (some * math.Log(some))
	fmt.Printf("\nGrowth of CPU time and memory from %d to %d identities, without the time that a token of two takes (one run)\n", few+2, t.identities+2)
	for _, row := range []struct {
		name string
		args func(round int) []string
	}{
		{"p11bridge list", func(int) []string { return []string{"list"} }},
		{"p11bridge snapshot", func(int) []string {
			return []string{"snapshot", "--force", "-o", filepath.Join(t.scratch, "growth.json")}
		}},
		{"export --all --iterations 1", func(round int) []string {
			directory := filepath.Join(t.scratch, "growth"+strconv.Itoa(round))
			return []string{"export", "--all", "--quiet", "--iterations", "1", "--dir", directory, "--password-source", "file:" + t.small.PINFile()}
		}},
	} {
		var costs []cost
		for round, place := range []demo.Place{t.small, tenth, t.large} {
			c, err := t.measure(ctx, place, nil, t.on(place, t.library, row.args(round)...))
			if err != nil {
				return err
			}
			costs = append(costs, c)
		}
		ratio := (costs[2].cpu - costs[0].cpu).Seconds() / max((costs[1].cpu-costs[0].cpu).Seconds(), clockTick)
		fmt.Printf("  %-28s %6.2f s %6.1f MiB, then %6.2f s %6.1f MiB: %5.1f times   aim ≤ %.1f: %s\n", row.name, costs[1].cpu.Seconds(), float64(costs[1].memory)/1024,
			costs[2].cpu.Seconds(), float64(costs[2].memory)/1024, ratio, bound, met(ratio <= bound))
	}
	return nil
}
