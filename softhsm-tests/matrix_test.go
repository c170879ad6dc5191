package softhsmtests

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var (
	keyKinds   = []string{"p256", "ed25519"}
	longKinds  = []string{"rsa2048", "p384", "p521", "rsa3072", "rsa4096"}
	keyRules   = []string{"wrappable", "readable", "locked", "held"}
	keyOrigins = []string{"generated", "imported"}
)

// TestEveryKindAndPolicy takes two kinds of key, of which this SoftHSM2 perhaps wraps one only.
func TestEveryKindAndPolicy(t *testing.T) {
	t.Parallel()
	testKindsAndPolicies(t, keyKinds)
}

// TestEveryKindAndPolicyLong takes the others.
func TestEveryKindAndPolicyLong(t *testing.T) {
	t.Parallel()
	testKindsAndPolicies(t, longKinds)
}

// testKindsAndPolicies exports every kind of key under each of the four policies, or is refused, as the listing said.
// openssl has the last word on what was written.
func testKindsAndPolicies(t *testing.T, kinds []string) {
	t.Helper()
	var specimens strings.Builder
	for i, kind := range kinds {
		for j, rule := range keyRules {
			origin := keyOrigins[(i+j)%2]
			fmt.Fprintf(&specimens, "label=%q id=%02x%02x key=%s policy=%s certificate=valid", kind+" "+rule, i+1, j+1, kind, rule)
			if origin == "imported" {
				specimens.WriteString(" imported")
			}
			specimens.WriteString("\n")
		}
	}
	p := newPlace(t, specimens.String())
	var err error
	if p.files, err = os.MkdirTemp(disk, "p11bridge-matrix-"); err != nil { // a file counts only where it is brought to a medium
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(p.files); err != nil {
			t.Error(err)
		}
	})
	ability := softHSMCan(t)
	list := p11bridge(t, p.environment, "list", "--json", "--pin-source", p.pin)
	if list.code != 0 {
		t.Fatalf("list: exit code %d\n%s", list.code, list.stderr)
	}
	written := 0
	for _, kind := range kinds {
		for _, rule := range keyRules {
			t.Run(kind+" "+rule, func(t *testing.T) {
				verdict := list.identity(t, kind+" "+rule).Verdict
				method, reason := ability.expectedOf(kind, rule)
				if verdict.Method != method || verdict.Exportable != (method != "") || len(verdict.Reasons) == 0 || verdict.Reasons[0].Code != reason {
					t.Errorf("the verdict is %+v, not %q, %s", verdict, method, reason)
				}
				if p.try(t, kind+" "+rule, method, reason) {
					written++
				}
			})
		}
	}
	if written < 2*len(kinds)-1 { // a sensitive Ed25519 key is the one that SoftHSM 2.6 does not wrap
		t.Errorf("only %d files were written", written)
	}
}

// expectedOf is what SoftHSM lets a key do: the method and the first reason.
func (a softHSMAbility) expectedOf(kind, rule string) (method, reason string) {
	switch {
	case rule == "locked" || rule == "held":
		return "", "key-not-extractable"
	case kind != "ed25519" || a.wrapsEdwards:
		method, _, _ := a.method()
		return method, "exportable-by-" + method
	case rule == "readable":
		return "attributes", "exportable-by-attributes"
	}
	return "", "wrap-refused"
}

func (p *place) try(t *testing.T, label, method, reason string) (written bool) {
	t.Helper()
	r := p11bridge(t, p.environment, p.export(label, "--iterations", "1000", "--json")...)
	if method == "" {
		if codes := codesOf(r.document.Reasons); r.code != 3 || !slices.Contains(codes, reason) {
			t.Errorf("exit code %d and %q, not 3 and %s\n%s", r.code, codes, reason, r.stderr)
		}
		p.untouched(t, label)
		return false
	}
	if r.code != 0 || r.document.Method != method || !r.document.Verified {
		t.Fatalf("exit code %d, %+v\n%s", r.code, r.document, r.stderr)
	}
	if err := opensslOpens(p.file(label+".pfx"), p.path("password.txt"), false); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(p.file(label + ".pfx")); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if v := p11bridge(t, nil, "verify", p.file(label+".pfx"), "--password-source", p.password, "--json"); v.code != 0 || !v.document.Valid {
		t.Errorf("verify: exit code %d\n%s", v.code, v.stdout)
	}
	return true
}
