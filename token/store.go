package token

import (
	"bytes"
	"context"
	"encoding/asn1"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"p11bridge/token/pki"
)

// StorePrivateKey puts a private key in clear on the token, number by number (PKCS#11 v3.1 §5.7.1). The caller wipes the
// key; the copies made here are wiped, the one that C code gets is out of reach. The error is an *Error where the token
// would not, and a *pki.UnsupportedError for keys other than RSA, EC and Ed25519.
func (a *Additions) StorePrivateKey(key *pki.PrivateKey, t KeyTemplate) (*Object, error) {
	_, numbers, err := keyNumbers(key)
	if err != nil {
		return nil, err
	}
	templates, err := t.variants(numbers...)
	if err != nil {
		return nil, err
	}
	s := a.session
	return enter(templates, func(template []*pkcs11.Attribute) (*Object, error) {
		return a.makeOne("C_CreateObject", "private key", t.addition(), func() (pkcs11.ObjectHandle, error) {
			return s.module.functions.CreateObject(s.handle, template)
		})
	})
}

// keyNumbers are the attributes of which a private key consists (PKCS#11 v3.1 §6.1.3, §6.3.4). Their memory is the key's.
func keyNumbers(key *pki.PrivateKey) (KeyType, []*pkcs11.Attribute, error) {
	keyType, err := KeyTypeOf(key.Public)
	if err != nil {
		return 0, nil, err
	}
	parts, err := key.Parts()
	if err != nil {
		return 0, nil, err
	}
	attribute := func(a Attribute, value []byte) *pkcs11.Attribute { return pkcs11.NewAttribute(uint(a), value) }
	if keyType != CKKRSA {
		params, err := key.Public.Params()
		return keyType, []*pkcs11.Attribute{attribute(CKAECParams, params), attribute(CKAValue, parts.Value)}, err
	}
	return keyType, []*pkcs11.Attribute{
		attribute(CKAModulus, parts.Modulus), attribute(CKAPublicExponent, parts.PublicExponent), attribute(ckaPrivateExponent, parts.PrivateExponent),
		attribute(ckaPrime1, parts.Prime1), attribute(ckaPrime2, parts.Prime2), attribute(ckaExponent1, parts.Exponent1),
		attribute(ckaExponent2, parts.Exponent2), attribute(ckaCoefficient, parts.Coefficient),
	}, nil
}

// StorePublicKey puts a public key object on the token, which verifies, and encrypts where it is RSA and its private half
// decrypts (PKCS#11 v3.1 §4.8). The error is an *Error, or a *pki.UnsupportedError for keys other than RSA, EC and Ed25519.
func (a *Additions) StorePublicKey(name Name, public pki.PublicKey, usage Usage) (*Object, error) {
	keyType, err := KeyTypeOf(public)
	if err != nil {
		return nil, err
	}
	w := &addition{class: CKOPublicKey, names: []Name{name}, public: public}
	template := append(name.attributes(), ulong(CKAClass, uint(CKOPublicKey)), ulong(CKAKeyType, uint(keyType)),
		boolean(pkcs11.CKA_TOKEN, true), boolean(pkcs11.CKA_PRIVATE, false), boolean(pkcs11.CKA_VERIFY, usage.Sign))
	if keyType == CKKRSA {
		modulus, exponent, err := public.RSANumbers()
		if err != nil {
			return nil, err
		}
		return a.store("public key", w, append(template, boolean(pkcs11.CKA_ENCRYPT, usage.Decrypt),
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS, modulus), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, exponent)))
	}
	params, err := public.Params()
	if err != nil {
		return nil, err
	}
	point, err := public.Point()
	if err != nil {
		return nil, err
	}
	wrapped, err := asn1.Marshal(point)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return a.store("public key", w, append(template, pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params), pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, wrapped)))
}

// StoreCertificate puts an X.509 certificate on the token, with everything that tokens look it up by (PKCS#11 v3.1 §4.6.3): NSS
// takes none without its issuer and serial number.
func (a *Additions) StoreCertificate(name Name, certificate *pki.Certificate) (*Object, error) {
	serial, err := certificate.SerialNumber()
	if err != nil {
		return nil, err
	}
	w := &addition{class: CKOCertificate, names: []Name{name}, certificate: certificate.Raw}
	return a.store("certificate", w, append(name.attributes(),
		ulong(CKAClass, uint(CKOCertificate)), ulong(CKACertificateType, certificateTypeX509), boolean(pkcs11.CKA_TOKEN, true),
		boolean(pkcs11.CKA_PRIVATE, false), pkcs11.NewAttribute(pkcs11.CKA_SUBJECT, certificate.RawSubject),
		pkcs11.NewAttribute(pkcs11.CKA_ISSUER, certificate.RawIssuer), pkcs11.NewAttribute(pkcs11.CKA_SERIAL_NUMBER, serial),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE, certificate.Raw)))
}

func (a *Additions) store(what string, w *addition, template []*pkcs11.Attribute) (*Object, error) {
	return a.makeOne("C_CreateObject", what, w, func() (pkcs11.ObjectHandle, error) {
		return a.session.module.functions.CreateObject(a.session.handle, template)
	})
}

// Reread asks for an object's attributes anew and gives it with what the token tells now.
func (s *Session) Reread(o *Object) (*Object, error) { return s.readObject(o.handle) }

// SetBool changes a boolean attribute of an object (PKCS#11 v3.1 §5.7.7).
func (s *Session) SetBool(o *Object, a Attribute, value bool) error {
	return s.call("C_SetAttributeValue", a.String(), func() error {
		return s.module.functions.SetAttributeValue(s.handle, o.handle, []*pkcs11.Attribute{boolean(uint(a), value)})
	})
}

// Destroyable asks whether an object may be destroyed (CKA_DESTROYABLE, PKCS#11 v2.40 §4.4). Tokens of before v2.40 do not tell.
func (s *Session) Destroyable(o *Object) (Bool, error) {
	values, err := s.get(o.handle, []Attribute{ckaDestroyable})
	if code, known := CodeOf(err); known && !connectionLost(code) {
		return NotGiven, nil
	}
	if err != nil {
		return NotGiven, err
	}
	return boolOf(values[0]), nil
}

// ckaDestroyable is CKA_DESTROYABLE.
const ckaDestroyable = Attribute(0x172)

// Remaining lists the objects again and gives those that are still there: C_DestroyObject may answer CKR_OK and do nothing.
func (s *Session) Remaining(objects []*Object) ([]*Object, error) {
	handles, err := s.everyObject(context.Background()) // after an interruption, too
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(objects), func(o *Object) bool { return !slices.Contains(handles, o.handle) }), nil
}

// naming are the attributes by which objects are told apart.
var naming = []Attribute{CKAID, CKALabel, CKAKeyType, CKAModulus, CKAECParams, CKAToken}

// SameAs reports whether two objects of one class tell the same of themselves, as far as both tell it: identifier, label, key
// type, modulus and curve.
func (o *Object) SameAs(other *Object) bool {
	if o.Class != other.Class {
		return false
	}
	for _, a := range naming {
		one, known := o.Attributes.Lookup(a)
		two, too := other.Attributes.Lookup(a)
		if known && too && !bytes.Equal(one, two) {
			return false
		}
	}
	return true
}
