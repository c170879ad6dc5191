package softhsmtests

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// mostCalls is how many C_GetAttributeValue calls a listing may make for an object. pkcs11-tool makes 16, p11tool 34.
const mostCalls = 2.2

// TestManyIdentities lists a token of as many identities as are made within a moment.
func TestManyIdentities(t *testing.T) {
	t.Parallel()
	testManyIdentities(t, 60)
}

// TestThousandIdentitiesLong lists a token of 1,000 identities.
func TestThousandIdentitiesLong(t *testing.T) {
	t.Parallel()
	testManyIdentities(t, 1000)
}

// testManyIdentities has OpenSC's spy stand between and count what really reaches the module; the program's own trace would
// be a poor witness.
func testManyIdentities(t *testing.T, identities int) {
	t.Helper()
	objects := 3 * identities
	var specimens strings.Builder
	for i := range identities {
		fmt.Fprintf(&specimens, "label=\"person %d\" id=%04x key=p256 policy=wrappable certificate=valid\n", i, i+1)
	}
	p := newPlace(t, specimens.String())
	start := time.Now()
	list := p11bridge(t, p.environment, "list", "--json", "--pin-source", p.pin)
	took := time.Since(start)
	if list.code != 0 || len(list.document.Tokens) != 1 || len(list.document.Tokens[0].Identities) != identities {
		t.Fatalf("exit code %d, and not %d identities on one token\n%s", list.code, identities, list.stderr)
	}
	for _, identity := range list.document.Tokens[0].Identities {
		if !identity.Verdict.Exportable || identity.PrivateKey == nil {
			t.Fatalf("%s: %+v", identity.Label, identity.Verdict)
		}
	}

	spied := p.path("spied")
	environment := append(p.environment, "PKCS11SPY="+softHSM(t), "PKCS11SPY_OUTPUT="+spied)
	if r := p11bridge(t, environment, "list", "--pin-source", p.pin, "--module", library(t, "pkcs11-spy.so")); r.code != 0 {
		t.Fatalf("through the spy: exit code %d\n%s", r.code, r.stderr)
	}
	calls := spiedCalls(t, spied)
	perObject := float64(calls["C_GetAttributeValue"]) / float64(objects)
	t.Logf("%d identities, %d objects: %.2f C_GetAttributeValue calls per object, %d searches, %s", identities, objects, perObject, calls["C_FindObjectsInit"], took.Round(time.Millisecond))
	if perObject < 1 || perObject > mostCalls {
		t.Errorf("%.2f calls per object instead of at most %.1f", perObject, mostCalls)
	}
	if calls["C_FindObjectsInit"] != calls["C_FindObjectsFinal"] || calls["C_Login"] != 1 {
		t.Errorf("the calls are %v", calls)
	}

	// One of many is found without trouble.
	if r := p11bridge(t, p.environment, p.export("person 37", "--iterations", "1000")...); r.code != 0 {
		t.Fatalf("export: exit code %d\n%s", r.code, r.stderr)
	}
	if err := opensslOpens(p.path("person 37.pfx"), p.path("password.txt"), false); err != nil {
		t.Error(err)
	}
	if r := p11bridge(t, p.environment, p.export("nobody", "--iterations", "1000")...); r.code != 1 || strings.Count(r.stderr, "\n") > 10 {
		t.Errorf("a name that fits nothing: exit code %d and\n%.2000s", r.code, r.stderr)
	}
}

// spiedCalls counts the calls in what the spy wrote: a line "17: C_Login" for each.
func spiedCalls(t *testing.T, path string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if number, function, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && strings.HasPrefix(function, "C_") && strings.Trim(number, "0123456789") == "" {
			calls[function]++
		}
	}
	if calls["C_Initialize"] != 1 || calls["C_Finalize"] != 1 {
		t.Fatalf("the spy saw %v", calls)
	}
	return calls
}
