package seal

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// Kind is what a recipient has a key by.
type Kind string

// The kinds of recipient.
const (
	Certificate Kind = "certificate" // an X.509 certificate with an RSA key
	Age         Kind = "age"         // an age public key
	SSH         Kind = "ssh"         // an SSH public key, RSA or Ed25519
)

// minRSABits is the shortest RSA key that a password is sealed to.
const minRSABits = 2048

// Recipient is one who shall be able to open a sealed password.
type Recipient struct {
	Kind Kind
	// Fingerprint is the SHA-256 of the certificate's DER, of the SSH key's wire form (which ssh-keygen -l shows in Base64), or of the
	// age public key's text.
	Fingerprint string
	Name        foreign.Text // the certificate's subject, the age public key, or the SSH key's type and its fingerprint as ssh-keygen shows it

	certificate *pki.Certificate
	rsa         *rsa.PublicKey
	age         age.Recipient
	tag         string // of an SSH key in the header of an age file
}

// RecipientFault says why something cannot be a recipient.
type RecipientFault string

// The faults of a recipient.
const (
	NotARecipient    RecipientFault = "not-a-recipient"  // neither a certificate nor an age or SSH public key
	PrivateKeyGiven  RecipientFault = "private-key"      // a secret key in the place of a public one
	SeveralGiven     RecipientFault = "several"          // more than one certificate: which one is meant?
	KeyUnsupported   RecipientFault = "key-unsupported"  // a key that nothing can be sealed to here: EC certificates, age plugins, ECDSA
	KeyTooShort      RecipientFault = "key-too-short"    // RSA below minRSABits
	MayNotEncipher   RecipientFault = "may-not-encipher" // keyUsage without keyEncipherment (RFC 5280 section 4.2.1.3)
	RecipientExpired RecipientFault = "expired"          // notAfter has passed
	NotYetValid      RecipientFault = "not-yet-valid"    // notBefore is to come
	GivenTwice       RecipientFault = "twice"            // the same recipient once more
	NoRecipient      RecipientFault = "none"             // nobody could open it
	Incompatible     RecipientFault = "incompatible"     // age does not mix post-quantum keys with others
)

// RecipientError says why something cannot be a recipient.
type RecipientError struct {
	Given  string // as it was given: a path, or a public key
	Fault  RecipientFault
	Detail foreign.Text // the algorithm, the date; empty for none
}

// Error names what was given and the fault.
func (e *RecipientError) Error() string {
	text := fmt.Sprintf("recipient %s: %s", e.Given, e.Fault)
	if e.Detail != "" {
		text += ": " + e.Detail.String()
	}
	return text
}

// PublicKeyText reports whether a text is an age or SSH public key itself, and no file's name.
func PublicKeyText(text string) bool {
	return strings.HasPrefix(text, "age1") || strings.HasPrefix(text, "ssh-") && strings.Contains(text, " ")
}

// ReadRecipients reads what was given for recipients: one certificate in PEM or DER, or age and SSH public keys, one a line, with comments
// after "#". Whether a certificate may be sealed to now is CheckRecipients' to say. The error is a *RecipientError.
func ReadRecipients(given string, contents []byte) ([]Recipient, error) {
	fault := func(f RecipientFault, detail string) error {
		return &RecipientError{Given: given, Fault: f, Detail: foreign.Text(detail)}
	}
	if looksSecret(contents) {
		return nil, fault(PrivateKeyGiven, "")
	}
	certificates, err := certificatesIn(contents)
	switch {
	case err != nil:
		return nil, fault(NotARecipient, "")
	case len(certificates) > 1:
		return nil, fault(SeveralGiven, "")
	case len(certificates) == 1:
		return []Recipient{certificateRecipient(certificates[0])}, nil
	}
	var recipients []Recipient
	for line := range strings.SplitSeq(string(contents), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := publicKeyRecipient(line)
		if err != nil {
			err.Given = given
			return nil, err
		}
		recipients = append(recipients, r)
	}
	if len(recipients) == 0 {
		return nil, fault(NotARecipient, "")
	}
	return recipients, nil
}

func looksSecret(contents []byte) bool {
	return bytes.Contains(contents, []byte("AGE-SECRET-KEY-")) || bytes.Contains(contents, []byte("PRIVATE KEY-----"))
}

// certificatesIn gives none where the contents are neither PEM with a certificate nor DER.
func certificatesIn(contents []byte) (certificates []*pki.Certificate, err error) {
	rest := contents
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := pki.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, c)
	}
	if len(certificates) > 0 || len(contents) == 0 || contents[0] != 0x30 {
		return certificates, nil
	}
	c, err := pki.ParseCertificate(contents)
	if err != nil {
		return nil, err
	}
	return []*pki.Certificate{c}, nil
}

func certificateRecipient(c *pki.Certificate) Recipient {
	r := Recipient{Kind: Certificate, Fingerprint: c.SHA256(), Name: c.Subject, certificate: c}
	if key, err := x509.ParsePKIXPublicKey(c.PublicKey.SPKI); err == nil && c.PublicKey.Algorithm == "RSA" {
		r.rsa, _ = key.(*rsa.PublicKey)
	}
	return r
}

// publicKeyRecipient reads one age or SSH public key.
func publicKeyRecipient(line string) (Recipient, *RecipientError) {
	switch {
	case strings.HasPrefix(line, "age1pq1"):
		if key, err := age.ParseHybridRecipient(line); err == nil {
			return ageRecipient(line, key), nil
		}
	case strings.HasPrefix(line, "age1") && strings.Count(line, "1") > 1 && strings.LastIndexByte(line, '1') > len("age"):
		if key, err := age.ParseX25519Recipient(line); err == nil {
			return ageRecipient(line, key), nil
		}
		return Recipient{}, &RecipientError{Fault: KeyUnsupported, Detail: "age plugin"}
	case strings.HasPrefix(line, "age1"):
		if key, err := age.ParseX25519Recipient(line); err == nil {
			return ageRecipient(line, key), nil
		}
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return Recipient{}, &RecipientError{Fault: NotARecipient}
	}
	key, err := agessh.ParseRecipient(line)
	if err != nil {
		return Recipient{}, &RecipientError{Fault: KeyUnsupported, Detail: foreign.Text(public.Type())}
	}
	digest := sha256.Sum256(public.Marshal())
	return Recipient{
		Kind: SSH, Fingerprint: hex.EncodeToString(digest[:]), Name: foreign.Text(public.Type() + " " + ssh.FingerprintSHA256(public)), age: key, tag: sshTag(digest),
	}, nil
}

func ageRecipient(text string, key age.Recipient) Recipient {
	digest := sha256.Sum256([]byte(text))
	return Recipient{Kind: Age, Fingerprint: hex.EncodeToString(digest[:]), Name: foreign.Text(text), age: key}
}

// CheckRecipients refuses recipients that a password must not be sealed to at this time, and one that stands there twice. The error is a
// *RecipientError.
func CheckRecipients(recipients []Recipient, now time.Time) error {
	if len(recipients) == 0 {
		return &RecipientError{Fault: NoRecipient}
	}
	seen := map[string]bool{}
	for _, r := range recipients {
		if fault, detail := r.fault(now); fault != "" {
			return &RecipientError{Given: string(r.Name), Fault: fault, Detail: foreign.Text(detail)}
		}
		if seen[r.Fingerprint] {
			return &RecipientError{Given: string(r.Name), Fault: GivenTwice}
		}
		seen[r.Fingerprint] = true
	}
	return nil
}

// fault is why nothing can be sealed to the recipient, empty where it can.
func (r Recipient) fault(now time.Time) (fault RecipientFault, detail string) {
	c := r.certificate
	switch {
	case c == nil:
		return "", ""
	case now.After(c.NotAfter):
		return RecipientExpired, c.NotAfter.UTC().Format(time.DateOnly)
	case now.Before(c.NotBefore):
		return NotYetValid, c.NotBefore.UTC().Format(time.DateOnly)
	case r.rsa == nil:
		return KeyUnsupported, c.PublicKey.Algorithm
	case r.rsa.N.BitLen() < minRSABits:
		return KeyTooShort, fmt.Sprint(r.rsa.N.BitLen())
	case len(c.KeyUsage) > 0 && !slices.Contains(c.KeyUsage, "keyEncipherment"):
		return MayNotEncipher, strings.Join(c.KeyUsage, ", ")
	}
	return "", ""
}

// Address is one whom a sealed password says that it is for.
type Address struct {
	Kind Kind
	Name foreign.Text // the issuer and serial number of a certificate, or the type of an age stanza

	issuerAndSerial []byte
	tag             string
}

// CheckAddresses reports whether a sealed password is for these recipients and nobody else, as far as it tells. The error is an *OpenError.
func (s *Sealed) CheckAddresses(recipients []Recipient) error {
	left := slices.Clone(s.addresses)
	for _, r := range recipients {
		at := slices.IndexFunc(left, func(a Address) bool {
			switch {
			case a.Kind != r.Kind:
				return false
			case r.Kind == Certificate:
				return bytes.Equal(a.issuerAndSerial, issuerAndSerial(r.certificate))
			}
			return a.tag == r.tag
		})
		if at < 0 {
			return damaged("it is not for %s", r.Name)
		}
		left = slices.Delete(left, at, at+1)
	}
	if len(left) > 0 {
		return damaged("it is for %d more", len(left))
	}
	return nil
}

// IsFor reports whether it says that it is for a certificate; nil is none.
func (s *Sealed) IsFor(c *pki.Certificate) bool {
	if c == nil {
		return false
	}
	id := issuerAndSerial(c)
	return slices.ContainsFunc(s.addresses, func(a Address) bool { return a.Kind == Certificate && bytes.Equal(a.issuerAndSerial, id) })
}

// ForCertificates reports whether it is for any certificate.
func (s *Sealed) ForCertificates() bool { return len(s.envelopes) > 0 }
