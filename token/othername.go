package token

import (
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"unicode"

	"p11bridge/token/pki"
)

// otherName is what a typed name means beside a label, a CKA_ID and a URI: other programs show other names of the same object, and
// people type those. None of them counts before a name that Select finds, and none for a command that destroys.
type otherName struct {
	text   string // without what stands around it
	bare   bool   // nothing stood around it
	digits string // hexadecimal without signs, where the text is that
	id     []byte // of a text that is said to be hexadecimal, by "0x" or by signs between octets
	serial *big.Int
	name   pki.TypedName
	isName bool
}

// The words that other programs put before a name, and those of ours that are typed without "pkcs11:".
var earlierName = []string{
	"sha256 fingerprint=", "sha1 fingerprint=", "sha-256:", "sha-1:", "sha1:", "sha1=", "sha256=", "thumbprint:", "thumbprint=",
	"serial:", "serial=", "label:", "label=", "object:", "object=", "nickname:", "nickname=", "id:", "id=", "subject:", "subject=", "email:", "email=", "mailto:",
}

func readOtherName(typed string) otherName {
	n := otherName{text: strings.TrimSpace(typed)}
	for _, word := range earlierName {
		if len(n.text) > len(word) && strings.EqualFold(n.text[:len(word)], word) {
			n.text = strings.TrimSpace(n.text[len(word):])
			break
		}
	}
	n.text = strings.TrimSpace(strings.Trim(n.text, "\"'`“”„‘’«»"))
	n.bare = n.text == typed
	n.name, n.isName = pki.ParseTypedName(n.text)
	if decimal, ok := new(big.Int).SetString(n.text, 10); ok && decimal.Sign() >= 0 {
		n.serial = decimal
	}
	digits := strings.ToLower(n.text)
	digits, marked := strings.CutPrefix(digits, "0x")
	joined := strings.NewReplacer(":", "", " ", "", "-", "", "%", "").Replace(digits)
	if joined == "" || strings.Trim(joined, "0123456789abcdef") != "" {
		return n
	}
	n.digits = joined
	if len(joined)%2 == 0 && (marked || joined != digits || !n.bare) {
		n.id, _ = hex.DecodeString(joined) //nolint:errcheck // they are hexadecimal digits
	}
	return n
}

// longNumber is from how many hexadecimal digits on a serial number is no other number by chance.
const longNumber = 8

// The lengths of whole fingerprints, in hexadecimal digits.
const (
	sha1Digits   = 40
	sha256Digits = 64
)

// means reports whether the identity is what was named, in a way that is as good as a label: by its CKA_ID spelt otherwise, by its
// label in signs, or by the whole subject, e-mail address, fingerprint or a long serial number of its certificate.
func (n otherName) means(i Identity) bool {
	for _, o := range i.named() {
		if len(n.id) > 0 && string(o.ID()) == string(n.id) || !n.bare && n.text != "" && string(o.Label()) == n.text {
			return true
		}
	}
	if i.Certificate == nil || i.Certificate.Parsed == nil {
		return false
	}
	c := i.Certificate.Parsed
	names := c.SubjectNames()
	is := func(name string) bool { return n.text != "" && strings.EqualFold(name, n.text) }
	switch {
	case slices.ContainsFunc(names.CommonNames, is), slices.ContainsFunc(names.Emails, is),
		n.isName && n.name.Telling() && n.name.IsOf(names),
		len(n.digits) == sha1Digits && n.digits == c.SHA1(), len(n.digits) == sha256Digits && n.digits == c.SHA256():
		return true
	}
	return len(c.Serial) >= longNumber && n.isSerial(c)
}

func (n otherName) isSerial(c *pki.Certificate) bool {
	number, ok := new(big.Int).SetString(c.Serial, 16)
	return ok && (n.serial != nil && n.serial.Cmp(number) == 0 || trimZeros(n.digits) != "" && trimZeros(n.digits) == trimZeros(c.Serial))
}

func trimZeros(digits string) string { return strings.TrimLeft(digits, "0") }

// backupEnds are those of files that are called as the key in them.
var backupEnds = []string{".pfx", ".p12", ".cer", ".crt", ".pem", ".der", ".csr", ".key"}

// mayMean reports whether the identity may be what was named. That is good enough to be asked about, and for nothing else: a short
// number is a CKA_ID without its zeros or a serial number, and a part of a subject is many people's.
func (n otherName) mayMean(i Identity) bool {
	const shortestPart = 3
	text := strings.ToLower(n.text)
	for _, end := range backupEnds {
		text = strings.TrimSuffix(text, end)
	}
	for _, o := range i.named() {
		id := trimZeros(hex.EncodeToString(o.ID()))
		label := strings.ToLower(string(o.Label()))
		switch {
		case id != "" && id == trimZeros(n.digits),
			label != "" && (label == text || lettersOf(label) != "" && lettersOf(label) == lettersOf(text)):
			return true
		}
	}
	if i.Certificate == nil || i.Certificate.Parsed == nil {
		return false
	}
	c := i.Certificate.Parsed
	names := c.SubjectNames()
	part := func(name string) bool {
		return len(text) >= shortestPart && strings.Contains(strings.ToLower(name), text)
	}
	return n.isName && n.name.MayBeOf(names) || n.isSerial(c) || slices.ContainsFunc(names.CommonNames, part) || slices.ContainsFunc(names.Emails, part) ||
		len(n.digits) >= minFingerprint && (strings.HasPrefix(c.SHA1(), n.digits) || strings.HasPrefix(c.SHA256(), n.digits))
}

// lettersOf leaves out what the name of a file has another sign for.
func lettersOf(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			return r
		}
		return -1
	}, name)
}

// Meant gives the identities that may be what the selector's text means, where Select finds nothing: what Near finds, and what is
// too doubtful for it. They are to be offered, and never taken.
func (s *Selector) Meant(among []Identity) []Identity {
	near := s.Near(among)
	if s.label == "" || len(near) > 0 {
		return near
	}
	var meant []Identity
	other := readOtherName(s.label)
	for _, identity := range among {
		if other.mayMean(identity) {
			meant = append(meant, identity)
		}
	}
	return meant
}
