package archive

import (
	"fmt"
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
	token  func(*token.Inventory) // what is otherwise on the token
}

func statusRows() []statusRow {
	forget := func(a *Archive) {
		a.Backups, a.byCertificate, a.byPublicKey = nil, map[string][]*Backup{}, map[string][]*Backup{}
	}
	return []statusRow{
		{"nothing was made", func(a *Archive, _ *Backup) { forget(a) }, StateNever, verdict.BackupNeverMade, nil},
		{"the file is as its record says", func(*Archive, *Backup) {}, StateUpToDate, verdict.BackupUpToDate, nil},
		{"the token proved it", func(_ *Archive, b *Backup) { b.Record.Proof = ProofToken }, StateUpToDate, verdict.BackupUpToDate, nil},
		{"its structure alone was proven", func(_ *Archive, b *Backup) { b.Record.Proof = ProofStructure }, StateUnproven, verdict.BackupUnproven, nil},
		{"the record names a proof that nobody makes", func(_ *Archive, b *Backup) { b.Record.Proof = "" }, StateUnproven, verdict.BackupUnproven, nil},
		{"the key has the certificate's CKA_ID alone", func(*Archive, *Backup) {}, StateNotShown, verdict.BackupKeyNotShown, func(inventory *token.Inventory) {
			inventory.Objects[0] = tokentest.PrivateKey("", tokentest.Wrappable)
		}},
		{"the key has the certificate's CKA_ID alone, and cannot leave", func(*Archive, *Backup) {}, StateCannotLeave, verdict.KeyNotExtractable, func(inventory *token.Inventory) {
			inventory.Objects[0] = tokentest.PrivateKey("", tokentest.Locked)
		}},
		{"whether the key may leave is not told", func(a *Archive, _ *Backup) { forget(a) }, StateUnknown, verdict.AttributesNotTold, func(inventory *token.Inventory) {
			inventory.Objects[0].Attributes.Delete(token.CKAExtractable)
		}},
		{"the record is of another key", func(_ *Archive, b *Backup) { b.Record.PublicKeySHA256 = strings.Repeat("0", 64) }, StateNever, verdict.BackupNeverMade, nil},
		{"the key is gone", func(*Archive, *Backup) {}, StateKeyGone, verdict.BackupKeyGone, func(inventory *token.Inventory) { inventory.Objects = inventory.Objects[1:] }},
		{"the key is hidden", func(*Archive, *Backup) {}, StateUnknown, verdict.KeysHiddenUntilLogin, func(inventory *token.Inventory) {
			inventory.Objects, inventory.LoggedIn = inventory.Objects[1:], false
		}},
		{"the file is gone", func(_ *Archive, b *Backup) { b.File = FileMissing }, StateMissing, verdict.BackupFileMissing, nil},
		{"the record is of another key", func(a *Archive, b *Backup) {
			b.Record.PublicKeySHA256, a.byPublicKey = strings.Repeat("0", 64), map[string][]*Backup{}
		}, StateNever, verdict.BackupNeverMade, nil},
		{"the file is another", func(_ *Archive, b *Backup) { b.File = FileChanged }, StateChanged, verdict.BackupFileChanged, nil},
		{"the sealed password is gone", func(_ *Archive, b *Backup) { sealRecord(b, FileMissing) }, StatePassword, verdict.SealedPasswordMissing, nil},
		{"the sealed password is another", func(_ *Archive, b *Backup) { sealRecord(b, FileChanged) }, StatePassword, verdict.SealedPasswordMissing, nil},
		{"the sealed password is there", func(_ *Archive, b *Backup) { sealRecord(b, FileIntact) }, StateUpToDate, verdict.BackupUpToDate, nil},
		{"the record cannot be read", func(a *Archive, _ *Backup) {
			forget(a)
			a.loose[shortFingerprint(statusFingerprint)] = []string{"a"}
		}, StateUnreadable, verdict.BackupRecordUnreadable, nil},
		{"the backup is of an older certificate of the key", func(a *Archive, b *Backup) {
			backup := ofAnotherCertificate(b, "d/old.json", -365)
			forget(a)
			a.Backups = []Backup{backup}
		}, StateOutdated, verdict.BackupOutdated, nil},
		// The certificate on the token does not renew it: it is the older of the two.
		{"the backup is of a newer certificate of the key", func(a *Archive, b *Backup) {
			backup := ofAnotherCertificate(b, "d/new.json", -1)
			forget(a)
			a.Backups = []Backup{backup}
		}, StateNever, verdict.BackupNeverMade, nil},
	}
}

func sealRecord(b *Backup, password FileState) {
	b.Record.Sealed, b.Password = &SealedPassword{File: b.Record.File + PasswordExtension, SHA256: strings.Repeat("0", 64)}, password
}

// ofAnotherCertificate is a backup of the same key with a certificate that began so many days from now.
func ofAnotherCertificate(b *Backup, path string, days int) Backup {
	record := *b.Record
	record.File = strings.TrimSuffix(path, ".json") + ".pfx"
	record.Certificate.SHA256, record.Certificate.NotBefore = strings.Repeat("0", 64), tokentest.Now.AddDate(0, 0, days).UTC().Format(time.RFC3339)
	return Backup{RecordPath: path, Record: &record, File: FileIntact}
}

// TestStatusNamesTheNewest has backups of several older certificates: the newest of them is the one that was renewed.
func TestStatusNamesTheNewest(t *testing.T) {
	row := statusRow{change: func(a *Archive, b *Backup) {
		older, newest, oldest := ofAnotherCertificate(b, "older.json", -200), ofAnotherCertificate(b, "newest.json", -150), ofAnotherCertificate(b, "oldest.json", -400)
		a.Backups, a.byCertificate, a.byPublicKey = []Backup{older, newest, oldest}, map[string][]*Backup{}, map[string][]*Backup{}
	}}
	status := row.status()
	if len(status.Keys) != 1 || status.Keys[0].State != StateOutdated || !strings.Contains(fmt.Sprint(status.Keys[0].Reasons[0].Evidence), "newest.pfx") {
		t.Errorf("%+v", status.Keys)
	}
}

var statusFingerprint = strings.Repeat("ab", 32)

// status compares the identity with an archive that holds its backup, but for the row's change.
func (row statusRow) status() *BackupStatus {
	certificate := tokentest.CertificateOf("a", func(c *pki.Certificate) { c.Fingerprint = statusFingerprint })
	inventory := tokentest.InventoryOf(tokentest.PrivateKey("a", tokentest.Wrappable), certificate)
	if row.token != nil {
		row.token(inventory)
	}
	public := Digest(tokentest.PublicKey("a").SPKI)
	archive := &Archive{Directory: "d", byCertificate: map[string][]*Backup{}, byPublicKey: map[string][]*Backup{}, loose: map[string][]string{}}
	archive.Backups = []Backup{{RecordPath: "d/a.json", File: FileIntact, Record: &Record{
		File: "a.pfx", ID: "01", Created: tokentest.Now.UTC().Format(time.RFC3339), PublicKeySHA256: public, Proof: ProofIndependent, Token: RecordTokenOf(inventory),
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
		settled := row.state == StateUpToDate || row.state == StateKeyGone || row.state == StateCannotLeave
		if status.NeedsAttention() == settled {
			t.Errorf("%s: needs attention: %v", row.name, status.NeedsAttention())
		}
	}
}

// TestBestOf: of several backups of one key the proven one counts, then one that is there, then the newest.
func TestBestOf(t *testing.T) {
	made := func(file FileState, proof Proof, created string) *Backup {
		return &Backup{File: file, Record: &Record{Proof: proof, Created: created}}
	}
	for _, row := range []struct {
		name         string
		worse, other *Backup
	}{
		{"there before gone", made(FileMissing, ProofOwn, "2026-03"), made(FileIntact, ProofStructure, "2026-01")},
		{"there before changed", made(FileChanged, ProofOwn, "2026-03"), made(FileIntact, ProofOwn, "2026-01")},
		{"proven before there", made(FileIntact, ProofStructure, "2026-03"), made(FileIntact, ProofToken, "2026-01")},
		{"the newer one", made(FileIntact, ProofOwn, "2026-01"), made(FileIntact, ProofIndependent, "2026-03")},
	} {
		if bestOf([]*Backup{row.worse, row.other}) != row.other || bestOf([]*Backup{row.other, row.worse}) != row.other {
			t.Errorf("%s: the other one was taken", row.name)
		}
	}
	if bestOf(nil) != nil {
		t.Error("none is there, and one is found")
	}
}
