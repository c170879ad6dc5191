package softhsmtests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"p11bridge/token/tokentest"
)

// growthRun is one run of p11bridge on a token of n identities.
type growthRun struct {
	name  string
	code  int
	args  func(g *grown) []string
	on    func(n int) tokentest.Many
	files bool // there is a file for each key
	alone bool // no module is opened
}

func ordinary(n int) tokentest.Many { return tokentest.Many{Count: n, First: 2, Issued: 100} }

// growthRuns stand in the order of their runs: some need what those before have made.
var growthRuns = []growthRun{
	{"list", 0, func(*grown) []string { return []string{"list"} }, ordinary, false, false},
	{"list --json", 0, func(*grown) []string { return []string{"list", "--json"} }, ordinary, false, false},
	{"diagnose", 0, func(*grown) []string { return []string{"diagnose"} }, ordinary, false, false},
	{"snapshot", 0, func(g *grown) []string {
		return []string{"snapshot", "--force", "-o", g.file("s.json")}
	}, ordinary, false, false},
	{"diagnose --from", 0, func(g *grown) []string { return []string{"diagnose", "--from", g.file("s.json")} }, ordinary, false, true},
	{"report on many keys", 5, func(g *grown) []string { return []string{"report", g.file("s.json")} }, ordinary, false, true},
	{"report on many tokens", 5, func(g *grown) []string { return []string{"report", g.fleet()} }, ordinary, false, true},
	{"doctor", 0, func(*grown) []string { return []string{"doctor"} }, ordinary, false, false},
	{"a mistyped name", 1, func(g *grown) []string { return g.export("NAME-THAT-IS-NOT-THERE") }, ordinary, false, false},
	{"a name that all have", 2, func(g *grown) []string { return g.export("person") }, func(n int) tokentest.Many {
		return tokentest.Many{Count: n, First: 2, Issued: 100, Alike: true}
	}, false, false},
	{"a mistyped name among names that all have", 1, func(g *grown) []string { return g.export("NAME-THAT-IS-NOT-THERE") }, func(n int) tokentest.Many {
		return tokentest.Many{Count: n, First: 2, Issued: 100, Alike: true}
	}, false, false},
	{"export of one key", 0, func(g *grown) []string { return append(g.export("person 7"), "--force") }, ordinary, false, false},
	{"verify --against", 0, func(g *grown) []string { return g.withPassword("verify", g.file("x.pfx"), "--against", "person 7") }, ordinary, false, false},
	{"delete --copy", 0, func(g *grown) []string {
		return g.withPassword("delete", "person 7", "--copy", g.file("x.pfx"), "--dry-run", "--allow-volatile")
	}, ordinary, false, false},
	{"restore of a key that is there", 1, func(g *grown) []string { return g.withPassword("restore", g.file("x.pfx")) }, ordinary, false, false},
	{"export of one certificate", 0, func(g *grown) []string {
		return []string{"export", "person 7", "--certificate-only", "--force", "-o", g.file("c.cer")}
	}, ordinary, false, false},
	{"install", 0, func(g *grown) []string { return []string{"install", g.file("c.cer"), "--dry-run"} }, ordinary, false, false},
	{"request --same-key", 0, func(g *grown) []string {
		return []string{"request", "person 7", "--same-key", "--force", "-o", g.file("r.csr")}
	}, ordinary, false, false},
	{"export --all", 0, func(g *grown) []string { return g.exportAll() }, ordinary, true, false},
	{"export --all once more", 0, func(g *grown) []string { return g.exportAll() }, ordinary, true, false},
	{"verify --dir", 0, func(g *grown) []string { return g.withPassword("verify", "--dir", g.directory) }, ordinary, true, true},
	{"status", 0, func(g *grown) []string { return []string{"status", "--dir", g.directory} }, ordinary, true, false},
	{"status of renewed keys", 5, func(g *grown) []string { return []string{"status", "--dir", g.directory} }, func(n int) tokentest.Many {
		return tokentest.Many{Count: n, First: 2 + n, Issued: 10}
	}, true, false},
	{"export --all --delete-key", 0, func(g *grown) []string { return append(g.exportAll(), "--delete-key", "--yes", "--allow-volatile") }, ordinary, true, false},
}

// grown is a token of one size, with the directory of its backups.
type grown struct {
	t                                             *testing.T
	program, module, scratch, directory, password string
	count                                         int
	files                                         map[tokentest.Many]string
}

func (g *grown) export(name string) []string {
	return g.withPassword("export", name, "-o", g.file("x.pfx"), "--iterations", "1")
}

func (g *grown) exportAll() []string {
	return g.withPassword("export", "--all", "--dir", g.directory, "--iterations", "1")
}

func (g *grown) withPassword(args ...string) []string {
	return append(args, "--password-source", "file:"+g.password)
}

func (g *grown) file(name string) string { return filepath.Join(g.scratch, name) }

// fleet writes one file with a status document of each of as many tokens, with one key each.
func (g *grown) fleet() string {
	const status = `{"schema":"p11bridge.status/1","created":"2026-05-01T12:00:00Z","directory":"b","tokens":[{"uri":"pkcs11:token=t;serial=%[1]d","label":"t","serial":"%[1]d","logged_in":true,"reasons":[]}],` +
		`"keys":[{"uri":"pkcs11:token=t;serial=%[1]d;object=k;type=private","label":"k","id":"01","certificate":null,"has_private_key":true,"state":"never-made","backup":null,` +
		`"reasons":[{"code":"backup-never-made","evidence":{}}],"verdict":{"exportable":true,"method":null,"mechanism":null,"reasons":[]}}],` +
		`"without_key":[],"earlier":[],"gone":[],"elsewhere":[],"unreadable":[],"counts":{},"expiring":null}` + "\n"
	var documents bytes.Buffer
	for i := range g.count {
		fmt.Fprintf(&documents, status, i)
	}
	path := g.file("fleet.json")
	if err := os.WriteFile(path, documents.Bytes(), 0o600); err != nil {
		g.t.Fatal(err)
	}
	return path
}
