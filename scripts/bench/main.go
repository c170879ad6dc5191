// The bench measures p11bridge as a whole process against the tools that do the nearest thing, in the same run and on the
// same token, and prints ratios beside what is aimed at. `make bench` runs it.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"p11bridge/bridge/demo"
)

const (
	iterations = "600000"
	makeToken  = "make-token" // this program again, as the maker of a token
	quickly    = "-quick"
)

// extent is how much a bench measures.
type extent struct {
	runs       int // odd, so that a median is one of them
	identities int // of the large token
	files      int // of the token whose keys are all exported
	tokens     int // of the fleet
	objects    int // of the token that takes memory
}

var whole, quick = extent{runs: 7, identities: 1000, files: 24, tokens: 10_000, objects: 100_000}, extent{runs: 3, identities: 200, files: 8, tokens: 1000, objects: 9000}

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == makeToken:
		err = fixture(context.Background(), os.Args[2], os.Args[3])
	case len(os.Args) == 3 && os.Args[1] == quickly:
		err = bench(context.Background(), os.Args[2], quick)
	case len(os.Args) == 2:
		err = bench(context.Background(), os.Args[1], whole)
	default:
		err = errors.New("usage: bench [-quick] PATH-OF-P11BRIDGE")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// noIdentity in place of a number makes a token that has the issuer alone.
const noIdentity = -1

// fixture makes a token: one RSA identity with its issuer, and as many P-256 identities as asked for. With none of these there is a second
// RSA identity, whose key may be read.
func fixture(ctx context.Context, directory, count string) error {
	number, err := strconv.Atoi(count)
	if err != nil {
		return fmt.Errorf("number of identities: %w", err)
	}
	pin, err := demo.NewPIN()
	if err != nil {
		return err
	}
	place, err := demo.NewPlace(directory, pin)
	if err != nil {
		return err
	}
	specimens := []demo.Specimen{
		{Label: "p11bridge demo CA", ID: []byte{0xCA}, Certificate: "ca", NoPrivateKey: true},
		{Label: "alice", ID: []byte{1}, Key: "rsa2048", Policy: demo.Wrappable, Certificate: "valid"},
	}
	switch number {
	case noIdentity:
		specimens = specimens[:1]
	case 0:
		specimens = append(specimens, demo.Specimen{Label: readableKey, ID: []byte{3}, Key: "rsa2048", Policy: demo.Readable, Certificate: "valid"})
	}
	for i := range max(number, 0) {
		specimens = append(specimens, demo.Specimen{
			Label: fmt.Sprintf("identity %d", i), ID: []byte{2, byte(i >> 8), byte(i)}, Key: "p256", Policy: demo.Wrappable, Certificate: "valid",
		})
	}
	if err := os.Setenv("SOFTHSM2_CONF", place.Configuration()); err != nil {
		return fmt.Errorf("set SOFTHSM2_CONF: %w", err)
	}
	return place.AddToken(ctx, nil, "bench", specimens)
}

// tools are the programs and files that a bench works with.
type tools struct {
	p11bridge, library, spy string
	scratch                 string // where commands write
	tokenFiles              string
	large, small            demo.Place
	extent
}

func bench(ctx context.Context, p11bridge string, much extent) (err error) {
	scratch, err := os.MkdirTemp("", "p11bridge-bench-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	t := tools{scratch: scratch, extent: much}
	if t.tokenFiles, err = os.MkdirTemp(inMemory(), "p11bridge-bench-tokens-"); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(t.tokenFiles)) }()
	if t.p11bridge, err = filepath.Abs(p11bridge); err != nil {
		return fmt.Errorf("find p11bridge: %w", err)
	}
	if t.spy, err = findSpy(); err != nil {
		return err
	}
	fmt.Printf("Making a token of %d identities and a small one …\n", t.identities+2)
	if t.large, err = newToken(ctx, filepath.Join(t.tokenFiles, "large"), t.identities); err != nil {
		return err
	}
	if t.small, err = newToken(ctx, filepath.Join(t.tokenFiles, "small"), 0); err != nil {
		return err
	}
	t.library = t.large.Library.Path
	watched, err := watch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watched.end()) }()
	fmt.Printf("%s, %d cores, load %s; medians of %d alternating runs of whole processes, after one that does not count.\n", runtime.Version(), runtime.NumCPU(), load(), t.runs)
	for _, part := range []func(context.Context, tools) error{benchStart, benchList, benchCalls, benchExport, benchFile, benchReading, benchAll, benchLatency, benchGrowth, benchSealed, benchFleet, benchMany} {
		if err := part(ctx, t); err != nil {
			return err
		}
	}
	if err := benchProof(ctx); err != nil {
		return err
	}
	fmt.Printf("\nLoad at the end: %s\n", load())
	return nil
}

// inMemory is a directory in memory, where there is one: SoftHSM2 waits for a disk at every object that it makes, for minutes in all.
func inMemory() string {
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err != nil || !info.IsDir() {
		return ""
	}
	return memory
}

func newToken(ctx context.Context, directory string, count int) (demo.Place, error) {
	self, err := os.Executable()
	if err != nil {
		return demo.Place{}, fmt.Errorf("find this program: %w", err)
	}
	if out, err := exec.CommandContext(ctx, self, makeToken, directory, strconv.Itoa(count)).CombinedOutput(); err != nil {
		return demo.Place{}, fmt.Errorf("make a token: %w: %s", err, out)
	}
	return demo.ExistingPlace(directory)
}

func findSpy() (string, error) {
	for _, pattern := range []string{"/usr/lib/*/pkcs11-spy.so", "/usr/lib/*/pkcs11/pkcs11-spy.so", "/usr/lib*/pkcs11-spy.so"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("find pkcs11-spy.so: %w", err)
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	return "", errors.New("pkcs11-spy.so was not found (Debian: opensc-pkcs11)")
}

func (t tools) list(place demo.Place, module string) []string {
	return []string{t.p11bridge, "list", "--module", module, "--token", "bench", "--pin-source", "file:" + place.PINFile()}
}

func (t tools) peerList(place demo.Place, module string) []string {
	return []string{"pkcs11-tool", "--module", module, "--token-label", "bench", "--login", "--pin", place.PIN, "--list-objects"}
}

// benchStart compares programs that do nothing.
func benchStart(ctx context.Context, t tools) error {
	ours, peer, err := t.compare(ctx, t.small, []string{t.p11bridge, "version"}, []string{"openssl", "version"}, nil)
	if err != nil {
		return err
	}
	fmt.Print("\nStart\n")
	printTable("p11bridge version", ours, "openssl version", peer, 1.3)
	if ours, peer, err = t.compare(ctx, t.small, t.list(t.small, t.library), t.peerList(t.small, t.library), nil); err != nil {
		return err
	}
	printTable("p11bridge list, 2 identities", ours, "pkcs11-tool --list-objects", peer, 1.5)
	return nil
}

// benchExport compares an export that ends with a proven file with OpenSSL's, which has the key in clear before it
// begins and does not look at what it wrote. OpenSSL's -iter sets the count of the MAC as well; that is checked.
func benchExport(ctx context.Context, t tools) error {
	path := func(name string) string { return filepath.Join(t.scratch, name) }
	password := "file:" + t.small.PINFile()
	export := func(place demo.Place) []string {
		return []string{t.p11bridge, "export", "alice", "--force", "-o", path("ours.pfx"), "--module", t.library, "--token", "bench",
			"--pin-source", "file:" + place.PINFile(), "--password-source", password}
	}
	peer := []string{"openssl", "pkcs12", "-export", "-iter", iterations, "-macalg", "sha256", "-name", "alice", "-inkey", path("key.pem"),
		"-in", path("all.pem"), "-out", path("peer.p12"), "-passout", password}
	for _, command := range [][]string{
		export(t.small),
		{"openssl", "pkcs12", "-in", path("ours.pfx"), "-passin", password, "-nodes", "-nocerts", "-out", path("key.pem")},
		{"openssl", "pkcs12", "-in", path("ours.pfx"), "-passin", password, "-nokeys", "-out", path("all.pem")},
		peer,
	} {
		if _, err := t.run(ctx, t.small, nil, command); err != nil {
			return err
		}
	}
	for _, file := range []string{"ours.pfx", "peer.p12"} {
		if err := t.checkFile(ctx, path(file), password); err != nil {
			return err
		}
	}
	oursSmall, peerTimes, err := t.compare(ctx, t.small, export(t.small), peer, nil)
	if err != nil {
		return err
	}
	fmt.Printf("\nExport RSA 2048 with its chain, %s iterations for key, certificates and MAC\n", iterations)
	printTable("p11bridge export, proven", oursSmall, "openssl pkcs12 -export", peerTimes, 0.85)
	oursLarge, peerTimes, err := t.compare(ctx, t.large, export(t.large), peer, nil)
	if err != nil {
		return err
	}
	fmt.Printf("\nThe same from the token of %d identities, which p11bridge reads first\n", t.identities+2)
	printTable("p11bridge export, proven", oursLarge, "openssl pkcs12 -export", peerTimes, 0)
	return benchWays(ctx, t, peer)
}

// checkFile sees to it that both tools were given the same work: the count stands three times in the file, and the MAC
// is one of SHA-256.
func (t tools) checkFile(ctx context.Context, file, password string) error {
	info := exec.CommandContext(ctx, "openssl", "pkcs12", "-in", file, "-info", "-noout", "-passin", password)
	text, err := info.CombinedOutput()
	if err != nil {
		return fmt.Errorf("openssl pkcs12 -info: %w: %s", err, text)
	}
	if counts := bytes.Count(text, []byte("teration "+iterations)); counts != 3 || !bytes.Contains(text, []byte("MAC: sha256")) {
		return fmt.Errorf("%s has not %s iterations and SHA-256 throughout:\n%s", file, iterations, text)
	}
	return nil
}

// cost is what one run took.
type cost struct {
	wall   time.Duration
	cpu    time.Duration
	memory int // KiB, the largest of the processes of a run
}

// compare runs both commands in turns and gives the median of each column.
func (t tools) compare(ctx context.Context, place demo.Place, ours, peer, env []string) (cost, cost, error) {
	commands := [2][]string{ours, peer}
	var costs [2][]cost
	for round := range t.runs + 1 {
		for i := range commands {
			which := (i + round) % 2
			c, err := t.measure(ctx, place, env, commands[which])
			if err != nil {
				return cost{}, cost{}, err
			}
			if round > 0 {
				costs[which] = append(costs[which], c)
			}
		}
	}
	return median(costs[0]), median(costs[1]), nil
}

// measure runs one command below GNU time, whose small process does not count into the memory, as ours would. The CPU time, of all processes that
// the command waited for, comes from the system: GNU time knows hundredths of a second.
func (t tools) measure(ctx context.Context, place demo.Place, env, command []string) (cost, error) {
	report := filepath.Join(t.scratch, "time.json")
	start := time.Now()
	_, state, err := t.runMeasured(ctx, place, env, append([]string{"/usr/bin/time", "-o", report, "-f", "%M"}, command...))
	wall := time.Since(start)
	if err != nil {
		return cost{}, err
	}
	text, err := os.ReadFile(report)
	if err != nil {
		return cost{}, fmt.Errorf("read what time wrote: %w", err)
	}
	memory, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return cost{}, fmt.Errorf("read what time wrote: %w", err)
	}
	return cost{wall, state.UserTime() + state.SystemTime(), memory}, nil
}

// run gives a command's standard output.
func (t tools) run(ctx context.Context, place demo.Place, env, command []string) ([]byte, error) {
	out, _, err := t.runMeasured(ctx, place, env, command)
	return out, err
}

func (t tools) runMeasured(ctx context.Context, place demo.Place, env, command []string) ([]byte, *os.ProcessState, error) {
	var out, problems bytes.Buffer
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Env = append(append(os.Environ(), "SOFTHSM2_CONF="+place.Configuration(), "LC_ALL=C.UTF-8"), env...)
	c.Stdout, c.Stderr = &out, &problems
	if err := c.Run(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, problems.Bytes())
	}
	return out.Bytes(), c.ProcessState, nil
}

func median(costs []cost) cost {
	middle := func(less func(a, b cost) int) cost {
		slices.SortFunc(costs, less)
		return costs[len(costs)/2]
	}
	return cost{
		wall:   middle(func(a, b cost) int { return int(a.wall - b.wall) }).wall,
		cpu:    middle(func(a, b cost) int { return int(a.cpu - b.cpu) }).cpu,
		memory: middle(func(a, b cost) int { return a.memory - b.memory }).memory,
	}
}

// printTable shows both and their ratio. An aim of zero is none.
func printTable(ourName string, ours cost, peerName string, peer cost, aim float64) {
	line := func(name string, c cost) {
		fmt.Printf("  %-28s %7.3f s wall %7.3f s CPU %6.1f MiB\n", name, c.wall.Seconds(), c.cpu.Seconds(), float64(c.memory)/1024)
	}
	line(ourName, ours)
	line(peerName, peer)
	ratio := ours.wall.Seconds() / peer.wall.Seconds()
	fmt.Printf("  %-28s %7.2f        %8.2f       %6.1f", "ratio", ratio, ours.cpu.Seconds()/peer.cpu.Seconds(), float64(ours.memory)/float64(peer.memory))
	if aim > 0 {
		fmt.Printf("       aim ≤ %.2f: wall %s, CPU %s", aim, met(ratio <= aim), met(ours.cpu.Seconds() <= aim*peer.cpu.Seconds()))
	}
	fmt.Println()
}

func met(is bool) string {
	if is {
		return "met"
	}
	return "MISSED"
}
