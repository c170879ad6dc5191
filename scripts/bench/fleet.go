package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

const (
	keysPerToken = 100
	fleetMemory  = 256 // MiB that a report over the whole fleet may need at most
)

// benchFleet has `report` read the status documents of many tokens, made while it reads them, and wants its memory bounded: by what needs
// something, and not by what is read.
func benchFleet(ctx context.Context, t tools) error {
	report := exec.CommandContext(ctx, t.p11bridge, "report", "-", "--csv")
	in, err := report.StdinPipe()
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	counted := &counter{}
	report.Stdout = counted
	started := time.Now()
	if err := report.Start(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	size, writing := writeFleet(in, t.tokens)
	var partly *exec.ExitError
	if err := errors.Join(writing, in.Close(), report.Wait()); err != nil && (!errors.As(err, &partly) || partly.ExitCode() != 5) {
		return fmt.Errorf("report: %w", err)
	}
	needy := t.tokens * (cannotLeave + neverMade + expiring)
	if counted.lines != needy+1 {
		return fmt.Errorf("report: %d lines, and not %d", counted.lines, needy+1)
	}
	taken := time.Since(started)
	peak := report.ProcessState.SysUsage().(*syscall.Rusage).Maxrss / 1024
	aim := "ok"
	if peak > fleetMemory {
		aim = "MISSED"
	}
	fmt.Printf("\nReport on %d tokens of %d keys, of which %d need something\n", t.tokens, keysPerToken, needy)
	fmt.Printf("  %d MiB of status documents in %.1f s (%.0f MiB/s); peak memory %d MiB, aim %d: %s\n", size>>20, taken.Seconds(), float64(size>>20)/taken.Seconds(), peak, fleetMemory, aim)
	return nil
}

// Of the keys of each token, these many cannot leave, were never backed up, and have a certificate that ends soon.
const cannotLeave, neverMade, expiring = 5, 1, 1

// writeFleet writes a status document of each token, a line each, as `status --json` has it.
func writeFleet(to io.Writer, tokens int) (size int, err error) {
	out := bufio.NewWriterSize(to, 1<<16)
	write := func(format string, args ...any) {
		n, problem := fmt.Fprintf(out, format, args...)
		size, err = size+n, errors.Join(err, problem)
	}
	now := time.Now().UTC()
	sound, soon := now.AddDate(2, 0, 0).Format(time.RFC3339), now.AddDate(0, 0, 10).Format(time.RFC3339)
	for token := range tokens {
		uri := fmt.Sprintf("pkcs11:token=ca%%20%d;serial=%016x", token, token)
		write(`{"schema":"p11bridge.status/1","created":%q,"directory":"backups","shard":null,"complete":false,"tokens":[{"uri":%q,"label":"ca %d","serial":"%016x","logged_in":true,"reasons":[]}],"keys":[`,
			now.Format(time.RFC3339), uri, token, token)
		for key := range keysPerToken {
			state, code, exportable, end := "up-to-date", "backup-up-to-date", true, sound
			switch {
			case key < cannotLeave:
				state, code, exportable = "cannot-leave", "key-not-extractable", false
			case key < cannotLeave+neverMade:
				state, code = "never-made", "backup-never-made"
			case key < cannotLeave+neverMade+expiring:
				end = soon
			}
			if key > 0 {
				write(",")
			}
			write(`{"uri":"%s;object=server%%20%d;type=private;id=%%%02X","label":"server %d","id":"%02x","certificate":{"subject":"CN=server %d.%d.example","issuer":"CN=Example CA","serial":"%016x","not_before":"2026-01-01T00:00:00Z",`+
				`"not_after":%q,"sha256":"%064x","purposes":["serverAuth"],"is_ca":false},"has_private_key":true,"state":%q,"backup":null,"reasons":[{"code":%q,"evidence":{"CKA_ID":"%02x"}}],`+
				`"verdict":{"exportable":%t,"method":null,"mechanism":null,"reasons":[]}}`,
				uri, key, key, key, key, token, key, key, end, token*keysPerToken+key, state, code, key, exportable)
		}
		write(`],"without_key":[],"earlier":[],"gone":[],"elsewhere":[],"unreadable":[],"counts":{},"expiring":null}` + "\n")
		if err != nil {
			return size, err
		}
	}
	return size, errors.Join(err, out.Flush())
}

// counter counts lines.
type counter struct{ lines int }

// Write implements io.Writer.
func (c *counter) Write(text []byte) (int, error) {
	for _, b := range text {
		if b == '\n' {
			c.lines++
		}
	}
	return len(text), nil
}
