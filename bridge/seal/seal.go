// Package seal encrypts the password of a PFX file to recipients, and opens it again.
//
// Call ReadRecipients and CheckRecipients for those who shall be able to open it, Seal to encrypt, Parse for a sealed password that is
// there, Sealed.Addresses to see whom it is for, and Sealed.Open with keys of theirs.
//
// A sealed password is text: a CMS EnvelopedData in PEM for recipients with an X.509 certificate (RFC 5652 section 6), and behind it an
// armoured age file for those with an age or SSH key. What is encrypted is the password in UTF-8, without a line end. Fingerprints are
// SHA-256 in lower-case hexadecimal. Errors: *RecipientError for a recipient that cannot be one, *OpenError for a sealed password that
// does not open, *IdentityError for a file that holds no key to one.
package seal

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"

	"p11bridge/token/secret"
)

const (
	// MaxSize is the largest sealed password that is read, in bytes.
	MaxSize = 1 << 20
	// maxPassword bounds what is taken for a password, in bytes.
	maxPassword = 4096

	pemCMS = "CMS"
	pemAge = "AGE ENCRYPTED FILE"
)

// Transport says how the key of a CMS EnvelopedData is encrypted to an RSA key.
type Transport string

// The transports.
const (
	// OAEP is RSAES-OAEP with its default parameters (RFC 8017 section A.2.1): SHA-1, which tokens know that know no other digest
	// here. Its security does not rest on collisions.
	OAEP Transport = "oaep"
	// PKCS1 is RSAES-PKCS1-v1_5, for readers and tokens that know nothing else.
	PKCS1 Transport = "pkcs1"
)

// Transports lists them.
func Transports() []Transport { return []Transport{OAEP, PKCS1} }

// Seal encrypts a password to the recipients. The random source is for certificates; age takes crypto/rand.
func Seal(random io.Reader, password *secret.Text, recipients []Recipient, transport Transport) ([]byte, error) {
	var certificates, others []Recipient
	for _, r := range recipients {
		if r.Kind == Certificate {
			certificates = append(certificates, r)
		} else {
			others = append(others, r)
		}
	}
	var sealed bytes.Buffer
	if len(certificates) > 0 {
		enveloped, err := envelop(random, password.Bytes(), certificates, transport)
		if err != nil {
			return nil, fmt.Errorf("seal the password: %w", err)
		}
		if err := pem.Encode(&sealed, &pem.Block{Type: pemCMS, Bytes: enveloped}); err != nil {
			return nil, fmt.Errorf("seal the password: %w", err)
		}
	}
	if len(others) > 0 {
		encrypted, err := encryptAge(password.Bytes(), others)
		if err != nil {
			return nil, err
		}
		if err := pem.Encode(&sealed, &pem.Block{Type: pemAge, Bytes: encrypted}); err != nil {
			return nil, fmt.Errorf("seal the password: %w", err)
		}
	}
	if sealed.Len() == 0 {
		return nil, &RecipientError{Fault: NoRecipient}
	}
	return sealed.Bytes(), nil
}

// OpenFault says why a sealed password does not open.
type OpenFault string

// The faults of a sealed password.
const (
	NotSealed   OpenFault = "not-sealed"  // it is something else
	Damaged     OpenFault = "damaged"     // it was altered or cut off since it was sealed
	ForOthers   OpenFault = "for-others"  // none of the keys is that of a recipient
	Unsupported OpenFault = "unsupported" // it uses what cannot be read here
	NoKey       OpenFault = "no-key"      // there is no key to try

	// NotDecrypted: the token with the recipient's key did not decrypt it. It was altered, or the token does not know the padding.
	NotDecrypted OpenFault = "not-decrypted"
)

// OpenError says why a sealed password does not open.
type OpenError struct {
	Fault      OpenFault
	Recipients []Address // whom it is for, where that could be read
	Err        error     // the cause in its own words, nil for none
}

// Error names the fault.
func (e *OpenError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("sealed password: %s: %v", e.Fault, e.Err)
	}
	return "sealed password: " + string(e.Fault)
}

// Unwrap gives the cause.
func (e *OpenError) Unwrap() error { return e.Err }

func damaged(format string, args ...any) error {
	return &OpenError{Fault: Damaged, Err: fmt.Errorf(format, args...)}
}

// Sealed is a sealed password that was read and not opened.
type Sealed struct {
	envelopes []*envelope
	age       [][]byte
	addresses []Address
}

// Parse reads a sealed password: ours, one of `openssl cms -encrypt` in PEM or DER, or one of age. The error is an *OpenError.
func Parse(file []byte) (*Sealed, error) {
	s := &Sealed{}
	if len(file) > MaxSize {
		return nil, &OpenError{Fault: NotSealed, Err: fmt.Errorf("larger than %d bytes", MaxSize)}
	}
	switch {
	case bytes.HasPrefix(file, []byte(ageMagic)):
		return s, s.addAge(file)
	case len(file) > 0 && file[0] == 0x30: // SEQUENCE
		return s, s.addEnvelope(file)
	}
	rest := file
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		var err error
		switch block.Type {
		case pemCMS, "PKCS7":
			err = s.addEnvelope(block.Bytes)
		case pemAge:
			err = s.addAge(block.Bytes)
		default:
			err = &OpenError{Fault: NotSealed}
		}
		if err != nil {
			return nil, err
		}
	}
	begins := bytes.Count(file, []byte("-----BEGIN "))
	switch {
	case len(s.envelopes)+len(s.age) == 0 && begins == 0:
		return nil, &OpenError{Fault: NotSealed}
	case len(s.envelopes)+len(s.age) != begins || len(bytes.TrimSpace(rest)) > 0: // a block that is cut off is none to pem
		return nil, damaged("a PEM block is not whole")
	}
	return s, nil
}

func (s *Sealed) addEnvelope(der []byte) error {
	e, err := parseEnvelope(der)
	if err != nil {
		return err
	}
	s.envelopes = append(s.envelopes, e)
	for _, r := range e.recipients {
		s.addresses = append(s.addresses, Address{Kind: Certificate, Name: r.name(), issuerAndSerial: r.id})
	}
	return nil
}

func (s *Sealed) addAge(file []byte) error {
	addresses, err := ageAddresses(file)
	if err != nil {
		return err
	}
	s.age = append(s.age, file)
	s.addresses = append(s.addresses, addresses...)
	return nil
}

// Addresses are whom it is for, as far as it tells: it names certificates and SSH keys, and counts age keys.
func (s *Sealed) Addresses() []Address { return s.addresses }

// Open decrypts the password with the first of the keys that can. The error is an *OpenError, or what the token answered that holds a
// recipient's key.
func (s *Sealed) Open(keys ...Key) (*secret.Text, error) {
	if len(keys) == 0 {
		return nil, &OpenError{Fault: NoKey, Recipients: s.addresses}
	}
	var first error
	for _, key := range keys {
		clear, err := s.openWith(key)
		if err == nil {
			return checkedPassword(clear)
		}
		var fault *OpenError
		if first == nil || errors.As(first, &fault) && fault.Fault == ForOthers {
			first = err
		}
	}
	var fault *OpenError
	if errors.As(first, &fault) && fault.Fault == ForOthers {
		fault.Recipients = s.addresses
	}
	return nil, first
}

func (s *Sealed) openWith(key Key) ([]byte, error) {
	if key.age != nil {
		for _, file := range s.age {
			if clear, err := decryptAge(file, key.age); !isForOthers(err) {
				return clear, err
			}
		}
		return nil, &OpenError{Fault: ForOthers}
	}
	for _, e := range s.envelopes {
		if clear, err := e.open(key); !isForOthers(err) {
			return clear, err
		}
	}
	return nil, &OpenError{Fault: ForOthers}
}

func isForOthers(err error) bool {
	var fault *OpenError
	return errors.As(err, &fault) && fault.Fault == ForOthers
}

// checkedPassword takes what was decrypted for a password. CBC detects an alteration only by what comes out.
func checkedPassword(clear []byte) (*secret.Text, error) {
	password := secret.New(bytes.TrimSuffix(bytes.TrimSuffix(clear, []byte("\n")), []byte("\r")))
	if len(clear) > maxPassword || password.Len() == 0 || !password.ValidUTF8() || secret.Check(password.Bytes()) != nil {
		password.Wipe()
		return nil, damaged("what comes out is no password")
	}
	return password, nil
}
