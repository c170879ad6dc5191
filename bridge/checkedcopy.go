package bridge

import (
	"slices"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token/pki"
)

// CheckOutcome says what became of a copy that was checked.
type CheckOutcome string

// The outcomes.
const (
	CheckPending  CheckOutcome = "pending"
	CheckRestored CheckOutcome = "restored" // every key of it was restored to a throw-away token, which signed with it
	CheckVerified CheckOutcome = "verified" // a valid copy; its keys, or some of them, were checked in memory
	CheckInvalid  CheckOutcome = "invalid"  // judged, and no valid copy of what its record names
	CheckMissing  CheckOutcome = "missing"  // there is a record and no file
	CheckChanged  CheckOutcome = "changed"  // another file than the record's
	CheckLocked   CheckOutcome = "locked"   // the very file of its record, which no password that was given opens
	CheckUnjudged CheckOutcome = "unjudged" // it uses what cannot be read here
	CheckFailed   CheckOutcome = "failed"   // nobody found out
)

// CheckOutcomes lists them, but for that of a copy whose turn has not come.
func CheckOutcomes() []CheckOutcome {
	return []CheckOutcome{CheckRestored, CheckVerified, CheckInvalid, CheckMissing, CheckChanged, CheckLocked, CheckUnjudged, CheckFailed}
}

// CheckedCopy is one file of a directory, and what was found out about it.
type CheckedCopy struct {
	Path    string
	Backup  *archive.Backup // nil for a file without a record
	Outcome CheckOutcome
	Keys    []CheckedKey
	Reasons []verdict.Reason // why not, and what is worth a notice
	Err     error            // of CheckFailed
	// KeysLeft tells of a copy that was to be restored that Restore puts some key of it on no token: it has no certificate, or is of a kind that no token
	// takes. The outcome is then CheckVerified at best, whatever became of its other keys.
	KeysLeft bool
}

// Sound reports whether the file is a valid copy.
func (c *CheckedCopy) Sound() bool { return c.Outcome == CheckRestored || c.Outcome == CheckVerified }

// CheckedKey is a key in a copy. The method and the proof are empty for one that was not restored.
type CheckedKey struct {
	Name        string
	Certificate *pki.Certificate
	Method      RestoreMethod
	Mechanism   string
	Proof       RestoreProof
}

// Copies are the files of an archive that are to be checked: those of its records, then those that have none.
func Copies(a *archive.Archive) []*CheckedCopy {
	copies := make([]*CheckedCopy, 0, len(a.Backups)+len(a.Unrecorded))
	for i := range a.Backups {
		copies = append(copies, &CheckedCopy{Path: a.Backups[i].Path(), Backup: &a.Backups[i], Outcome: CheckPending})
	}
	for _, path := range a.Unrecorded {
		copies = append(copies, &CheckedCopy{Path: path, Outcome: CheckPending})
	}
	return copies
}

func (c *CheckedCopy) wrongPassword() bool {
	return c.Outcome == CheckInvalid && slices.ContainsFunc(c.Reasons, func(reason verdict.Reason) bool { return reason.Code == verdict.PasswordIncorrect })
}
