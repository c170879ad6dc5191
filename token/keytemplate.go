package token

import (
	"errors"
	"slices"

	"github.com/miekg/pkcs11"

	"p11bridge/token/pki"
)

// Usage says what a private key may be used for. What a kind of key cannot do is left out of its template.
type Usage struct {
	Sign    bool `json:"sign"`
	Decrypt bool `json:"decrypt"`
	Derive  bool `json:"derive"`
}

// KeyTemplate is what a private key that enters a token is to become. It is always CKA_SENSITIVE and CKA_PRIVATE.
type KeyTemplate struct {
	Name        Name
	Public      pki.PublicKey // its public half, which tells the key's type
	OnToken     bool          // CKA_TOKEN; else a session object, which ends with the session
	Extractable bool
	Usage       Usage
}

// ckaNSSDB is NSS's own attribute for the public half of an EC key that enters it: without it softokn cannot store the
// key, not even for the session.
const ckaNSSDB = 0xD5A0DB00

// keyTypes are the key types of the public keys whose private halves can enter a token.
var keyTypes = map[string]KeyType{"RSA": CKKRSA, "RSA-PSS": CKKRSA, "EC": CKKEC, "Ed25519": CKKECEdwards}

// KeyTypeOf is the CKA_KEY_TYPE of a public key's private half. The error is a *pki.UnsupportedError where it cannot enter a
// token from here.
func KeyTypeOf(public pki.PublicKey) (KeyType, error) {
	keyType, known := keyTypes[public.Algorithm]
	if !known {
		return 0, &pki.UnsupportedError{Algorithm: public.Algorithm}
	}
	return keyType, nil
}

// Booleans are the attributes of the template that say what the key may do and suffer, as they are to be read afterwards.
func (t KeyTemplate) Booleans() map[Attribute]bool {
	wanted := map[Attribute]bool{
		CKAToken: t.OnToken, CKAPrivate: true, CKASensitive: true, CKAExtractable: t.Extractable, CKASign: t.Usage.Sign,
	}
	switch keyType := keyTypes[t.Public.Algorithm]; keyType {
	case CKKRSA:
		wanted[CKADecrypt] = t.Usage.Decrypt
	case CKKEC:
		wanted[CKADerive] = t.Usage.Derive
	}
	return wanted
}

// variants are the templates in the order in which a token is offered them, the strictest first: some tokens refuse
// CKA_EXTRACTABLE, and NSS asks for the public half of an EC key.
func (t KeyTemplate) variants(more ...*pkcs11.Attribute) ([][]*pkcs11.Attribute, error) {
	keyType, err := KeyTypeOf(t.Public)
	if err != nil {
		return nil, err
	}
	base := append([]*pkcs11.Attribute{ulong(CKAClass, uint(CKOPrivateKey)), ulong(CKAKeyType, uint(keyType))}, more...)
	for _, a := range []Attribute{CKAToken, CKAPrivate, CKASensitive, CKASign, CKADecrypt, CKADerive} {
		value, given := t.Booleans()[a]
		if usage := a == CKASign || a == CKADecrypt || a == CKADerive; usage && !value && !t.OnToken {
			continue // a session object is asked for as little as possible
		}
		if given {
			base = append(base, boolean(uint(a), value))
		}
	}
	if t.OnToken {
		base = append(base, t.Name.attributes()...)
	}
	strict := append(slices.Clone(base), boolean(pkcs11.CKA_EXTRACTABLE, t.Extractable))
	if keyType == CKKRSA {
		return [][]*pkcs11.Attribute{strict, base}, nil
	}
	point, err := t.Public.Point()
	if err != nil {
		return nil, err
	}
	nss := pkcs11.NewAttribute(ckaNSSDB, point)
	return [][]*pkcs11.Attribute{strict, base, append(slices.Clone(strict), nss), append(slices.Clone(base), nss)}, nil
}

// addition is the key as a run asks for it.
func (t KeyTemplate) addition() *addition {
	return &addition{class: CKOPrivateKey, names: []Name{t.Name}, public: t.Public}
}

// enter offers a token the templates one after the other until it takes one, or refuses for another reason.
func enter(templates [][]*pkcs11.Attribute, offer func([]*pkcs11.Attribute) (*Object, error)) (key *Object, err error) {
	for _, template := range templates {
		key, err = offer(template)
		var answer *AnswerError // it may have taken this one
		if code, _ := CodeOf(err); err == nil || errors.As(err, &answer) || !code.is(aboutTemplatePart) {
			break
		}
	}
	return key, err
}
