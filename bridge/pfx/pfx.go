// Package pfx reads and writes PFX files: PKCS#12 (RFC 7292) with PBES2 (RFC 8018), PBMAC1 (RFC 9579), and the old
// password-based schemes that are still met in the field.
//
// Call Encode to write a file and Decode to read one; Inspect says what is to be known without the password, ReadEncoded reads by
// another implementation what Encode wrote. Files, keys and certificates are DER, passwords UTF-8, iterations are counts of the
// derivation's rounds. Errors: *DamagedError for a file that is malformed, *UnsupportedError for what is not known here, *LimitError for
// what would cost too much, ErrPassword for a password that does not open the file.
//
// The package never parses a private key. A key is either a PrivateKeyInfo that is carried as it is, so that any
// algorithm and any curve survives, or a shrouded key bag that somebody else, such as an HSM, encrypted.
//
// Nothing that was derived from a password is used before the MAC of the file is verified, no derivation is started
// that a limit forbids, and no input makes the package panic.
package pfx

import "slices"

// Profile names a set of algorithms that a file is written with.
type Profile string

// The profiles that Encode writes, and Other for a file that fits none of them.
const (
	// Modern is what OpenSSL 3, Java 12 and later, NSS, GnuTLS and Windows Server 2019 read: PBES2 with
	// PBKDF2-HMAC-SHA-256 and AES-256-CBC, and a MAC of HMAC-SHA-256 with the key derivation of RFC 7292, appendix B.
	Modern Profile = "modern"
	// PBMAC1 is Modern with the MAC of RFC 9579. It takes OpenSSL 3.4 or Java 26 to read it.
	PBMAC1 Profile = "pbmac1"
	// Legacy is what old Windows and macOS want: pbeWithSHAAnd3-KeyTripleDES-CBC and HMAC-SHA-1. It is weak.
	Legacy Profile = "legacy"
	// Other is the Profile of Facts where a file mixes schemes, stands in clear or bears no MAC.
	Other Profile = "other"
)

// Iteration counts of the password-based key derivations.
const (
	// DefaultIterations is used for Modern and PBMAC1. NSS and GnuTLS write as many.
	DefaultIterations = 600_000
	// LegacyIterations is used for Legacy, whose readers are old machines.
	LegacyIterations = 100_000
	// MaxIterations is the highest count that is ever derived with, unless DecodeOptions says otherwise.
	MaxIterations = 10_000_000
)

// Attribute is an attribute of a bag that this package does not interpret. It is kept as it was read.
type Attribute struct {
	// OID is the attribute's type in dotted decimal.
	OID string
	// Values is the content of the SET OF values: the DER encodings of the values, one after the other.
	Values []byte
}

// Key is one private key of a PFX file. Either PKCS8 or Shrouded is set.
type Key struct {
	// PKCS8 is a DER PrivateKeyInfo (RFC 5208) or OneAsymmetricKey (RFC 5958) of any algorithm. It is secret.
	PKCS8 []byte
	// Shrouded is a DER EncryptedPrivateKeyInfo (RFC 5958, section 3) under the file's password.
	Shrouded []byte
	// Derived has the key that opens Shrouded, where Decode left it shrouded and derived that key for another part of the file; else it is
	// nil. Contents.Wipe wipes it, and Encode ignores it.
	Derived *Derived
	// Locked means that Decode could not open Shrouded: the key has another password than the file.
	Locked bool
	// FriendlyName is the friendlyName (RFC 2985, section 5.5.1), as UTF-8; empty when there is none.
	FriendlyName string
	// LocalKeyID is the localKeyID (RFC 2985, section 5.5.2); empty when there is none.
	LocalKeyID []byte
	// Attributes are all others.
	Attributes []Attribute
}

// Certificate is one X.509 certificate of a PFX file.
type Certificate struct {
	// DER is the certificate, which this package does not parse beyond its public key.
	DER []byte
	// FriendlyName is the friendlyName (RFC 2985, section 5.5.1), as UTF-8; empty when there is none.
	FriendlyName string
	// LocalKeyID is the localKeyID (RFC 2985, section 5.5.2); empty when there is none.
	LocalKeyID []byte
	// Attributes are all others.
	Attributes []Attribute
}

// Contents is what a PFX file carries, in the order of the file.
type Contents struct {
	Keys         []Key
	Certificates []Certificate
	// Facts says how the file is protected. Decode fills it in and Encode ignores it.
	Facts Facts
}

// Wipe overwrites every private key in clear, and every derived key, with zeros. Contents that Decode returned share no memory with its input.
func (c *Contents) Wipe() {
	for _, key := range c.Keys {
		clear(key.PKCS8)
		key.Derived.Wipe()
	}
}

// knownProfiles are the profiles that Encode writes.
var knownProfiles = []Profile{Modern, PBMAC1, Legacy}

func (p Profile) known() bool { return slices.Contains(knownProfiles, p) }
