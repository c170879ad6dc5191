package archive

import (
	"strings"
	"testing"
	"time"

	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/tokentest"
)

// statusRow is a backup, or what is left of one, and the state that the identity "a" is in with it.
type statusRow struct {
	name   string
	change func(*Archive, *Backup)
	state  BackupState
	code   verdict.Code
}

func statusRows() []statusRow {
	forget := func(a *Archive) {
		a.Backups, a.byCertificate, a.byPublicKey = nil, map[string][]*Backup{}, map[string][]*Backup{}
	}
	return []statusRow{
		{"nothing was made", func(a *Archive, _ *Backup) { forget(a) }, StateNever, verdict.BackupNeverMade},
		{"the file is as its record says", func(*Archive, *Backup) {}, StateUpToDate, verdict.BackupUpToDate},
		{"the file is gone", func(_ *Archive, b *Backup) { b.File = FileMissing }, StateMissing, verdict.BackupFileMissing},
		{"the file is another", func(_ *Archive, b *Backup) { b.File = FileChanged }, StateChanged, verdict.BackupFileChanged},
		{"the record cannot be read", func(a *Archive, _ *Backup) {
			forget(a)
			a.loose[shortFingerprint(statusFingerprint)] = []string{"a"}
		}, StateUnreadable, verdict.BackupRecordUnreadable},
		{"the backup is of an older certificate of the key", func(a *Archive, b *Backup) {
			record := *b.Record
			record.Certificate.SHA256, record.Certificate.NotBefore = strings.Repeat("0", 64), tokentest.Now.AddDate(-1, 0, 0).UTC().Format(time.RFC3339)
			forget(a)
			a.Backups = []Backup{{RecordPath: b.RecordPath, Record: &record, File: FileIntact}}
		}, StateOutdated, verdict.BackupOutdated},
	}
}

var statusFingerprint = strings.Repeat("ab", 32)

// status compares the identity with an archive that holds its backup, but for the row's change.
func (row statusRow) status() *BackupStatus {
	certificate := tokentest.CertificateOf("a", func(c *pki.Certificate) { c.Fingerprint = statusFingerprint })
	inventory := tokentest.InventoryOf(tokentest.PrivateKey("a", tokentest.Wrappable), certificate)
	public := Digest(tokentest.PublicKey("a").SPKI)
	archive := &Archive{Directory: "d", byCertificate: map[string][]*Backup{}, byPublicKey: map[string][]*Backup{}, loose: map[string][]string{}}
	archive.Backups = []Backup{{RecordPath: "d/a.json", File: FileIntact, Record: &Record{
		File: "a.pfx", ID: "01", Created: tokentest.Now.UTC().Format(time.RFC3339), PublicKeySHA256: public,
		Certificate: RecordCertificate{SHA256: statusFingerprint, Subject: "CN=a", NotBefore: tokentest.Now.AddDate(0, 0, -100).UTC().Format(time.RFC3339)},
	}}}
	b := &archive.Backups[0]
	archive.byCertificate[statusFingerprint] = []*Backup{b}
	archive.byPublicKey[public] = []*Backup{b}
	row.change(archive, b)
	return Status([]*token.Inventory{inventory}, archive, tokentest.Now)
}

func TestStatus(t *testing.T) {
	for _, row := range statusRows() {
		status := row.status()
		if len(status.Keys) != 1 {
			t.Errorf("%s: %d keys", row.name, len(status.Keys))
			continue
		}
		key := status.Keys[0]
		if key.State != row.state || len(key.Reasons) == 0 || key.Reasons[0].Code != row.code {
			t.Errorf("%s: %s %v, not %s %s", row.name, key.State, key.Reasons, row.state, row.code)
		}
		if status.NeedsAttention() != (row.state != StateUpToDate) {
			t.Errorf("%s: needs attention: %v", row.name, status.NeedsAttention())
		}
	}
}
