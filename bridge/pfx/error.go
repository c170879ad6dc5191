package pfx

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrPassword means that the MAC does not fit although the structure is sound: the password is wrong or the
	// content was altered, which no reader can tell apart. For a file without a MAC it means that nothing opened.
	ErrPassword = errors.New("pfx: password wrong or content altered")
	// ErrPrivacyPassword is what every *PrivacyPasswordError wraps.
	ErrPrivacyPassword = errors.New("pfx: password opens the MAC but not the encrypted content")
	// ErrPasswordNotBMP means that the password has a character outside the basic multilingual plane, for which
	// RFC 7292, appendix B.1, has no encoding: nothing is written with it.
	ErrPasswordNotBMP = errors.New("pfx: password has a character outside the basic multilingual plane")
	// ErrPasswordNotUTF8 means that the password is not valid UTF-8.
	ErrPasswordNotUTF8 = errors.New("pfx: password is not valid utf-8")
	// ErrNothingToEncode means that the contents have neither a key nor a certificate.
	ErrNothingToEncode = errors.New("pfx: neither a key nor a certificate to encode")
	// ErrKeyForm means that a key to encode has both or none of PKCS8 and Shrouded.
	ErrKeyForm = errors.New("pfx: key needs either a PKCS#8 or a shrouded form")
	// ErrProfile means that Encode does not know the profile.
	ErrProfile = errors.New("pfx: unknown profile")
	// ErrIndependentReaderCannot means that go-pkcs12 has no way to read such a file, whatever its state.
	ErrIndependentReaderCannot = errors.New("pfx: independent reader cannot read such a file")
)

// DamagedError means that bytes are not what RFC 7292 prescribes: truncated, overwritten, or no PFX file at all.
type DamagedError struct {
	// Where names the structure, as the specification does.
	Where string
	// Err says more; it may be nil.
	Err error
}

func (e *DamagedError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("pfx: damaged %s: %v", e.Where, e.Err)
	}
	return "pfx: damaged " + e.Where
}

func (e *DamagedError) Unwrap() error { return e.Err }

// Part is a part of a PFX file that is encrypted by itself.
type Part string

// The parts: what lies in an encrypted safe, certificates as a rule, and a key in its own bag.
const (
	PartSafe Part = "safe"
	PartKey  Part = "key"
)

// PrivacyPasswordError means that the MAC fits, so that the password is right and the file is as its maker wrote it, and yet
// a safe or a key bag does not open: it has another password (RFC 7292, section 3.1).
type PrivacyPasswordError struct{ Part Part }

func (e *PrivacyPasswordError) Error() string {
	return fmt.Sprintf("%v: %s", ErrPrivacyPassword, e.Part)
}

// Unwrap makes it ErrPrivacyPassword.
func (e *PrivacyPasswordError) Unwrap() error { return ErrPrivacyPassword }

// NonconformingError means that the MAC fits, so that the file is as its maker wrote it, and yet it is not as RFC 7292
// prescribes. Another program may read it. It does not wrap the *DamagedError that says where.
type NonconformingError struct{ Err error }

func (e *NonconformingError) Error() string {
	return strings.Replace(e.Err.Error(), "damaged", "nonconforming", 1)
}

// Where names the structure, as the specification does.
func (e *NonconformingError) Where() string {
	var broken *DamagedError
	if errors.As(e.Err, &broken) {
		return broken.Where
	}
	return e.Err.Error()
}

func damaged(where string) error { return &DamagedError{Where: where} }

// Limit names what a LimitError is about.
type Limit string

// The limits. Each is checked before the work or the memory it guards.
const (
	LimitFileSize        Limit = "file size"            // bytes of the file
	LimitDepth           Limit = "nesting depth"        // ASN.1 elements within one another
	LimitSafeDepth       Limit = "safe contents bags"   // SafeContents within one another
	LimitIterations      Limit = "iterations"           // of one derivation
	LimitTotalIterations Limit = "total iterations"     // of all derivations of a file
	LimitSalt            Limit = "salt length"          // bytes
	LimitBags            Limit = "number of bags"       // in the whole file
	LimitAttributes      Limit = "number of attributes" // in the whole file
	LimitSafes           Limit = "number of safes"      // ContentInfo in the AuthenticatedSafe
	LimitScryptMemory    Limit = "scrypt memory"        // bytes
	LimitMACKey          Limit = "mac key length"       // bytes, PBMAC1 only; too short is refused too
)

// LimitError means that a file asks for more than this package is ready to do.
type LimitError struct {
	What  Limit
	Value int64
	// Bound is the highest value allowed, or the lowest if Value is below it.
	Bound int64
}

func (e *LimitError) Error() string {
	relation := "above"
	if e.Value < e.Bound {
		relation = "below"
	}
	return fmt.Sprintf("pfx: %s %d is %s the limit %d", e.What, e.Value, relation, e.Bound)
}

// UnsupportedError means that a file is sound but uses something this package has not got.
type UnsupportedError struct {
	// Algorithm is the specification's name, or the object identifier in dotted decimal.
	Algorithm string
}

func (e *UnsupportedError) Error() string { return "pfx: unsupported " + e.Algorithm }
