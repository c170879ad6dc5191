package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// What a listing of the large token may take: of pkcs11-tool's, and of the same calls made by a program in C that does nothing else.
const (
	listToolAim  = 0.6
	listCallsAim = 1.25
)

// benchList compares a listing of the large token.
func benchList(ctx context.Context, t tools) error {
	ours, peer, err := t.compare(ctx, t.large, t.list(t.large, t.library), t.peerList(t.large, t.library), nil)
	if err != nil {
		return err
	}
	fmt.Printf("\nList %d identities on SoftHSM2\n", t.identities+2)
	printTable("p11bridge list", ours, "pkcs11-tool --list-objects", peer, listToolAim)
	return t.benchSameCalls(ctx)
}

// benchSameCalls sets the listing beside its calls alone. Both are counted first: what makes other calls is no measure.
func (t tools) benchSameCalls(ctx context.Context) error {
	program := filepath.Join(t.scratch, "calls")
	if out, err := exec.CommandContext(ctx, "gcc", "-std=gnu11", "-O2", "-o", program, filepath.Join("scripts", "bench", "testdata", "calls.c"), "-ldl").CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w: %s", err, out)
	}
	alone := func(module string) []string { return []string{program, module, "bench", t.large.PINFile()} }
	ours, err := t.countCalls(ctx, "p11bridge", t.list(t.large, t.spy), everyCall)
	if err != nil {
		return err
	}
	same, err := t.countCalls(ctx, "calls", alone(t.spy), everyCall)
	if err != nil {
		return err
	}
	const few = 50 // a count that is asked for first, and further sessions where the machine is busy
	if ours > same+few || same > ours+few {
		return fmt.Errorf("p11bridge list makes %d calls and %s %d", ours, "scripts/bench/testdata/calls.c", same)
	}
	list, calls, err := t.compare(ctx, t.large, t.list(t.large, t.library), alone(t.library), nil)
	if err != nil {
		return err
	}
	printTable("p11bridge list", list, fmt.Sprintf("the same %d calls in C", same), calls, listCallsAim)
	return nil
}

// What pkcs11-spy writes before a call.
var (
	everyCall     = regexp.MustCompile(`(?m)^\d+: C_`)
	attributeCall = regexp.MustCompile(`(?m)^\d+: C_GetAttributeValue`)
)

// benchCalls counts the calls that a listing makes, with OpenSC's pkcs11-spy between the tool and the module.
func benchCalls(ctx context.Context, t tools) error {
	listing, err := t.run(ctx, t.large, nil, t.peerList(t.large, t.library))
	if err != nil {
		return err
	}
	objects := len(regexp.MustCompile(`(?m)^(Private Key|Public Key|Certificate) Object`).FindAll(listing, -1))
	if objects < 3*t.identities {
		return fmt.Errorf("pkcs11-tool shows %d objects, fewer than %d", objects, 3*t.identities)
	}
	ours, err := t.countCalls(ctx, "p11bridge", t.list(t.large, t.spy), attributeCall)
	if err != nil {
		return err
	}
	peer, err := t.countCalls(ctx, "pkcs11-tool", t.peerList(t.large, t.spy), attributeCall)
	if err != nil {
		return err
	}
	per := func(calls int) float64 { return float64(calls) / float64(objects) }
	fmt.Printf("\nC_GetAttributeValue calls for these %d objects, counted with pkcs11-spy\n", objects)
	fmt.Printf("  %-28s %6d calls, %5.2f per object   aim ≤ 2.2: %s\n", "p11bridge list", ours, per(ours), met(per(ours) <= 2.2))
	fmt.Printf("  %-28s %6d calls, %5.2f per object\n", "pkcs11-tool --list-objects", peer, per(peer))
	return nil
}

func (t tools) countCalls(ctx context.Context, name string, command []string, which *regexp.Regexp) (int, error) {
	log := filepath.Join(t.scratch, name+".spy")
	if err := os.RemoveAll(log); err != nil {
		return 0, err
	}
	if _, err := t.run(ctx, t.large, []string{"PKCS11SPY=" + t.library, "PKCS11SPY_OUTPUT=" + log}, command); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return 0, fmt.Errorf("read what pkcs11-spy wrote: %w", err)
	}
	calls := len(which.FindAll(text, -1))
	if calls == 0 {
		return 0, fmt.Errorf("pkcs11-spy counted no call of %s", name)
	}
	return calls, nil
}
