package archive

import (
	"slices"
	"time"

	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// BackupState says how an identity stands with its backup.
type BackupState string

// The states. A key needs a backup in exactly two cases: it never had one, or its certificate was renewed since. An archive knows of a
// backup by its record.
const (
	StateUpToDate    BackupState = "up-to-date"
	StateNever       BackupState = "never-made"
	StateOutdated    BackupState = "outdated" // renewed since the last backup
	StateMissing     BackupState = "file-missing"
	StateChanged     BackupState = "file-changed"
	StatePassword    BackupState = "password-missing" // the sealed password of the file is gone, or another one stands there
	StateUnreadable  BackupState = "record-unreadable"
	StateUnproven    BackupState = "unproven"      // there is a file, and nobody has shown that the key in it is this one
	StateNotShown    BackupState = "key-not-shown" // whether the key on the token is the one in the file is not known
	StateKeyGone     BackupState = "key-gone"      // the key is no longer on the token: there is nothing to back up
	StateCannotLeave BackupState = "cannot-leave"  // so it cannot need a backup either
	StateUnknown     BackupState = "unknown"       // whether there is a private key, and which, or whether it may leave: a login is missing, the token does not say, or no file can be made of a key of its kind
)

// BackupStates lists the states.
func BackupStates() []BackupState {
	return []BackupState{StateUpToDate, StateNever, StateOutdated, StateMissing, StateChanged, StatePassword, StateUnreadable, StateUnproven, StateNotShown, StateKeyGone, StateCannotLeave, StateUnknown}
}

// stateReasons are the reasons that a state stands for; the other states have the verdict's.
var stateReasons = map[BackupState]verdict.Code{
	StateUpToDate: verdict.BackupUpToDate, StateNever: verdict.BackupNeverMade, StateOutdated: verdict.BackupOutdated, StateMissing: verdict.BackupFileMissing,
	StateChanged: verdict.BackupFileChanged, StatePassword: verdict.SealedPasswordMissing, StateUnreadable: verdict.BackupRecordUnreadable, StateUnproven: verdict.BackupUnproven, StateNotShown: verdict.BackupKeyNotShown,
	StateKeyGone: verdict.BackupKeyGone,
}

// KeyStatus is one identity and its backup.
type KeyStatus struct {
	Inventory *token.Inventory
	Identity  token.Identity
	Verdict   verdict.Verdict
	State     BackupState
	Backup    *Backup // of this certificate and key, nil where there is none
	Reasons   []verdict.Reason
}

// Unknown reports whether the tokens did not let it be found out what a key needs. A key of a kind that is not supported here is not meant, nor
// one that was tried and refused by all ways that its token lists: it has no backup, and somebody has to look after it.
func (s *BackupStatus) Unknown() bool {
	return len(s.Hidden) > 0 || slices.ContainsFunc(s.Keys, func(key KeyStatus) bool {
		return key.State == StateUnknown && !key.Verdict.Unsupported() && !key.Verdict.ListedRefused
	})
}

// NeedsAttention reports whether something is to be done: a backup to be made, or a login to find out whether one is.
func (s KeyStatus) NeedsAttention() bool {
	return !slices.Contains([]BackupState{StateUpToDate, StateKeyGone, StateCannotLeave}, s.State)
}

// BackupStatus is how the identities on some tokens stand with the backups in an archive.
type BackupStatus struct {
	Keys       []KeyStatus
	WithoutKey []KeyStatus // certificates and public keys alone: nothing to back up
	Earlier    []*Backup   // of keys that are on the tokens, with another certificate, or a further one of a certificate that has a better one
	Gone       []*Backup   // of keys that are no longer on the token that they came from, nor is their certificate
	Elsewhere  []*Backup   // of keys from tokens that are not here
	Unreadable []UnreadableRecord
	Unrecorded []string           // the paths of PFX files that no record tells of: whose keys they hold is not known
	Hidden     []*token.Inventory // tokens whose private keys nobody could see, or not all of them: nothing is known of what they need
}

// NeedsAttention reports whether not everything that can be backed up is, or that a file is not what its record says.
func (s *BackupStatus) NeedsAttention() bool {
	spoiled := func(b *Backup) bool { return b.File != FileIntact || b.PasswordLost() }
	return len(s.Unreadable) > 0 || slices.ContainsFunc(s.Keys, KeyStatus.NeedsAttention) || slices.ContainsFunc(s.Earlier, spoiled) ||
		slices.ContainsFunc(s.Gone, spoiled) || slices.ContainsFunc(s.Elsewhere, spoiled)
}

// Status compares what is on the tokens with the backups. Every identity and every record is in the result. It opens no
// PFX: that a file is the one that was proven when it was made, its SHA-256 tells.
func Status(inventories []*token.Inventory, archive *Archive, now time.Time) *BackupStatus {
	status := &BackupStatus{Unreadable: archive.Unreadable, Unrecorded: archive.Unrecorded}
	compared := archive.comparison()
	used, present, seen := map[*Backup]bool{}, map[string]bool{}, map[RecordToken]bool{}
	for _, inventory := range inventories {
		if verdict.Hides(inventory) || inventory.PassedOver != "" || len(inventory.Unread()) > 0 {
			status.Hidden = append(status.Hidden, inventory)
		} else {
			seen[RecordTokenOf(inventory)] = true
		}
		for _, identity := range inventory.Identities() {
			key := KeyStatus{Inventory: inventory, Identity: identity, Verdict: verdict.Judge(inventory, identity, now)}
			if len(identity.Public.SPKI) > 0 && (identity.PrivateKey != nil || verdict.Hides(inventory)) {
				present[Digest(identity.Public.SPKI)] = true
			}
			if !key.compare(compared) {
				status.WithoutKey = append(status.WithoutKey, key)
				continue
			}
			used[key.Backup] = true
			status.Keys = append(status.Keys, key)
		}
	}
	for i := range archive.Backups {
		backup := &archive.Backups[i]
		switch {
		case used[backup]:
		case present[backup.Record.PublicKeySHA256]:
			status.Earlier = append(status.Earlier, backup)
		case seen[backup.Record.Token]:
			status.Gone = append(status.Gone, backup)
		default:
			status.Elsewhere = append(status.Elsewhere, backup)
		}
	}
	return status
}

// compare finds the state. It is false for what is no key and has no backup: a key that was deleted after its backup
// still counts by its certificate.
func (s *KeyStatus) compare(archive *comparison) bool {
	var evidence []verdict.Fact
	s.Backup = archive.BackupOf(s.Identity)
	s.State, evidence = s.find(archive)
	if s.State == "" {
		return false
	}
	if code, stands := stateReasons[s.State]; stands {
		s.Reasons = append([]verdict.Reason{verdict.Because(code, evidence...)}, s.Verdict.Notices()...)
	} else {
		s.Reasons = s.Verdict.Reasons
	}
	return true
}

// Untried reports whether the key needs a first backup, and may leave by what the token lists alone: a wrap that is tried may be refused.
func (s *KeyStatus) Untried() bool {
	listed := s.Verdict.Method == verdict.MethodWrap || s.Verdict.Method == verdict.MethodShroud
	return (s.State == StateNever || s.State == StateOutdated) && s.Verdict.Exportable && listed
}

// Tried takes the verdict on an Untried key for which the ways out were tried: one that is refused needs no backup.
func (s *KeyStatus) Tried(tried verdict.Verdict) {
	s.Verdict = tried
	if !tried.Exportable {
		s.State, s.Reasons = s.keptState(), tried.Reasons
	}
}

func (s *KeyStatus) find(archive *comparison) (BackupState, []verdict.Fact) {
	hidden := s.Identity.PrivateKey == nil && verdict.Hides(s.Inventory)
	if s.Verdict.Has(verdict.ObjectUnreadable) || s.Verdict.Has(verdict.TokenFileUnreadable) {
		return StateUnknown, nil
	}
	if s.Backup != nil {
		return s.findWith(s.Backup, hidden)
	}
	if s.Identity.PrivateKey == nil && !hidden {
		return "", nil
	}
	certificate := parsedCertificate(s.Identity)
	if certificate != nil {
		if path, problem, is := archive.lacksRecord(certificate.SHA256()); is {
			return StateUnreadable, []verdict.Fact{{Name: "record", Value: path}, {Name: "problem", Value: problem}}
		}
	}
	if !hidden && !s.Verdict.Exportable {
		return s.keptState(), nil
	}
	if earlier := archive.renewed(s.Identity, certificate); earlier != nil {
		return StateOutdated, []verdict.Fact{{Name: "file", Value: earlier.Path()}, {Name: "created", Value: earlier.Record.Created}, {Name: "not_before", Value: certificate.NotBefore.UTC().Format(time.RFC3339)}}
	}
	if hidden {
		return StateUnknown, nil
	}
	return StateNever, []verdict.Fact{{Name: "CKA_ID", Value: verdict.HexText(s.Identity.PrivateKey.ID())}}
}

// findWith is find where there is a record of the certificate or key.
func (s *KeyStatus) findWith(b *Backup, hidden bool) (BackupState, []verdict.Fact) {
	file, created := verdict.Fact{Name: "file", Value: b.Path()}, verdict.Fact{Name: "created", Value: b.Record.Created}
	switch {
	case b.File == FileMissing:
		return StateMissing, []verdict.Fact{file, created}
	case b.File == FileChanged:
		evidence := []verdict.Fact{file, {Name: "sha256", Value: b.Record.SHA256}}
		if b.Problem != "" {
			evidence = append(evidence, verdict.Fact{Name: "problem", Value: b.Problem})
		}
		return StateChanged, evidence
	case b.PasswordLost():
		return StatePassword, b.PasswordReason().Evidence
	case !b.Proven():
		return StateUnproven, []verdict.Fact{file, created, {Name: "proof", Value: string(b.Record.Proof)}}
	case hidden:
		return StateUnknown, nil
	case s.Identity.PrivateKey != nil && !Shown(s.Identity) && !s.Verdict.Exportable:
		return s.keptState(), nil
	case s.Identity.PrivateKey != nil && !Shown(s.Identity):
		return StateNotShown, []verdict.Fact{file, {Name: "CKA_ID", Value: verdict.HexText(s.Identity.PrivateKey.ID())}}
	case s.Identity.PrivateKey != nil:
		return StateUpToDate, []verdict.Fact{file, created}
	case b.Record.Token == RecordTokenOf(s.Inventory):
		return StateKeyGone, []verdict.Fact{file, created}
	}
	return "", nil // a certificate of a key that is elsewhere
}

// keptState is the state of a key without a backup that will not leave: what the token does not tell is no refusal.
func (s *KeyStatus) keptState() BackupState {
	if s.Verdict.Known() {
		return StateCannotLeave
	}
	return StateUnknown
}

func parsedCertificate(identity token.Identity) *pki.Certificate {
	if identity.Certificate == nil {
		return nil
	}
	return identity.Certificate.Parsed
}

// Only leaves what is in the share. What is hidden may be in any.
func (s *BackupStatus) Only(shard Shard) {
	elsewhere := func(key KeyStatus) bool { return !shard.Holds(key.Identity) }
	s.Keys, s.WithoutKey = slices.DeleteFunc(s.Keys, elsewhere), slices.DeleteFunc(s.WithoutKey, elsewhere)
	for _, backups := range []*[]*Backup{&s.Earlier, &s.Gone, &s.Elsewhere} {
		*backups = slices.DeleteFunc(*backups, func(b *Backup) bool { return !shard.HoldsBackup(b) })
	}
	s.Unreadable, s.Unrecorded = shard.unreadable(s.Unreadable), shard.files(s.Unrecorded)
}

// Expiring lists the keys whose certificate ends before a time, those that have expired already among them. Of a key that is gone from its
// token there is nothing to renew.
func (s *BackupStatus) Expiring(at time.Time) []KeyStatus {
	var expiring []KeyStatus
	for _, key := range s.Keys {
		if c := parsedCertificate(key.Identity); c != nil && key.State != StateKeyGone && c.NotAfter.Before(at) {
			expiring = append(expiring, key)
		}
	}
	return expiring
}
