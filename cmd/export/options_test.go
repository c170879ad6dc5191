package export

import (
	"os"
	"path/filepath"
	"testing"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
)

// written is a command line that export takes, changed by change.
func written(change func(*exportOptions)) *exportOptions {
	o := &exportOptions{object: "alice", out: "alice.pfx", profile: "modern", method: anyMethod, transport: "oaep"}
	change(o)
	return o
}

// all is one that export --all takes.
func all(change func(*exportOptions)) *exportOptions {
	return written(func(o *exportOptions) {
		o.all, o.object, o.out, o.dir = true, "", "", "backups"
		change(o)
	})
}

// TestPartly: what could not be read may be a key without a backup, whatever else was done.
func TestPartly(t *testing.T) {
	done := &bridge.Item{Outcome: bridge.UpToDate}
	kept := &bridge.Item{Outcome: bridge.Refused, Verdict: verdict.Verdict{Reasons: []verdict.Reason{{Code: verdict.KeyNotExtractable}}}}
	untold := &bridge.Item{Outcome: bridge.Refused, Verdict: verdict.Verdict{Reasons: []verdict.Reason{{Code: verdict.AttributesNotTold}}}}
	listed := &bridge.Item{Outcome: bridge.Refused, Verdict: verdict.Verdict{Reasons: []verdict.Reason{{Code: verdict.NoWrappingMechanism}}, ListedRefused: true}}
	for _, row := range []struct {
		name   string
		items  []*bridge.Item
		unread int
		code   int
	}{
		{"nothing", nil, 0, frame.ExitDone},
		{"what cannot leave", []*bridge.Item{done, kept}, 0, frame.ExitDone},
		{"an object that could not be read", []*bridge.Item{done}, 1, frame.ExitPartly},
		{"nothing but such an object", nil, 1, frame.ExitFailed},
		{"a key of which the token does not tell", []*bridge.Item{done, untold}, 0, frame.ExitPartly},
		{"a key that the token lists a way for and refused", []*bridge.Item{done, listed}, 0, frame.ExitPartly},
	} {
		if code := partly(&exportOptions{}, row.items, row.unread); code != row.code {
			t.Errorf("%s: exit code %d instead of %d", row.name, code, row.code)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, row := range []struct {
		name    string
		options *exportOptions
		mistake string
	}{
		{"one file", written(func(*exportOptions) {}), ""},
		{"all", all(func(*exportOptions) {}), ""},
		{"no file", written(func(o *exportOptions) { o.out = "" }), "usage: out-missing"},
		{"a directory for one", written(func(o *exportOptions) { o.dir = "backups" }), "usage: dir-without-all"},
		{"no directory for all", all(func(o *exportOptions) { o.dir = "" }), "usage: all-without-dir"},
		{"one file for all", all(func(o *exportOptions) { o.out = "alice.pfx" }), "usage: all-for-one"},
		{"one certificate for all", all(func(o *exportOptions) { o.certificate = "a.cer" }), "usage: all-for-one"},
		{"certificates alone, of all", all(func(o *exportOptions) { o.certificateOnly = true }), "usage: all-for-one"},
		{"all destroyed", all(func(o *exportOptions) { o.deleteKey, o.yes = true, true }), ""},
		{"all destroyed, unasked", all(func(o *exportOptions) { o.deleteKey = true }), "usage: all-delete-needs-yes"},
		{"a certificate alone", written(func(o *exportOptions) { o.certificateOnly = true }), ""},
		{"a certificate alone, and the key destroyed", written(func(o *exportOptions) { o.certificateOnly, o.deleteKey = true, true }), "usage: delete-certificate-only"},
		{"a certificate in its chain", written(func(o *exportOptions) { o.out, o.certificateOnly = "alice.p7b", true }), ""},
		{"a chain by another name", written(func(o *exportOptions) { o.out, o.certificateOnly, o.format = "alice.cer", true, "p7b" }), "usage: format-name"},
		{"DER by the name of PEM", written(func(o *exportOptions) { o.out, o.certificateOnly, o.format = "alice.pem", true, "der" }), "usage: format-name"},
		{"PEM by a name that both have", written(func(o *exportOptions) { o.out, o.certificateOnly, o.format = "alice.crt", true, "pem" }), ""},
		{"an unknown form", written(func(o *exportOptions) { o.out, o.certificateOnly, o.format = "alice.crt", true, "xml" }), "usage: format"},
		{"a form of a PFX", written(func(o *exportOptions) { o.format = "der" }), "usage: format-without-certificate-only"},
		{"an unknown profile", written(func(o *exportOptions) { o.profile = "best" }), "usage: profile"},
		{"no profile", written(func(o *exportOptions) { o.profile = "" }), "usage: profile"},
		{"fewer iterations than none", written(func(o *exportOptions) { o.iterations = -1 }), "usage: iterations"},
		{"no iterations at all", written(func(o *exportOptions) { o.iterationsGiven = true }), "usage: iterations"},
		{"the most iterations", written(func(o *exportOptions) { o.iterations = bridge.MaxIterations }), ""},
		{"one more", written(func(o *exportOptions) { o.iterations = bridge.MaxIterations + 1 }), "usage: iterations"},
		{"an unknown method", written(func(o *exportOptions) { o.method = "carry" }), "usage: method"},
		{"an unknown prover", written(func(o *exportOptions) { o.proof = "me" }), "usage: proof"},
		{"the token proves", written(func(o *exportOptions) { o.proof = "token" }), ""},
		{"shroud", written(func(o *exportOptions) { o.requireShroud, o.method = true, "shroud" }), ""},
		{"shroud, by wrap", written(func(o *exportOptions) { o.requireShroud, o.method = true, "wrap" }), "usage: require-shroud"},
		{"shroud, opened here", written(func(o *exportOptions) { o.requireShroud, o.proof = true, "host" }), "usage: require-shroud"},
		{"shroud, in a legacy file", written(func(o *exportOptions) { o.requireShroud, o.profile = true, "legacy" }), "usage: require-shroud"},
		{"shroud if it goes, in a legacy file", written(func(o *exportOptions) { o.method, o.profile = "shroud", "legacy" }), "usage: shroud-legacy"},
		{"wrap, in a legacy file", written(func(o *exportOptions) { o.method, o.profile = "wrap", "legacy" }), ""},
	} {
		got := ""
		if err := row.options.check(); err != nil {
			got = err.Error()
		}
		if got != row.mistake {
			t.Errorf("%s: %q, not %q", row.name, got, row.mistake)
		}
	}
	if err := written(func(o *exportOptions) { o.password = "secret" }).check(); err == nil {
		t.Error("a password in place of its source is taken")
	}
}

func TestRequest(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("there.pfx", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name    string
		options *exportOptions
		mistake string
	}{
		{"one file", written(func(*exportOptions) {}), ""},
		{"a file that is there", written(func(o *exportOptions) { o.out = "there.pfx" }), "write there.pfx: exists"},
		{"a file that is there, replaced", written(func(o *exportOptions) { o.out, o.force = "there.pfx", true }), ""},
		{"no such directory", written(func(o *exportOptions) { o.out = filepath.Join("none", "alice.pfx") }), "write none/alice.pfx: stat none: no such file or directory"},
		{"a key in a certificate's file", written(func(o *exportOptions) { o.out = "alice.CRT" }), "write alice.CRT: named-certificate"},
		{"a certificate in a backup's file", written(func(o *exportOptions) { o.out, o.certificateOnly = "alice.p12", true }), "write alice.p12: named-backup"},
		{"standard output", written(func(o *exportOptions) { o.out = "-" }), "write -: named-dash"},
		{"all, to a directory that is to be made", all(func(*exportOptions) {}), ""},
		{"a chain that is not there", written(func(o *exportOptions) { o.chain = []string{"none.pem"} }), "read none.pem: no such file or directory"},
		{"a certificate that is none", written(func(o *exportOptions) { o.certificate = "there.pfx" }), "read there.pfx"},
	} {
		_, err := row.options.request(&frame.App{})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != row.mistake && (row.mistake == "" || len(got) < len(row.mistake) || got[:len(row.mistake)] != row.mistake) {
			t.Errorf("%s: %q, not %q", row.name, got, row.mistake)
		}
	}
	r, err := written(func(o *exportOptions) { o.method, o.allowVolatile, o.iterations = "wrap", true, 7 }).request(&frame.App{})
	if err != nil || r.Method != verdict.MethodWrap || !r.AllowVolatile || r.Iterations != 7 || r.Profile != bridge.ProfileModern || r.Target.Path != "alice.pfx" {
		t.Errorf("%+v, %v", r, err)
	}
}
