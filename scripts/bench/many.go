package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"p11bridge/bridge/demo"
	"p11bridge/token/tokentest"
)

// What a list and a snapshot of a hundred thousand objects may take, in MiB, the module's own part among them.
const (
	listAim     = 250
	snapshotAim = 300
)

// benchMany lists many objects and takes a snapshot of them, from a module that answers them from a file.
func benchMany(ctx context.Context, t tools) error {
	module, objects := filepath.Join(t.scratch, "many.so"), filepath.Join(t.scratch, "objects")
	if out, err := exec.CommandContext(ctx, "gcc", "-shared", "-fPIC", "-o", module, filepath.Join("softhsm-tests", "testdata", "many.c")).CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w: %s", err, out)
	}
	const kinds = 3 // a certificate, a public key and a private key for each identity
	content, err := tokentest.Many{Count: t.objects / kinds, First: 2, Issued: 1}.Objects()
	if err != nil {
		return err
	}
	if err := os.WriteFile(objects, content, 0o600); err != nil {
		return fmt.Errorf("write the objects: %w", err)
	}
	fmt.Printf("\nMemory for %d objects\n", t.objects/kinds*kinds)
	for _, row := range []struct {
		name    string
		aim     int
		command []string
	}{
		{"p11bridge list", listAim, []string{t.p11bridge, "list", "--module", module}},
		{"p11bridge snapshot", snapshotAim, []string{t.p11bridge, "snapshot", "--module", module, "--force", "-o", filepath.Join(t.scratch, "many.json")}},
	} {
		c, err := t.measure(ctx, demo.Place{}, []string{"P11MANY=" + objects}, row.command)
		if err != nil {
			return err
		}
		fmt.Printf("  %-28s %7.3f s wall %7.2f s CPU %6.1f MiB", row.name, c.wall.Seconds(), c.cpu.Seconds(), float64(c.memory)/1024)
		if t.objects >= whole.objects {
			fmt.Printf("   aim ≤ %d: %s", row.aim, met(c.memory <= row.aim<<10))
		}
		fmt.Println()
	}
	return nil
}
