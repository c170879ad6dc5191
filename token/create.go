package token

import (
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"

	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// Policy is what a new private key on a token may do and suffer. Every field is written to the template.
type Policy struct {
	Sensitive   bool
	Extractable bool
	// WrapWithTrusted is only written where it is true: not every token knows it.
	WrapWithTrusted bool
}

// Name is a new object's CKA_LABEL and CKA_ID.
type Name struct {
	Label string
	ID    []byte
}

// InitToken makes a new token in the slot and sets its SO PIN, its label and its user PIN (PKCS#11 v3.1 §5.5.9, §5.6.3).
// Everything that was on the token is gone. The slot's number may change with it.
func (m *Module) InitToken(slot uint, label string, soPIN *secret.Text) error {
	const size = 32 // bytes, which fmt does not count
	if len(label) > size {
		return fmt.Errorf("a token's label has at most %d bytes", size)
	}
	padded := label + strings.Repeat(" ", size-len(label))
	return m.call("C_InitToken", fmt.Sprintf("slot %d", slot), func() error { return m.functions.InitToken(slot, soPIN.Bytes(), padded) })
}

// InitPIN sets the user PIN of a token: log in as SO, set, log out (PKCS#11 v3.1 §5.6.3).
func (s *Session) InitPIN(soPIN, pin *secret.Text) error {
	err := s.call("C_Login", "CKU_SO", func() error { return s.module.functions.Login(s.handle, pkcs11.CKU_SO, soPIN.Bytes()) })
	if err != nil {
		return err
	}
	err = s.call("C_InitPIN", "", func() error { return s.module.functions.InitPIN(s.handle, pin.Bytes()) })
	return errors.Join(err, s.call("C_Logout", "", func() error { return s.module.functions.Logout(s.handle) }))
}

// CreatePrivateKey stores a private key that was made outside, without its public key object (PKCS#11 v3.1 §5.7.1): unlike
// Additions.StorePrivateKey with whatever policy is asked for. The error is a *pki.UnsupportedError for keys other than RSA, EC
// and Ed25519.
func (s *Session) CreatePrivateKey(name Name, key *pki.PrivateKey, policy Policy) error {
	keyType, numbers, err := keyNumbers(key)
	if err != nil {
		return err
	}
	template := append(policy.attributes(), append(name.attributes(), ulong(CKAClass, uint(CKOPrivateKey)), ulong(CKAKeyType, uint(keyType)), boolean(pkcs11.CKA_SIGN, true))...)
	if keyType == CKKRSA {
		template = append(template, boolean(pkcs11.CKA_DECRYPT, true))
	}
	return s.create("private key", append(template, numbers...))
}

// CreateData stores a data object (PKCS#11 v3.1 §4.5).
func (s *Session) CreateData(name Name, value []byte) error {
	return s.create("data", []*pkcs11.Attribute{
		ulong(CKAClass, uint(CKOData)), boolean(pkcs11.CKA_TOKEN, true), boolean(pkcs11.CKA_PRIVATE, false),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, name.Label), pkcs11.NewAttribute(pkcs11.CKA_VALUE, value),
	})
}

// CreateSecretKey stores an AES key (PKCS#11 v3.1 §6.13).
func (s *Session) CreateSecretKey(name Name, value []byte, policy Policy) error {
	return s.create("secret key", append(append(name.attributes(), policy.attributes()...),
		ulong(CKAClass, uint(CKOSecretKey)), ulong(CKAKeyType, uint(CKKAES)), pkcs11.NewAttribute(pkcs11.CKA_VALUE, value)))
}

func (s *Session) create(what string, template []*pkcs11.Attribute) error {
	return s.call("C_CreateObject", what, func() error {
		_, err := s.module.functions.CreateObject(s.handle, template)
		return err
	})
}

func (n Name) attributes() []*pkcs11.Attribute {
	attributes := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, n.Label)}
	if len(n.ID) > 0 {
		attributes = append(attributes, pkcs11.NewAttribute(pkcs11.CKA_ID, n.ID))
	}
	return attributes
}

func (p Policy) attributes() []*pkcs11.Attribute {
	attributes := []*pkcs11.Attribute{
		boolean(pkcs11.CKA_TOKEN, true), boolean(pkcs11.CKA_PRIVATE, true),
		boolean(pkcs11.CKA_SENSITIVE, p.Sensitive), boolean(pkcs11.CKA_EXTRACTABLE, p.Extractable),
	}
	if p.WrapWithTrusted {
		attributes = append(attributes, boolean(pkcs11.CKA_WRAP_WITH_TRUSTED, true))
	}
	return attributes
}

func boolean(a uint, value bool) *pkcs11.Attribute { return pkcs11.NewAttribute(a, value) }
