package pfx

import (
	"slices"
	"strings"
)

// Clear is Protection.Algorithm of what is not encrypted.
const Clear = "clear"

// Protection says how a safe or a key bag is encrypted.
type Protection struct {
	// Algorithm is Clear, a name such as "PBES2 PBKDF2-HMAC-SHA-256 AES-256-CBC" or "pbeWithSHAAnd3-KeyTripleDES-CBC",
	// or the object identifier of a scheme that is not known.
	Algorithm string
	// Iterations is 0 where there is no password-based derivation, or none that is known.
	Iterations int
}

// Facts is what a PFX file says of itself. Without the password, only the outer structure and the safes in clear are
// seen; Decode completes them.
type Facts struct {
	// Profile is the profile that a reader needs: PBMAC1, Modern (PBES2 with AES, HMAC-SHA-2), Legacy (schemes of
	// RFC 7292, appendix C, and HMAC-SHA-1), or Other. Safes of certificates in clear count for neither.
	Profile Profile
	// MAC is NoMAC, a name such as "HMAC-SHA-256" or "PBMAC1-HMAC-SHA-256", or one with an object identifier.
	MAC string
	// MACIterations is 0 where there is no MAC.
	MACIterations int
	// Safes has one entry for each ContentInfo of the AuthenticatedSafe, KeyBags one for each key bag that was seen.
	Safes   []Protection
	KeyBags []Protection
	// Places says of a file that Decode opened where each of Contents.Keys stands.
	Places []Place
	// Counted means that every safe was looked into, so that the numbers below are those of the whole file.
	Counted      bool
	Keys         int
	Certificates int
	// OtherBags counts CRL, secret and other bags that are not read.
	OtherBags int
	// Secrets counts the secret bags among them, which keytool writes for a secret key.
	Secrets int
	// ClearKey means that a private key stands in clear: in a safe that is not encrypted, in a keyBag, or in a bag for an encrypted key that
	// holds one which is not.
	ClearKey bool
	// Iterations is the lowest count of all derivations seen, 0 where there is none.
	Iterations int
	// BER means that the file is not DER, which some readers require.
	BER bool
	// Trailing counts the bytes behind the file, which nothing protects.
	Trailing int
	// Another means that the bytes behind the file begin as a PFX does. They are not read.
	Another bool
	// Broken means that something within is not as RFC 7292 prescribes. Only the MAC reports whether it is damage.
	Broken bool
	// Unsupported names the first algorithm that Decode would refuse, whatever the password.
	Unsupported string
	// Encodings are those of the password that the specification does not prescribe and that were needed to open the file.
	Encodings []Encoding
}

// Place is where a key stands in a file: the number of its SafeContents in the AuthenticatedSafe, and its number among the keys in there.
type Place struct{ Safe, Key int }

// Inspect says what can be said of a file without its password. Algorithms that are not supported are named, and
// iteration counts beyond any limit are reported: nothing is derived here. The errors are *DamagedError, *LimitError,
// and *UnsupportedError for a file with public-key integrity.
func Inspect(file []byte) (*Facts, error) {
	c, err := readContainer(file)
	defer c.wipe()
	if err != nil {
		return nil, err
	}
	facts := c.facts()
	return &facts, nil
}

// HasClearKey reports whether a private key stands in clear in a file, as far as it can be read: Facts.ClearKey for one that Inspect has an error for.
func HasClearKey(file []byte) bool {
	c, _ := readContainer(file) // what was read before the error is in it
	defer c.wipe()
	return c.exposed
}

// facts describes the container as far as it is open.
func (c *container) facts() Facts {
	f := Facts{MAC: NoMAC, Counted: c.broken == nil, ClearKey: c.exposed, BER: !c.wasDER, Trailing: c.trailing, Another: c.another, Broken: c.broken != nil}
	if c.mac != nil {
		f.MAC, f.MACIterations = c.mac.name, c.mac.iterations
		f.lower(c.mac.iterations)
	}
	for _, s := range c.safes {
		protection := s.protection()
		f.Safes = append(f.Safes, protection)
		f.lower(protection.Iterations)
		if protection.Algorithm != Clear && !s.opened {
			f.Counted = false
		}
		for _, k := range s.bags.keys {
			inside := k.protection()
			f.KeyBags = append(f.KeyBags, inside)
			f.lower(inside.Iterations)
		}
		f.Keys += len(s.bags.keys)
		f.Certificates += len(s.bags.certificates)
		f.OtherBags += s.bags.others
		f.Secrets += s.bags.secrets
	}
	f.Profile = f.profile()
	f.Unsupported = c.unsupported()
	return f
}

// unsupported asks in the order in which Decode does.
func (c *container) unsupported() string {
	if c.mac != nil {
		if c.mac.digest == nil {
			return c.mac.name
		}
		return "" // the rest is believed once the MAC fits
	}
	for _, s := range c.safes {
		switch {
		case s.unsupported != "":
			return s.unsupported
		case s.pbe != nil && s.pbe.cipher == nil:
			return s.pbe.name
		}
		for _, k := range s.bags.keys {
			if k.shrouded != nil && k.pbe.cipher == nil {
				return k.pbe.name
			}
		}
	}
	return ""
}

// Protected reports whether anything in the file rests on a password.
func (f *Facts) Protected() bool {
	encrypted := func(p Protection) bool { return p.Algorithm != Clear }
	return f.MAC != NoMAC || slices.ContainsFunc(f.Safes, encrypted) || slices.ContainsFunc(f.KeyBags, encrypted)
}

func (f *Facts) lower(iterations int) {
	if iterations > 0 && (f.Iterations == 0 || iterations < f.Iterations) {
		f.Iterations = iterations
	}
}

func (f *Facts) profile() Profile {
	var aes, old, other bool
	count := func(p Protection) {
		switch {
		case p.Algorithm == Clear:
		case strings.HasPrefix(p.Algorithm, "PBES2 PBKDF2-HMAC-") && strings.Contains(p.Algorithm, " AES-"):
			aes = true
		case strings.HasPrefix(p.Algorithm, "pbeWithSHAAnd"):
			old = true
		default:
			other = true
		}
	}
	for _, p := range f.Safes {
		count(p)
	}
	for _, p := range f.KeyBags {
		count(p)
	}
	switch {
	case f.ClearKey || other || aes == old:
		return Other
	case aes && strings.HasPrefix(f.MAC, "PBMAC1-"):
		return PBMAC1
	case aes && strings.HasPrefix(f.MAC, "HMAC-SHA-") && f.MAC != "HMAC-SHA-1":
		return Modern
	case old && f.MAC == "HMAC-SHA-1":
		return Legacy
	default:
		return Other
	}
}
