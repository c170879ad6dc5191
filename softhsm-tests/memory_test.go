package softhsmtests

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The claim under test: in an export by shroud, no byte of the private key is ever in p11bridge's memory. The token is in
// another process (testdata/apart.c), its key is one that this test made, and the memory of p11bridge's two processes is
// searched for that key all the time, and once at every call to the token while the process waits for the answer. The same
// search on the same token must find the key when it is carried out by wrap, and on a readable one by attributes.

// sighting is a look that found something of the secret.
type sighting struct {
	where string // the call during which the process was looked at, or "between"
	pid   int
	finding
}

// guard looks at the memory of a run's two processes from its beginning to its end.
type guard struct {
	search *search

	mutex     sync.Mutex
	parent    int
	child     int
	looks     map[string]int // by where
	bytes     int
	sightings []sighting
	last      map[string]finding // the child, by where
	err       error
}

// look searches both processes now. A process that has ended has nothing to hide.
func (g *guard) look(where string) {
	g.mutex.Lock()
	pids := []int{g.parent, g.child}
	g.mutex.Unlock()
	for _, pid := range pids {
		if pid == 0 {
			continue
		}
		found, err := g.search.in(pid)
		g.mutex.Lock()
		if err != nil && !gone(err) && g.err == nil {
			g.err = err
		}
		if err == nil && found.bytes > 0 {
			g.looks[where]++
			g.bytes += found.bytes
			if len(found.secrets) > 0 {
				g.sightings = append(g.sightings, sighting{where, pid, found})
			}
			if pid == g.child && pid != g.parent {
				g.last[where] = found
			}
		}
		g.mutex.Unlock()
	}
}

// gone tells an error of a process that has ended, or is about to: the kernel refuses the memory of one that has none any
// more. How often there was a look is judged apart.
func gone(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrProcessDone) || strings.Contains(err.Error(), "no such process")
}

// runWatched runs the product on the token with the guard looking at it: at every call from C_Login on, and in between
// as often as it can.
func runWatched(t *testing.T, token *apart, s *search, program string, args ...string) (*guard, *result) {
	t.Helper()
	g := &guard{search: s, looks: map[string]int{}, last: map[string]finding{}}
	token.watch(func(call tokenCall) {
		switch {
		case call.function == "client":
			g.mutex.Lock()
			g.child = int(call.numbers[0])
			g.mutex.Unlock()
		case slices.Contains([]string{"C_Login", "C_CreateObject", "C_WrapKey", "C_UnwrapKey", "C_DestroyObject", "C_SignInit", "C_Sign", "C_CloseSession", "C_Finalize"}, call.function):
			g.look(call.function)
		}
	})
	ctx, cancel := context.WithDeadline(t.Context(), lastMoment())
	defer cancel()
	environment := append(token.environment(), "GOGC=off")
	if slices.Contains(args, "--all") {
		environment = append(environment, "GOMAXPROCS=1") // the token's client is for one thread
	}
	command := product(ctx, environment, args...)
	if program != "" {
		command.Path, command.Err = program, nil
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	start := time.Now()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	g.mutex.Lock()
	g.parent = command.Process.Pid
	g.mutex.Unlock()
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-ended:
				return
			default:
				g.look("between")
			}
		}
	}()
	err := command.Wait()
	close(ended)
	<-stopped
	token.rest()
	if g.err != nil {
		t.Fatal(g.err)
	}
	if g.child == 0 || g.child == g.parent {
		t.Fatalf("the working process %d and its parent %d are not two", g.child, g.parent)
	}
	return g, conclude(t, command, err, time.Since(start), stdout.String(), stderr.String())
}

// secretsOf lists the numbers that make a private key, each filled up to whole words.
func secretsOf(t *testing.T, key any) map[string][]byte {
	t.Helper()
	secrets := map[string][]byte{}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		key.Precompute()
		for what, n := range map[string]*big.Int{
			"d": key.D, "p": key.Primes[0], "q": key.Primes[1], "dp": key.Precomputed.Dp, "dq": key.Precomputed.Dq, "qinv": key.Precomputed.Qinv,
		} {
			secrets[what] = n.FillBytes(make([]byte, (n.BitLen()+63)/64*8))
		}
	case *ecdsa.PrivateKey:
		scalar, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		secrets["scalar"] = scalar
	default:
		t.Fatalf("a key of type %T", key)
	}
	return secrets
}

// slowIterations make a run last long enough to be looked at many times.
const slowIterations = 3_000_000

// controlIterations are enough where the key only has to be found once.
const controlIterations = 1_000_000

// buildHoarder builds the product so that it forgets nothing: wiping does nothing, runtime/secret is not there, and with GOGC=off, under which all runs
// here are, no memory is used twice. What was ever on its heap is still there when it ends.
func buildHoarder(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, name := range []string{"bridge", "bridge/pfx", "token", "token/keywrap", "token/pki", "token/secret"} {
		// A function of the package hides the predeclared one.
		text := "package " + filepath.Base(name) + "\n\nfunc clear[T any](T) {}\n"
		files[filepath.Join(root, name, "hoard.go")] = write(t, directory, strings.ReplaceAll(name, "/", "-")+".go", []byte(text))
	}
	return buildChanged(t, directory, files, "GOEXPERIMENT=")
}

// buildChanged builds the product with other files in the place of its own.
func buildChanged(t *testing.T, directory string, files map[string]string, environment ...string) string {
	t.Helper()
	overlay, err := json.Marshal(map[string]any{"Replace": files})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(directory, "p11bridge")
	build := append(environment, "go", "build", "-buildvcs=false", "-overlay", write(t, directory, "overlay.json", overlay), "-o", program, "./cmd/p11bridge")
	mustForeign(t, "..", "env", build...)
	return program
}

// TestShroudedKeyIsNeverInMemoryLong is the claim, and right beside it, on the same token with the same key, what shows that
// the search would have found the key.
func TestShroudedKeyIsNeverInMemoryLong(t *testing.T) {
	t.Parallel()
	if passesAsRoot(t) {
		return
	}
	db := newNSS(t)
	token, hoarder := db.apart(t), buildHoarder(t)
	for label, key := range map[string]crypto.Signer{"rsa": newRSA(t), "ec": newEC(t, elliptic.P256())} {
		planted := issue(t, db.directory, label, key)
		db.importPKCS12(t, planted.pkcs12(t))
		search := newSearch(t, planted.leaf.Signature, secretsOf(t, key))
		export := func(t *testing.T, program, name string, iterations int, args ...string) (*guard, *result) {
			t.Helper()
			return runWatched(t, token, search, program, append([]string{"export", label, "-o", filepath.Join(db.directory, name), "--module", token.module, "--json",
				"--iterations", strconv.Itoa(iterations), "--pin-source", "file:" + db.pin, "--password-source", "file:" + db.password}, args...)...)
		}
		t.Run(label+" by shroud", func(t *testing.T) {
			g, r := export(t, "", label+"-shroud.pfx", slowIterations, "--require-shroud")
			r.exported(t, "shroud", "token-signature")
			checkDiscretion(t, token.seen(t))
			for _, s := range g.sightings {
				t.Errorf("in process %d (working process %d), %s: %v", s.pid, g.child, s.where, s.secrets)
			}
			g.checkSight(t, "C_Login", "C_CreateObject", "C_WrapKey", "C_UnwrapKey", "C_SignInit", "C_Sign", "C_DestroyObject", "C_CloseSession", "C_Finalize")
			if err := opensslOpens(filepath.Join(db.directory, label+"-shroud.pfx"), db.password, false); err != nil {
				t.Error(err)
			}
			t.Logf("nothing in %v, %d MB in all, within %s", g.looks, g.bytes>>20, r.took.Round(time.Millisecond))
		})
		// A key that was decrypted, used and wiped within a moment would slip between two looks. Here it cannot.
		t.Run(label+" by shroud, never forgotten", func(t *testing.T) {
			g, r := export(t, hoarder, label+"-hoarded.pfx", 1000, "--require-shroud")
			r.exported(t, "shroud", "token-signature")
			for _, s := range g.sightings {
				t.Errorf("in process %d (working process %d), %s: %v", s.pid, g.child, s.where, s.secrets)
			}
			if g.looks["C_Finalize"] != 2 || g.last["C_CloseSession"].public == 0 {
				t.Errorf("the end was not seen: %v", g.looks)
			}
		})
		t.Run(label+" by shroud, proven by the host, never forgotten", func(t *testing.T) {
			g, r := export(t, hoarder, label+"-host.pfx", 1000, "--proof", "host")
			r.exported(t, "shroud", "independent-reader")
			if len(g.last["C_WrapKey"].secrets) > 0 || len(g.last["C_Finalize"].secrets) == 0 {
				t.Errorf("found %v at C_WrapKey and %v at C_Finalize, after the file was decrypted here", g.last["C_WrapKey"].secrets, g.last["C_Finalize"].secrets)
			}
		})
		t.Run(label+" by wrap", func(t *testing.T) {
			g, r := export(t, "", label+"-wrap.pfx", controlIterations, "--method", "wrap")
			r.exported(t, "wrap", "independent-reader")
			g.checkFound(t)
		})
	}
}

// TestReadableKeyIsFoundInMemoryLong is the same search where the key is read attribute by attribute.
func TestReadableKeyIsFoundInMemoryLong(t *testing.T) {
	t.Parallel()
	if passesAsRoot(t) {
		return
	}
	directory := t.TempDir()
	specimens := write(t, directory, "specimens", []byte(`label="rsa" id=01 key=rsa2048 policy=readable certificate=valid
label="ec" id=02 key=p256 policy=readable certificate=valid
`))
	place := filepath.Join(directory, "token")
	if err := runMktoken(specimens, place); err != nil {
		t.Fatal(err)
	}
	configuration := "SOFTHSM2_CONF=" + filepath.Join(place, "softhsm2.conf")
	module := softHSM(t)
	password := write(t, directory, "password.txt", []byte(testPassword+"\n"))
	token := newApart(t, []string{configuration}, module, "")
	for _, label := range []string{"rsa", "ec"} {
		args := []string{"export", label, "--module", token.module, "--token", "test", "--method", "attributes", "--json",
			"--pin-source", "file:" + filepath.Join(place, "pin.txt"), "--password-source", "file:" + password}
		// A first copy tells the test which key to look for.
		first := filepath.Join(directory, label+"-first.pfx")
		p11bridge(t, token.environment(), append(args, "-o", first, "--iterations", "1000")...).exported(t, "attributes", "independent-reader")
		key, certificate := openedBy(t, first, password)
		s := newSearch(t, certificate.Signature, secretsOf(t, key))
		t.Run(label, func(t *testing.T) {
			g, r := runWatched(t, token, s, "", append(args, "-o", filepath.Join(directory, label+".pfx"), "--iterations", strconv.Itoa(controlIterations))...)
			r.exported(t, "attributes", "independent-reader")
			g.checkFound(t)
		})
	}
}

// checkSight wants looks at both processes at these calls and many in between, and the public part in each look at the
// working process that came after it was read.
func (g *guard) checkSight(t *testing.T, calls ...string) {
	t.Helper()
	for _, call := range calls {
		if g.looks[call] < 2 {
			t.Errorf("%d looks at %s instead of one at each process", g.looks[call], call)
		}
		if call != "C_Login" && call != "C_Finalize" && g.last[call].public == 0 {
			t.Errorf("not even the certificate was found at %s", call)
		}
	}
	if g.looks["between"] < 10 {
		t.Errorf("only %d looks between the calls", g.looks["between"])
	}
}

// checkFound wants the key in the working process while it carries the key, and never in the parent. What is left of it
// when the session is closed, after the key was wiped, is told and not judged: TestKeyIsForgottenLong does.
func (g *guard) checkFound(t *testing.T) {
	t.Helper()
	g.checkSight(t, "C_Login", "C_CloseSession", "C_Finalize")
	found := map[string]int{}
	for _, seen := range g.sightings {
		if seen.pid == g.parent {
			t.Errorf("the key is in the parent: %v", seen.secrets)
		}
		if seen.where == "C_Login" {
			t.Errorf("the key is there before it was carried out: %v", seen.secrets)
		}
		for what, n := range seen.secrets {
			found[what] = max(found[what], n)
		}
	}
	for _, what := range g.search.words {
		if found[what] == 0 {
			t.Errorf("%s was never found in %d sightings, %v looks: the search is blind", what, len(g.sightings), g.looks)
			return
		}
	}
	t.Logf("found, in words of eight bytes: %v at the most; after the key was wiped: %v at C_CloseSession, %v at C_Finalize; %v looks",
		found, g.last["C_CloseSession"].secrets, g.last["C_Finalize"].secrets, g.looks)
}
