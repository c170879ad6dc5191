package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"p11bridge/bridge/pfx"
)

const (
	readableKey = "bob" // beside alice on the small token: its key may be read attribute by attribute

	attributesAim = 0.85 // of openssl's export alone
	shroudAim     = 1.2  // of pk12util's
	verifyAim     = 1.2  // of openssl's reading
	restoreAim    = 1.5  // of the same, and a token has to be changed beside
)

// benchWays exports by the other ways: a readable key by its attributes, and from an NSS database, whose token makes the key bag itself. What
// benchExport left is what the peers write.
func benchWays(ctx context.Context, t tools, peer []string) error {
	password := "file:" + t.small.PINFile()
	attributes := t.on(t.small, t.library, "export", readableKey, "--force", "-o", filepath.Join(t.scratch, "bob.pfx"), "--method", "attributes", "--password-source", password)
	ours, peers, err := t.compare(ctx, t.small, attributes, peer, nil)
	if err != nil {
		return err
	}
	fmt.Print("\nThe same by the key's attributes\n")
	printTable("p11bridge export, proven", ours, "openssl pkcs12 -export", peers, attributesAim)

	database := filepath.Join(t.scratch, "nssdb")
	if err := os.Mkdir(database, 0o700); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	pin := t.small.PINFile()
	for _, command := range [][]string{
		{"certutil", "-N", "-d", "sql:" + database, "-f", pin},
		{"pk12util", "-i", filepath.Join(t.scratch, "ours.pfx"), "-d", "sql:" + database, "-k", pin, "-w", pin},
	} {
		if _, err := t.run(ctx, t.small, nil, command); err != nil {
			return err
		}
	}
	shroud := []string{t.p11bridge, "export", "alice", "--force", "-o", filepath.Join(t.scratch, "nss.pfx"), "--nss-db", database, "--require-shroud",
		"--pin-source", "file:" + pin, "--password-source", password}
	other := []string{"pk12util", "-o", filepath.Join(t.scratch, "pk12util.p12"), "-n", "alice", "-d", "sql:" + database, "-k", pin, "-w", pin}
	if ours, peers, err = t.compare(ctx, t.small, shroud, other, nil); err != nil {
		return err
	}
	fmt.Print("\nThe same from an NSS database, by shroud\n")
	printTable("p11bridge export, proven", ours, "pk12util -o", peers, shroudAim)
	return nil
}

// benchFile opens one file, and restores it to a token that is empty each time, beside openssl, which opens it.
func benchFile(ctx context.Context, t tools) error {
	file, password := filepath.Join(t.scratch, "ours.pfx"), "file:"+t.small.PINFile()
	peer := []string{"openssl", "pkcs12", "-in", file, "-passin", password, "-nodes", "-out", filepath.Join(t.scratch, "opened.pem")}
	ours, peers, err := t.compare(ctx, t.small, []string{t.p11bridge, "verify", file, "--password-source", password}, peer, nil)
	if err != nil {
		return err
	}
	fmt.Print("\nOpen one file\n")
	printTable("p11bridge verify", ours, "openssl pkcs12 -in", peers, verifyAim)
	var restored, opened []cost
	for round := range t.runs {
		place, err := newToken(ctx, filepath.Join(t.tokenFiles, "empty"+strconv.Itoa(round)), noIdentity)
		if err != nil {
			return err
		}
		restore := []string{t.p11bridge, "restore", file, "--module", t.library, "--token", "bench", "--pin-source", "file:" + place.PINFile(), "--password-source", password}
		for _, one := range []struct {
			command []string
			costs   *[]cost
		}{{restore, &restored}, {peer, &opened}} {
			c, err := t.measure(ctx, place, nil, one.command)
			if err != nil {
				return err
			}
			*one.costs = append(*one.costs, c)
		}
	}
	printTable("p11bridge restore", median(restored), "openssl pkcs12 -in", median(opened), restoreAim)
	return nil
}

// readings is the CPU time in which one file is read, with everything in memory.
func readings(ctx context.Context, rounds int) (time.Duration, error) {
	password := []byte("bench-password")
	contents, err := specimen()
	if err != nil {
		return 0, err
	}
	file, err := pfx.Encode(ctx, rand.Reader, contents, password, pfx.Options{})
	if err != nil {
		return 0, err
	}
	var costs []time.Duration
	for range rounds {
		cost, err := cpu(func() error {
			opened, err := pfx.Decode(ctx, file, password, pfx.DecodeOptions{})
			if err == nil {
				opened.Wipe()
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		costs = append(costs, cost)
	}
	return middle(costs), nil
}
