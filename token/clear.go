package token

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// The attributes that hold a private key (PKCS#11 v3.1 §6.1.3, §6.3.4 and §6.3.6). Nothing but ReadClear asks for them.
const (
	ckaPrivateExponent = Attribute(pkcs11.CKA_PRIVATE_EXPONENT)
	ckaPrime1          = Attribute(pkcs11.CKA_PRIME_1)
	ckaPrime2          = Attribute(pkcs11.CKA_PRIME_2)
	ckaExponent1       = Attribute(pkcs11.CKA_EXPONENT_1)
	ckaExponent2       = Attribute(pkcs11.CKA_EXPONENT_2)
	ckaCoefficient     = Attribute(pkcs11.CKA_COEFFICIENT)
)

var rsaParts = []Attribute{ckaPrivateExponent, ckaPrime1, ckaPrime2, ckaExponent1, ckaExponent2, ckaCoefficient}

// ReadClear reads a private key attribute by attribute: for a key with CKA_SENSITIVE=false and CKA_EXTRACTABLE=true. CRT
// parts that the token does not tell are computed. The caller wipes the key; the copies made here are wiped.
func (s *Session) ReadClear(key *Object) (*pki.PrivateKey, error) {
	keyType, known := key.KeyType()
	if !known {
		return nil, errors.New("the token does not tell the key's type")
	}
	switch keyType {
	case CKKRSA:
		return s.readClearRSA(key)
	case CKKEC, CKKECEdwards:
		value, err := s.readPart(key, CKAValue)
		if err != nil {
			return nil, err
		}
		defer secret.Wipe(value)
		build := pki.PrivateKeyFromEC
		if keyType == CKKECEdwards {
			build = pki.PrivateKeyFromEdwards
		}
		carried, err := build(key.Attributes.Bytes(CKAECParams), value)
		if err != nil {
			return nil, noKey(err)
		}
		return carried, nil
	}
	return nil, &pki.UnsupportedError{Algorithm: keyType.String()}
}

func (s *Session) readClearRSA(key *Object) (*pki.PrivateKey, error) {
	parts := map[Attribute][]byte{}
	defer func() {
		for _, part := range parts {
			secret.Wipe(part)
		}
	}()
	for _, a := range rsaParts {
		value, err := s.readPart(key, a)
		if code, refused := CodeOf(err); refused && a != ckaPrivateExponent && !connectionLost(code) {
			continue
		}
		if err != nil {
			return nil, err
		}
		parts[a] = value
	}
	carried, err := pki.PrivateKeyFromRSA(key.Attributes.Bytes(CKAModulus), key.Attributes.Bytes(CKAPublicExponent), parts[ckaPrivateExponent],
		parts[ckaPrime1], parts[ckaPrime2], parts[ckaExponent1], parts[ckaExponent2], parts[ckaCoefficient])
	if err != nil {
		return nil, noKey(err)
	}
	return carried, nil
}

// noKey is the error where the attributes that a token told make no private key: it failed, unless the kind of key is unknown here.
func noKey(err error) error {
	err = fmt.Errorf("private key attributes: %w", err)
	var unsupported *pki.UnsupportedError
	if errors.As(err, &unsupported) {
		return err
	}
	return &AnswerError{Function: "C_GetAttributeValue", Fault: AnswerData, Err: err}
}

func (s *Session) readPart(key *Object, a Attribute) ([]byte, error) {
	values, err := s.get(key.handle, []Attribute{a})
	if err != nil {
		return nil, err
	}
	if values[0] == nil {
		return nil, &Error{Function: "C_GetAttributeValue", Code: CKRAttributeTypeInvalid}
	}
	return values[0], nil
}
