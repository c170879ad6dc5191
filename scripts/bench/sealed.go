package main

import (
	"context"
	"fmt"
	"path/filepath"

	"filippo.io/age"
)

// benchSealed backs up the large token whole, every file with a password of its own that is sealed: what is left of the time is the token's.
// Beside it stands the same without stretching and without sealing, which is the least that there can be.
func benchSealed(ctx context.Context, t tools) error {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return fmt.Errorf("make a recipient: %w", err)
	}
	export := func(directory string, more ...string) []string {
		return append([]string{t.p11bridge, "export", "--all", "--quiet", "--dir", filepath.Join(t.scratch, directory), "--module", t.library, "--token", "bench",
			"--pin-source", "file:" + t.large.PINFile()}, more...)
	}
	sealed, err := t.measure(ctx, t.large, nil, export("sealed", "--password-source", "generate", "--seal-to", identity.Recipient().String()))
	if err != nil {
		return err
	}
	least, err := t.measure(ctx, t.large, nil, export("least", "--password-source", "file:"+t.large.PINFile(), "--iterations", "1"))
	if err != nil {
		return err
	}
	keys := t.identities + 1
	fmt.Printf("\nBack up all %d keys, each with a sealed password of its own (one run)\n", keys)
	for _, row := range []struct {
		name string
		cost cost
	}{{"export --all --seal-to", sealed}, {"export --all --iterations 1", least}} {
		fmt.Printf("  %-28s %8.2f s, %6.1f ms per key, %d MiB\n", row.name, row.cost.wall.Seconds(), row.cost.wall.Seconds()*1000/float64(keys), row.cost.memory/1024)
	}
	fmt.Printf("  %-28s %8.2f                            aim ≤ 1.5: %s\n", "ratio", sealed.wall.Seconds()/least.wall.Seconds(), met(sealed.wall <= least.wall*3/2))
	return nil
}
