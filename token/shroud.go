package token

import (
	"errors"
	"slices"

	"github.com/miekg/pkcs11"

	"p11bridge/token/pki"
)

// ckaNSSDB is NSS's own attribute for the public half of an EC key that is unwrapped: without it softokn cannot store the
// key, not even for the session.
const ckaNSSDB = 0xD5A0DB00

// Shroud has the token encrypt a private key under an AES-256 key with CKM_AES_CBC_PAD and the IV (PKCS#11 v3.1 §6.13.5):
// the ciphertext of a PBES2 EncryptedPrivateKeyInfo. The private key is never in this process. The AES key becomes a
// session object and is destroyed right after; a read-only session is enough. The error is a *WrapError where the token
// would not.
func (s *Session) Shroud(key *Object, kek, iv []byte) ([]byte, error) {
	shroud := &oneTimeAES{CKMAESCBCPad, kek}
	wrapped, err := s.wrapWith(shroud.template(), []*pkcs11.Mechanism{pkcs11.NewMechanism(uint(CKMAESCBCPad), iv)}, key)
	if err == nil {
		return wrapped, nil
	}
	code, told := CodeOf(err)
	if !told || connectionLost(code) {
		return nil, err
	}
	attempt := Attempt{Mechanism: CKMAESCBCPad, Function: functionOf(err), Code: code}
	return nil, &WrapError{Attempts: []Attempt{attempt}, AboutKey: attempt.refusesKey()}
}

// Unshroud has the token decrypt what Shroud made into a session object that can sign, and that is sensitive and not
// extractable as far as the token takes such a template. public is the key's public half. The caller ends it with Destroy.
// The error is an *Error where the token would not.
func (s *Session) Unshroud(kek, iv, ciphertext []byte, public pki.PublicKey) (*Object, error) {
	templates, err := unshroudTemplates(public)
	if err != nil {
		return nil, err
	}
	if len(ciphertext) == 0 {
		return nil, errors.New("unshroud: no ciphertext")
	}
	var wrapping, handle pkcs11.ObjectHandle
	err = s.call("C_CreateObject", "one-time unwrapping key", func() (err error) {
		wrapping, err = s.module.ctx.CreateObject(s.handle, []*pkcs11.Attribute{
			ulong(CKAClass, uint(CKOSecretKey)), ulong(CKAKeyType, uint(CKKAES)), boolean(pkcs11.CKA_TOKEN, false),
			boolean(pkcs11.CKA_UNWRAP, true), pkcs11.NewAttribute(pkcs11.CKA_VALUE, kek),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, template := range templates {
		err = s.call("C_UnwrapKey", CKMAESCBCPad.String(), func() (err error) {
			handle, err = s.module.ctx.UnwrapKey(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(uint(CKMAESCBCPad), iv)}, wrapping, ciphertext, template)
			return err
		})
		if code, _ := CodeOf(err); err == nil || !slices.Contains(refusesTemplate, code) {
			break
		}
	}
	destroyed := s.destroy(wrapping, "one-time unwrapping key")
	if err != nil {
		return nil, err
	}
	return &Object{Class: CKOPrivateKey, handle: handle}, destroyed
}

// refusesTemplate are the answers of a token that does not take the template as it is.
var refusesTemplate = []CKR{
	pkcs11.CKR_TEMPLATE_INCONSISTENT, pkcs11.CKR_TEMPLATE_INCOMPLETE, pkcs11.CKR_ATTRIBUTE_READ_ONLY, CKRAttributeTypeInvalid,
	pkcs11.CKR_ATTRIBUTE_VALUE_INVALID,
}

// unshroudTemplates are the templates of the session object, the strictest first: some tokens refuse CKA_EXTRACTABLE, and
// NSS asks for the public half of an EC key.
func unshroudTemplates(public pki.PublicKey) ([][]*pkcs11.Attribute, error) {
	keyTypes := map[string]KeyType{"RSA": CKKRSA, "RSA-PSS": CKKRSA, "EC": CKKEC, "Ed25519": CKKECEdwards}
	keyType, known := keyTypes[public.Algorithm]
	if !known {
		return nil, &pki.UnsupportedError{Algorithm: public.Algorithm}
	}
	base := []*pkcs11.Attribute{
		ulong(CKAClass, uint(CKOPrivateKey)), ulong(CKAKeyType, uint(keyType)), boolean(pkcs11.CKA_TOKEN, false),
		boolean(pkcs11.CKA_PRIVATE, true), boolean(pkcs11.CKA_SENSITIVE, true), boolean(pkcs11.CKA_SIGN, true),
	}
	strict := boolean(pkcs11.CKA_EXTRACTABLE, false)
	if keyType == CKKRSA {
		return [][]*pkcs11.Attribute{append(slices.Clone(base), strict), base}, nil
	}
	point, err := public.Point()
	if err != nil {
		return nil, err
	}
	nss := pkcs11.NewAttribute(ckaNSSDB, point)
	return [][]*pkcs11.Attribute{
		append(slices.Clone(base), strict), base, append(slices.Clone(base), strict, nss), append(slices.Clone(base), nss),
	}, nil
}

// Destroy destroys a session object that was made here (PKCS#11 v3.1 §5.7.3).
func (s *Session) Destroy(o *Object) error { return s.destroy(o.handle, "session object") }

func (s *Session) destroy(handle pkcs11.ObjectHandle, what string) error {
	return s.call("C_DestroyObject", what, func() error { return s.module.ctx.DestroyObject(s.handle, handle) })
}
