package seal

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"p11bridge/token/pki"
)

// Key is a key that may open sealed passwords: a private RSA key, or an age or SSH identity.
type Key struct {
	// Decrypter is a private RSA key: crypto.Decrypter with *rsa.OAEPOptions and *rsa.PKCS1v15DecryptOptions.
	Decrypter crypto.Decrypter
	// Certificate is the key's own. Without it the key is tried on every recipient.
	Certificate *pki.Certificate

	age age.Identity
}

// IdentityFault says why a file gives no key.
type IdentityFault string

// The faults of a file that was to hold a key.
const (
	NoIdentity     IdentityFault = "no-key"     // neither an age identity nor a private key
	NeedsPassword  IdentityFault = "encrypted"  // the key is protected by a password
	IdentityOfKind IdentityFault = "other-kind" // a private key that opens no sealed password: ECDSA, DSA
)

// IdentityError says why a file gives no key. It tells nothing of what is in the file.
type IdentityError struct{ Fault IdentityFault }

// Error names the fault.
func (e *IdentityError) Error() string { return "no key to a sealed password: " + string(e.Fault) }

// ReadKeys reads the keys of a file: age identities, an SSH private key, or an RSA private key in PEM, which is that of a certificate
// too. The error is an *IdentityError.
func ReadKeys(contents []byte) ([]Key, error) {
	if bytes.Contains(contents, []byte("AGE-SECRET-KEY-")) {
		identities, err := age.ParseIdentities(bytes.NewReader(contents))
		if err != nil {
			return nil, &IdentityError{NoIdentity}
		}
		var keys []Key
		for _, identity := range identities {
			keys = append(keys, Key{age: identity})
		}
		return keys, nil
	}
	block, _ := pem.Decode(contents)
	if block == nil {
		return nil, &IdentityError{NoIdentity}
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		return nil, &IdentityError{NeedsPassword}
	}
	var keys []Key
	if key, ok := privateRSA(block); ok {
		keys = append(keys, Key{Decrypter: key})
	}
	identity, err := agessh.ParseIdentity(contents)
	var missing *ssh.PassphraseMissingError
	switch {
	case err == nil:
		keys = append(keys, Key{age: identity})
	case errors.As(err, &missing):
		return nil, &IdentityError{NeedsPassword}
	case len(keys) == 0 && bytes.Contains([]byte(block.Type), []byte("PRIVATE KEY")):
		return nil, &IdentityError{IdentityOfKind}
	case len(keys) == 0:
		return nil, &IdentityError{NoIdentity}
	}
	return keys, nil
}

// privateRSA reads PKCS #8, PKCS #1 and OpenSSH's own form.
func privateRSA(block *pem.Block) (*rsa.PrivateKey, bool) {
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, true
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		private, is := key.(*rsa.PrivateKey)
		return private, is
	}
	key, err := ssh.ParseRawPrivateKey(pem.EncodeToMemory(block))
	private, is := key.(*rsa.PrivateKey)
	return private, err == nil && is
}
