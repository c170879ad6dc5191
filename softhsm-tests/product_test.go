package softhsmtests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// result is what came of one run of the product.
type result struct {
	code     int
	stdout   string
	stderr   string
	took     time.Duration
	document document
}

// document is what a run with --json wrote.
type document struct {
	Schema     string
	ExitCode   int `json:"exit_code"`
	Error      string
	Method     string
	Mechanism  string
	Proof      string
	Profile    string
	Verified   bool
	Iterations int
	ChainSize  int    `json:"chain_length"`
	Name       string `json:"friendly_name"`
	Valid      bool
	Others     int   `json:"other_certificates"`
	HasKey     bool  `json:"has_private_key"`
	KeyMatches *bool `json:"key_matches_certificate"`
	Reasons    []statedReason
	Counts     map[string]int // of status and export --all
	Tokens     []struct {
		Label      string
		Reasons    []statedReason
		Identities []statedIdentity
	}
}

type statedReason struct {
	Code     string
	Evidence map[string]any
}

type statedIdentity struct {
	Label       string
	ID          string
	LinkedBy    string                                 `json:"linked_by"`
	Certificate *struct{ Subject string }              `json:"certificate"`
	PrivateKey  *struct{ Attributes map[string]*bool } `json:"private_key"`
	Verdict     struct {
		Exportable bool
		Method     string
		Mechanism  string
		Reasons    []statedReason
	}
}

func codesOf(reasons []statedReason) []string {
	var codes []string
	for _, r := range reasons {
		codes = append(codes, r.Code)
	}
	return codes
}

// identity is the only identity with the label.
func (r *result) identity(t *testing.T, label string) statedIdentity {
	t.Helper()
	var found []statedIdentity
	for _, token := range r.document.Tokens {
		for _, identity := range token.Identities {
			if identity.Label == label {
				found = append(found, identity)
			}
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d identities are called %q:\n%s", len(found), label, r.stdout)
	}
	return found[0]
}

// refused wants exit code 3, this reason before all others and only once, and no file.
func (r *result) refused(t *testing.T, reason, file string) {
	t.Helper()
	r.notDone(t, 3, reason, file)
}

// methodRefused wants exit code 5: the key can leave, and the one way that was allowed was refused.
func (r *result) methodRefused(t *testing.T, file string) {
	t.Helper()
	r.notDone(t, 5, "method-refused", file)
}

func (r *result) notDone(t *testing.T, code int, reason, file string) {
	t.Helper()
	codes := codesOf(r.document.Reasons)
	if r.code != code || r.document.ExitCode != code || len(codes) == 0 || codes[0] != reason {
		t.Errorf("exit code %d and the reasons %q, not %d and %s first\n%s%s", r.code, codes, code, reason, r.stdout, r.stderr)
	}
	slices.Sort(codes)
	if unique := slices.Compact(slices.Clone(codes)); len(unique) != len(codes) {
		t.Errorf("a reason is given twice: %q", codes)
	}
	absent(t, file)
}

// absent wants no file of that name, and none that was to become it.
func absent(t *testing.T, file string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() == filepath.Base(file) || strings.HasSuffix(entry.Name(), ".part") {
			t.Errorf("there is %s", entry.Name())
		}
	}
}

// exported wants exit code 0 and a file that was made by the method and proven so.
func (r *result) exported(t *testing.T, method, proof string) {
	t.Helper()
	d := r.document
	if r.code != 0 || d.Schema != "p11bridge.export/1" || d.Method != method || d.Proof != proof || !d.Verified {
		t.Fatalf("exit code %d, method %q, proof %q, verified %v, not %s and %s\n%s%s", r.code, d.Method, d.Proof, d.Verified, method, proof, r.stdout, r.stderr)
	}
}

// product is the product's command with nobody at a terminal, in its own words. It is killed at the last moment, so that
// a test tells a hang.
func product(ctx context.Context, environment []string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "p11bridge", args...)
	command.Env = append(append(os.Environ(), "LC_ALL=C"), environment...)
	command.WaitDelay = 5 * time.Second
	return command
}

// p11bridge runs the product to its end. A document on its standard output fits its schema.
func p11bridge(t *testing.T, environment []string, args ...string) *result {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), lastMoment())
	defer cancel()
	return finish(t, product(ctx, environment, args...))
}

func finish(t *testing.T, command *exec.Cmd) *result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	start := time.Now()
	err := command.Run()
	return conclude(t, command, err, time.Since(start), stdout.String(), stderr.String())
}

func conclude(t *testing.T, command *exec.Cmd, err error, took time.Duration, stdout, stderr string) *result {
	t.Helper()
	r := &result{took: took, stdout: stdout, stderr: stderr}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("p11bridge: %v", err)
	}
	r.code = command.ProcessState.ExitCode()
	if r.code < 0 {
		t.Fatalf("p11bridge %q: %v after %s\n%s%s", command.Args[1:], err, r.took, r.stdout, r.stderr)
	}
	if !slices.Contains(command.Args, "--json") {
		return r
	}
	if err := json.Unmarshal([]byte(r.stdout), &r.document); err != nil {
		t.Fatalf("p11bridge %q ended with %d and no JSON document: %v\n%s%s", command.Args[1:], r.code, err, r.stdout, r.stderr)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(r.document.Schema, "p11bridge."), "/1")
	if err := validate(name, r.stdout); err != nil {
		t.Error(err)
	}
	return r
}

// foreign runs another program to its end and gives what it printed.
func foreign(directory string, environment []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithDeadline(context.Background(), lastMoment())
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = directory
	command.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8"), environment...)
	command.WaitDelay = 5 * time.Second
	out, err := command.CombinedOutput()
	if err != nil {
		return string(out), errors.Join(errors.New(name+" "+strings.Join(args, " ")), err, errors.New(strings.TrimSpace(string(out))))
	}
	return string(out), nil
}

// mustForeign is foreign for what a test needs to go on.
func mustForeign(t *testing.T, directory, name string, args ...string) string {
	t.Helper()
	out, err := foreign(directory, nil, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// write makes a private file and gives its path.
func write(t *testing.T, directory, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(directory, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
