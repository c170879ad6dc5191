// Embedding is a program that uses p11bridge's packages without its command line: it exports the identity with the label ARG
// from the first token of MODULE to a PFX file, and proves the file. PIN and PASSWORD come from the environment.
package main

import (
	"context"
	"fmt"
	"os"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/token"
	"p11bridge/token/secret"
)

func main() {
	if err := export(context.Background(), os.Getenv("MODULE"), os.Getenv("LABEL"), os.Getenv("FILE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func export(ctx context.Context, library, label, file string) error {
	module, err := token.Open(token.Library{Path: library}, nil)
	if err != nil {
		return err
	}
	defer module.Close()
	slots, err := module.Slots(ctx)
	if err != nil || len(slots) == 0 {
		return fmt.Errorf("no slot: %w", err)
	}
	session, err := slots[0].OpenSession(token.ReadOnly)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := session.Login(secret.New([]byte(os.Getenv("PIN")))); err != nil {
		return err
	}
	inventory, err := session.Inventory(ctx)
	if err != nil {
		return err
	}
	for _, identity := range inventory.Identities() {
		if string(identity.Label()) == label {
			receipt, err := bridge.Export(ctx, bridge.ExportRequest{
				Session: session, Inventory: inventory, Identity: identity, Target: archive.Target{Path: file},
				Password: secret.New([]byte(os.Getenv("PASSWORD"))),
			})
			if err == nil {
				fmt.Println(receipt.File, "is proven:", receipt.Proof)
			}
			return err
		}
	}
	return fmt.Errorf("nothing is called %q", label)
}
