package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"

	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// CreatePrivateKey stores a private key that was made outside, without its public key object (PKCS#11 v3.1 §5.7.1). key is
// an *rsa.PrivateKey, an *ecdsa.PrivateKey or an ed25519.PrivateKey; anything else is a *pki.UnsupportedError.
func (s *Session) CreatePrivateKey(name Name, key any, policy Policy) error {
	template := append(policy.attributes(), append(name.attributes(), ulong(CKAClass, uint(CKOPrivateKey)), boolean(pkcs11.CKA_SIGN, true))...)
	parts, err := privateKeyParts(key)
	if err != nil {
		return err
	}
	defer func() {
		for _, part := range parts {
			secret.Wipe(part.Value)
		}
	}()
	return s.create("private key", append(template, parts...))
}

func privateKeyParts(key any) ([]*pkcs11.Attribute, error) {
	number := func(a uint, n *big.Int) *pkcs11.Attribute { return pkcs11.NewAttribute(a, n.Bytes()) }
	switch key := key.(type) {
	case *rsa.PrivateKey:
		key.Precompute()
		return []*pkcs11.Attribute{
			ulong(CKAKeyType, uint(CKKRSA)), boolean(pkcs11.CKA_DECRYPT, true), number(pkcs11.CKA_MODULUS, key.N),
			number(pkcs11.CKA_PUBLIC_EXPONENT, big.NewInt(int64(key.E))), number(pkcs11.CKA_PRIVATE_EXPONENT, key.D),
			number(pkcs11.CKA_PRIME_1, key.Primes[0]), number(pkcs11.CKA_PRIME_2, key.Primes[1]),
			number(pkcs11.CKA_EXPONENT_1, key.Precomputed.Dp), number(pkcs11.CKA_EXPONENT_2, key.Precomputed.Dq),
			number(pkcs11.CKA_COEFFICIENT, key.Precomputed.Qinv),
		}, nil
	case *ecdsa.PrivateKey:
		params, err := CurveParams(key.Curve.Params().Name)
		if err != nil {
			return nil, err
		}
		value, err := key.Bytes()
		if err != nil {
			return nil, fmt.Errorf("private key: %w", err)
		}
		return []*pkcs11.Attribute{ulong(CKAKeyType, uint(CKKEC)), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params), pkcs11.NewAttribute(pkcs11.CKA_VALUE, value)}, nil
	case ed25519.PrivateKey:
		params, err := CurveParams("Ed25519")
		if err != nil {
			return nil, err
		}
		return []*pkcs11.Attribute{ulong(CKAKeyType, uint(CKKECEdwards)), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params), pkcs11.NewAttribute(pkcs11.CKA_VALUE, key.Seed())}, nil
	}
	return nil, &pki.UnsupportedError{Algorithm: fmt.Sprintf("%T", key)}
}

// CurveParams is the DER that CKA_EC_PARAMS wants for a curve (PKCS#11 v3.1 §6.3.3; RFC 5480 §2.1.1.1). Ed25519 is
// written as the PrintableString that SoftHSM 2.6 needs and others understand.
func CurveParams(curve string) ([]byte, error) {
	named := map[string]asn1.ObjectIdentifier{"P-256": {1, 2, 840, 10045, 3, 1, 7}, "P-384": {1, 3, 132, 0, 34}, "P-521": {1, 3, 132, 0, 35}}
	if curve == "Ed25519" {
		return append([]byte{0x13, 12}, "edwards25519"...), nil
	}
	oid, known := named[curve]
	if !known {
		return nil, &pki.UnsupportedError{Algorithm: curve}
	}
	params, err := asn1.Marshal(oid)
	if err != nil {
		return nil, fmt.Errorf("curve parameters: %w", err)
	}
	return params, nil
}
