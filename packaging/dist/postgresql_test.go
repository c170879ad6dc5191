package dist

import (
	"encoding/json"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// cluster is a PostgreSQL of its own: in a temporary folder, on a Unix socket, as a user who may nothing.
type cluster struct {
	t         *testing.T
	directory string
	as        *syscall.Credential // nil: as this test
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	directory, err := os.MkdirTemp("/tmp", "p11bridge-pg-") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { output(t, "rm", "-rf", "--one-file-system", directory) })
	c := &cluster{t: t, directory: directory}
	if os.Geteuid() == 0 { // which PostgreSQL refuses
		nobody, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, problem := strconv.ParseUint(nobody.Uid, 10, 32)
		gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
		if err != nil || problem != nil {
			t.Fatal(err, problem)
		}
		c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(directory, int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Fatal("no initdb: ", err)
	}
	programs := filepath.Dir(found[0])
	c.run(nil, programs+"/initdb", "--pgdata="+directory+"/data", "--auth=peer", "--username=auditor", "--no-sync", "--locale=C.UTF-8")
	if err := os.WriteFile(directory+"/data/pg_ident.conf", []byte("test /^.*$ auditor\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(directory+"/data/pg_hba.conf", []byte("local all auditor peer map=test\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.run(nil, programs+"/pg_ctl", "--pgdata="+directory+"/data", "--mode=immediate", "-w", "stop")
	})
	c.run(nil, programs+"/pg_ctl", "--pgdata="+directory+"/data", "--log="+directory+"/log", "-w", "--options=-c listen_addresses= -c unix_socket_directories="+directory+" -c fsync=off", "start")
	return c
}

// run runs a program as the cluster's user, or, given a folder, as this one's in there.
func (c *cluster) run(in *string, name string, args ...string) string {
	c.t.Helper()
	command := exec.Command(name, args...)
	command.Dir = c.directory
	command.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "PGHOST=" + c.directory, "PGUSER=auditor", "PGDATABASE=postgres", "PGTZ=UTC"}
	if in != nil {
		command.Dir = *in
	} else if c.as != nil {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	}
	log, err := os.CreateTemp(c.t.TempDir(), "said") // a server that goes on would hold a pipe
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	err = command.Run()
	said := read(c.t, log.Name())
	if err != nil {
		c.t.Fatalf("%s %q: %v\n%s", name, args, err, said)
	}
	return said
}

// rows are those of a query in docs/fleet.md.
func (c *cluster) rows(mark string) (rows [][]string) {
	c.t.Helper()
	here := c.t.TempDir()
	for line := range strings.Lines(c.run(&here, "psql", "-v", "ON_ERROR_STOP=1", "--no-align", "--tuples-only", "--field-separator=|", "-c", block(c.t, "fleet.md", mark))) {
		rows = append(rows, strings.Split(strings.TrimSpace(line), "|"))
	}
	return rows
}

// documentsOfThree are documents of three tokens, one of them old and one with two documents, in a directory.
func documentsOfThree(t *testing.T) (directory string) {
	t.Helper()
	d := newDemo(t)
	directory = t.TempDir()
	status := func(file string) []byte {
		command := exec.Command(binary(t), "status", "--dir", directory, "--json")
		command.Env = d.environment
		text, err := command.Output()
		if command.ProcessState.ExitCode() != 5 {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(directory, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := string(status("status-a.json"))
	var document struct {
		Created string
		Tokens  []struct{ URI, Serial string }
	}
	if err := json.Unmarshal([]byte(first), &document); err != nil {
		t.Fatal(err)
	}
	variant := func(file string, replace ...string) {
		if err := os.WriteFile(filepath.Join(directory, file), []byte(strings.NewReplacer(replace...).Replace(first)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	serial := document.Tokens[0].Serial
	variant("status-b.json", serial, "b\\\"quoted", document.Created, "2020-01-01T00:00:00Z") // a token that is silent, and a name that has to be escaped
	variant("status-c.json", serial, serial+"0", `"never-made"`, `"up-to-date"`)              // a token whose URI begins as the first one's
	variant("status-d.json", document.Created, "2021-01-01T00:00:00Z", `"never-made"`, `"file-missing"`)
	return directory
}

// TestDocumentsIntoPostgreSQLLong follows docs/fleet.md: documents of three tokens, one of them old and one with two documents, go into a
// database of their own, and its answers are those of `p11bridge report`.
func TestDocumentsIntoPostgreSQLLong(t *testing.T) {
	documents := documentsOfThree(t)
	report := exec.Command("sh", "-c", binary(t)+" report status-*.json --json")
	report.Dir = documents
	text, err := report.Output()
	var want struct {
		Documents   int
		CannotLeave []json.RawMessage `json:"cannot_leave"`
		NeedsBackup []json.RawMessage `json:"needs_backup"`
		Expiring    []json.RawMessage
		Silent      []json.RawMessage
	}
	if code := report.ProcessState.ExitCode(); code != 5 {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil || want.Documents != 4 {
		t.Fatal(err, string(text))
	}

	c := newCluster(t)
	c.run(&documents, "psql", "-v", "ON_ERROR_STOP=1", "-c", block(t, "fleet.md", "postgresql-table"))
	c.run(&documents, "bash", "-eo", "pipefail", "-c", block(t, "fleet.md", "postgresql-load"))
	for _, query := range []struct {
		mark string
		want int
		has  string
	}{
		{"postgresql-cannot-leave", len(want.CannotLeave), "key-not-extractable"},
		{"postgresql-needs-backup", len(want.NeedsBackup), "never-made"},
		{"postgresql-expires", len(want.Expiring), ""},
		{"postgresql-silent", len(want.Silent), "2020-01-01"},
	} {
		rows := c.rows(query.mark)
		all := ""
		for _, row := range rows {
			all += strings.Join(row, "|") + "\n"
		}
		if len(rows) != query.want || query.want == 0 || !strings.Contains(all, query.has) || strings.Contains(all, "file-missing") {
			t.Errorf("%s: %d rows, and report has %d:\n%s", query.mark, len(rows), query.want, all)
		}
	}
}
