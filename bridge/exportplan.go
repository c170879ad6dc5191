package bridge

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

// Outcome is what becomes of one identity when all are exported.
type Outcome string

// The outcomes.
const (
	Pending    Outcome = "pending"     // to be exported
	Exported   Outcome = "exported"    // written and placed, with its record
	UpToDate   Outcome = "up-to-date"  // its backup is there, proven, and its key is shown to be this one
	Refused    Outcome = "refused"     // it cannot leave; the verdict says why
	Failed     Outcome = "failed"      // it could not be exported this time; Err says why
	WithoutKey Outcome = "without-key" // nothing to back up: a certificate or a public key alone

	// WithoutCertificate: it may leave, and there is no certificate to leave with it.
	WithoutCertificate Outcome = "without-certificate"
	// OtherShard: it is in another share, and so another worker's.
	OtherShard Outcome = "other-shard"
)

// OpenToken is a token with a session in which it was read.
type OpenToken struct {
	Session   *token.Session
	Inventory *token.Inventory
}

// Item is one identity on its way through an export of all.
type Item struct {
	Token    OpenToken
	Identity token.Identity
	Verdict  verdict.Verdict
	Outcome  Outcome
	Name     string          // of its files, without ending; empty where it gets none
	Backup   *archive.Backup // for UpToDate: the one that is there
	Result   *ExportResult   // for Exported
	Record   *archive.Record // for Exported
	Err      error           // for Failed; for Exported a *DeletionError
	Untried  bool            // for Refused: the key may leave, and the request allowed one way only

	Unrecorded string // for Pending: what Foresee found under the name of its file; empty for nothing of which no record tells
}

// Refused reports whether the item was not exported, and that its verdict or what it lacks says why.
func (item *Item) Refused() bool {
	return item.Outcome == Refused || item.Outcome == WithoutCertificate
}

// Undone reports whether the item has no proven backup, though its key may leave, or may be one that may, or that it has to be looked after.
func (item *Item) Undone() bool {
	return item.Err != nil || item.Outcome == WithoutCertificate || item.Mismatched() || item.Untried ||
		item.Outcome == Refused && !item.Verdict.Known() || item.Result != nil && !item.Result.Settled()
}

// PlanExport decides what is to be done with every identity on the tokens: nothing where the archive has an up-to-date backup
// of the same certificate and key, whatever token it came from. With remake a backup is made anew all the same. Nothing is
// left out of the result; what is in another share is OtherShard. Two items with the same certificate have the same name: they are
// copies of one key, or one of them has the certificate's CKA_ID and nothing else of it.
func PlanExport(tokens []OpenToken, backups *archive.Archive, shard archive.Shard, remake bool, now time.Time) []*Item {
	var items []*Item
	names, taken := map[string]string{}, map[string]string{}
	for _, t := range tokens {
		for _, identity := range t.Inventory.Identities() {
			item := &Item{Token: t, Identity: identity, Outcome: OtherShard}
			items = append(items, item)
			if !shard.Holds(identity) {
				continue
			}
			item.Verdict = verdict.Judge(t.Inventory, identity, now)
			item.plan(backups, remake)
			if item.Outcome != Pending {
				continue
			}
			if name, given := names[item.certificate()]; given {
				item.Name = name
			}
			names[item.certificate()] = item.Name
			item.takeName(taken, backups.Directory)
		}
	}
	return items
}

// takeName keeps a second certificate from the name of a first one, of which it would replace the file: a name has only the
// beginning of a fingerprint, and somebody may have two certificates made whose fingerprints begin alike.
func (item *Item) takeName(taken map[string]string, directory string) {
	name := strings.ToLower(item.Name)
	if other, is := taken[name]; is && other != item.certificate() {
		item.Outcome = Failed
		item.Err = &archive.FileError{Path: filepath.Join(directory, item.Name+archive.BackupExtension), Fault: archive.FileNameTaken}
		return
	}
	taken[name] = item.certificate()
}

// certificate is the SHA-256 of the item's certificate, empty where it has none.
func (item *Item) certificate() string {
	if c := item.Identity.Certificate; c != nil && c.Parsed != nil {
		return c.Parsed.SHA256()
	}
	return ""
}

func (item *Item) plan(backups *archive.Archive, remake bool) {
	identity := item.Identity
	leaves := identity.PrivateKey != nil && !item.Verdict.Final()
	backup := backups.BackupOf(identity)
	switch {
	case identity.PrivateKey != nil && identity.PrivateKey.Fault() != nil:
		item.Outcome, item.Err = Failed, identity.PrivateKey.Fault().Err()
	case backup != nil && backup.UpToDate(identity) && !(remake && leaves && identity.Certificate != nil):
		item.Outcome, item.Backup = UpToDate, backup
	case identity.PrivateKey == nil:
		item.Outcome = WithoutKey
	case !leaves:
		item.Outcome = Refused
	case identity.Certificate == nil:
		item.Outcome = WithoutCertificate
		missing := verdict.Because(verdict.KeyWithoutCertificate, verdict.Fact{Name: "CKA_ID", Value: verdict.HexText(identity.PrivateKey.ID())})
		if at := slices.IndexFunc(item.Verdict.Reasons, func(r verdict.Reason) bool { return r.Code == verdict.CertificateNotIdentified }); at >= 0 {
			missing = item.Verdict.Reasons[at]
		}
		others := slices.DeleteFunc(slices.Clone(item.Verdict.Reasons), func(r verdict.Reason) bool { return r.Code == missing.Code })
		item.Verdict.Reasons = append([]verdict.Reason{missing}, others...) // it may leave as before
	default:
		item.Outcome = Pending
		item.Name = backups.NameFor(string(identity.Label()), identity.Certificate.Parsed.SHA256())
	}
}
