package softhsmtests

import (
	"fmt"
	"os"
	"regexp"
	"testing"
)

// slowRun is a list of all objects over a module that seems far away.
type slowRun struct {
	name        string
	environment []string
	least, most int // threads in the module at once
}

var slowRuns = []slowRun{
	{"a module for one thread", []string{"P11SLOW_ONE=1"}, 1, 1},
	{"a module at once", nil, 1, 8}, // a loaded machine makes it slow
	{"a slow module", []string{"P11SLOW_US=3000"}, 2, 8},
	{"a slow token of three sessions", []string{"P11SLOW_US=3000", "P11SLOW_SESSIONS=3"}, 2, 3},
	{"a slow token of one session", []string{"P11SLOW_US=3000", "P11SLOW_SESSIONS=1"}, 1, 1},
	{"a slow token that shows other sessions something else", []string{"P11SLOW_US=3000", "P11SLOW_OTHER=1"}, 1, 1},
	{"a slow module for one thread", []string{"P11SLOW_US=3000", "P11SLOW_ONE=1"}, 1, 1},
	{"a search for certificates that finds everything", []string{"P11SLOW_LIES=1", "P11SLOW_ONE=1"}, 1, 1},
}

// TestSeveralSessions reads the same token over modules that are slow, or are for one thread: the output is the same byte for byte, and a
// module that is for one thread is never called by two.
func TestSeveralSessions(t *testing.T) {
	t.Parallel()
	p := newPlace(t, manyKeys(40))
	module := compile(t, "slow.c", "slow.so", "-shared", "-fPIC")
	report := p.path("report")
	environment := append(p.environment, "P11BRIDGE_MODULE="+module, "P11SLOW_MODULE="+softHSM(t), "P11SLOW_REPORT="+report)
	list := []string{"list", "--json", "--token", "test", "--pin-source", p.pin}
	threads := func(r *result) (calls, most int) {
		t.Helper()
		text, err := os.ReadFile(report)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(string(text), &calls, &most); err != nil || r.code != 0 {
			t.Fatalf("exit code %d, %v\n%s%s", r.code, err, r.stdout, r.stderr)
		}
		return calls, most
	}
	want, usual := "", 0
	for _, run := range slowRuns {
		r := p11bridge(t, append(environment, run.environment...), list...)
		calls, most := threads(r)
		t.Logf("%s: %d calls, %d at once, %s", run.name, calls, most, r.took)
		if most < run.least || most > run.most {
			t.Errorf("%s: %d threads were in it at once, not %d to %d", run.name, most, run.least, run.most)
		}
		if want == "" {
			want, usual = r.stdout, calls
		}
		if calls > usual+60 { // a second call for each certificate, and what sessions cost
			t.Errorf("%s: %d calls, and %d are usual", run.name, calls, usual)
		}
		if r.stdout != want {
			t.Errorf("%s: another output\n%s\n%s", run.name, r.stdout, want)
		}
	}
	if r := p11bridge(t, append(environment, "P11SLOW_ACTIVE=1"), list...); r.stdout != want {
		t.Errorf("a module that does not end its signatures: another output\n%s\n%s", r.stdout, want)
	}
	r := p11bridge(t, append(environment, "P11SLOW_ONE=1"), "export", "--all", "--dir", p.path("one"), "--iterations", "1", "--pin-source", p.pin, "--password-source", p.password)
	if _, most := threads(r); most != 1 {
		t.Errorf("export --all called a module for one thread by %d", most)
	}
}

// TestCallsOfAnIdentity counts what an identity more costs: a call for each of its three objects, and for ten of them one more. The module is
// for one thread: how many sessions read over another one depends on how fast the machine is. The first objects are no certificates, as by chance.
func TestCallsOfAnIdentity(t *testing.T) {
	t.Parallel()
	module := compile(t, "slow.c", "slow.so", "-shared", "-fPIC")
	calls := func(identities int) (n int) {
		p := newPlace(t, rsaKeys(identities))
		report := p.path("report")
		r := p11bridge(t, append(p.environment, "P11BRIDGE_MODULE="+module, "P11SLOW_MODULE="+softHSM(t), "P11SLOW_REPORT="+report, "P11SLOW_ONE=1", "P11SLOW_LATE=12"), "list", "--token", "test", "--pin-source", p.pin, "--trace", p.path("trace"))
		text, err := os.ReadFile(report)
		if err != nil || r.code != 0 {
			t.Fatalf("exit code %d, %v\n%s%s", r.code, err, r.stdout, r.stderr)
		}
		if _, err := fmt.Sscan(string(text), &n); err != nil {
			t.Fatal(err)
		}
		const sampled, byChance = 16, 8 // the certificates that are read before it is searched for them, if it is worth a search
		alone := p.askedAlone(t)
		if alone > sampled+byChance {
			t.Errorf("%d attributes of %d identities were asked for alone", alone, identities)
		}
		return n - alone
	}
	const few, many = 17, 57 // far enough apart: the search for certificates is four calls, and is made only where it saves more
	less, more := calls(few), calls(many)
	each := float64(more-less) / (many - few)
	t.Logf("%d and %d calls: %.2f an identity", less, more, each)
	if each > 3.1 {
		t.Errorf("%.2f calls an identity", each)
	}
}

// askedAlone counts the calls for one attribute: CKA_VALUE of the certificates among the first objects, before anybody searches for certificates,
// and values that happen to end as room does that nobody has written to.
func (p *place) askedAlone(t *testing.T) int {
	t.Helper()
	trace, err := os.ReadFile(p.path("trace"))
	if err != nil {
		t.Fatal(err)
	}
	return len(regexp.MustCompile(`(?m) C_GetAttributeValue CKR_OK \S+ CKA_\w+$`).FindAll(trace, -1))
}

// rsaKeys are identities whose private keys tell their public halves: none is asked for a signature. They are short and few, as to make them takes
// long.
func rsaKeys(n int) (list string) {
	for i := range n {
		list += fmt.Sprintf("label=\"key %d\" id=%02x key=rsa1024 policy=wrappable certificate=valid\n", i, i+1)
	}
	return list
}
