package bridge

// Cause is why something was not done, where no call of a module and no answer of the system is the cause. Every one has words in cmd.
type Cause string

// The causes.
const (
	CauseUnknownContents  Cause = "unknown-contents"
	CauseOfAnother        Cause = "of-another"
	CausePasswordOfNobody Cause = "password-of-nobody"
	CauseNotLookedAt      Cause = "not-looked-at"
	CauseOtherObject      Cause = "other-object"
	CauseThereTwice       Cause = "there-twice"
	CauseStillListed      Cause = "still-listed"
)

// Error says it in English.
func (c Cause) Error() string {
	switch c {
	case CauseUnknownContents:
		return "no record tells of its contents, and no password that was given opens it as a copy of this key"
	case CauseOfAnother:
		return "the record is of another certificate"
	case CausePasswordOfNobody:
		return "no record tells of its contents, and it does not open the file beside it"
	case CauseNotLookedAt:
		return "nobody has looked at what is in it"
	case CauseOtherObject:
		return "the object is no longer the key that was meant"
	case CauseThereTwice:
		return "the same private key is on the token once more, and would stay"
	case CauseStillListed:
		return "C_DestroyObject: CKR_OK, and the key is listed"
	}
	return string(c)
}
