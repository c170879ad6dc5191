package token

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"p11bridge/token/cryptoki"
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
	padded := fmt.Sprintf("%-32s", label)
	if len(padded) > 32 {
		return errors.New("a token's label has at most 32 bytes")
	}
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

// GenerateKeyPair makes a key pair on the token (PKCS#11 v3.1 §5.18.2). kind is "RSA", "EC" or "Ed25519"; bits counts for
// RSA, curve is the DER of CKA_EC_PARAMS for the others.
func (s *Session) GenerateKeyPair(kind string, bits int, curve []byte, name Name, policy Policy) (pki.PublicKey, error) {
	mechanism, keyType, public := uint(pkcs11.CKM_EC_KEY_PAIR_GEN), CKKEC, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve)}
	switch kind {
	case "RSA":
		mechanism, keyType = pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, CKKRSA
		public = []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, bits), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1})}
	case "Ed25519":
		mechanism, keyType = 0x1055, CKKECEdwards // CKM_EC_EDWARDS_KEY_PAIR_GEN, PKCS#11 v3.0
	}
	public = append(public, append(name.attributes(), ulong(CKAKeyType, uint(keyType)), boolean(pkcs11.CKA_TOKEN, true), boolean(pkcs11.CKA_VERIFY, true))...)
	private := append(policy.attributes(), append(name.attributes(), ulong(CKAKeyType, uint(keyType)), boolean(pkcs11.CKA_SIGN, true))...)
	var handle pkcs11.ObjectHandle
	err := s.call("C_GenerateKeyPair", kind, func() (err error) {
		handle, _, err = s.module.functions.GenerateKeyPair(s.handle, cryptoki.Mechanism{Type: mechanism}, public, private)
		return err
	})
	if err != nil {
		return pki.PublicKey{}, err
	}
	object, err := s.readObject(handle)
	if err != nil {
		return pki.PublicKey{}, err
	}
	key, known := PublicKeyOf(object)
	if !known {
		return pki.PublicKey{}, errors.New("the token does not tell the public key that it generated")
	}
	return key, nil
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
