package token

import (
	"fmt"

	"github.com/miekg/pkcs11"
)

// Attribute is an attribute's type (PKCS#11 v3.1 §4, CK_ATTRIBUTE_TYPE).
type Attribute uint

// The attributes read here. CKA_VALUE is only ever read of certificates, and by the one function that carries a
// non-sensitive key out.
const (
	CKAClass              = Attribute(pkcs11.CKA_CLASS)
	CKAToken              = Attribute(pkcs11.CKA_TOKEN)
	CKAPrivate            = Attribute(pkcs11.CKA_PRIVATE)
	CKALabel              = Attribute(pkcs11.CKA_LABEL)
	CKAApplication        = Attribute(pkcs11.CKA_APPLICATION)
	CKAValue              = Attribute(pkcs11.CKA_VALUE)
	CKACertificateType    = Attribute(pkcs11.CKA_CERTIFICATE_TYPE)
	CKAKeyType            = Attribute(pkcs11.CKA_KEY_TYPE)
	CKAID                 = Attribute(pkcs11.CKA_ID)
	CKASensitive          = Attribute(pkcs11.CKA_SENSITIVE)
	CKASign               = Attribute(pkcs11.CKA_SIGN)
	CKADecrypt            = Attribute(pkcs11.CKA_DECRYPT)
	CKADerive             = Attribute(pkcs11.CKA_DERIVE)
	CKAModulus            = Attribute(pkcs11.CKA_MODULUS)
	CKAPublicExponent     = Attribute(pkcs11.CKA_PUBLIC_EXPONENT)
	CKAPublicKeyInfo      = Attribute(pkcs11.CKA_PUBLIC_KEY_INFO)
	CKAExtractable        = Attribute(pkcs11.CKA_EXTRACTABLE)
	CKALocal              = Attribute(pkcs11.CKA_LOCAL)
	CKANeverExtractable   = Attribute(pkcs11.CKA_NEVER_EXTRACTABLE)
	CKAAlwaysSensitive    = Attribute(pkcs11.CKA_ALWAYS_SENSITIVE)
	CKAECParams           = Attribute(pkcs11.CKA_EC_PARAMS)
	CKAECPoint            = Attribute(pkcs11.CKA_EC_POINT)
	CKAAlwaysAuthenticate = Attribute(pkcs11.CKA_ALWAYS_AUTHENTICATE)
	CKAWrapWithTrusted    = Attribute(pkcs11.CKA_WRAP_WITH_TRUSTED)
)

// attributeKind says how an attribute's value is encoded.
type attributeKind uint8

const (
	kindBytes attributeKind = iota
	kindBool
	kindUlong
	kindText
)

var attributeTable = map[Attribute]struct {
	name string
	kind attributeKind
}{
	CKAClass:              {"CKA_CLASS", kindUlong},
	CKAToken:              {"CKA_TOKEN", kindBool},
	CKAPrivate:            {"CKA_PRIVATE", kindBool},
	CKALabel:              {"CKA_LABEL", kindText},
	CKAApplication:        {"CKA_APPLICATION", kindText},
	CKAValue:              {"CKA_VALUE", kindBytes},
	CKACertificateType:    {"CKA_CERTIFICATE_TYPE", kindUlong},
	CKAKeyType:            {"CKA_KEY_TYPE", kindUlong},
	CKAID:                 {"CKA_ID", kindBytes},
	CKASensitive:          {"CKA_SENSITIVE", kindBool},
	CKASign:               {"CKA_SIGN", kindBool},
	CKADecrypt:            {"CKA_DECRYPT", kindBool},
	CKADerive:             {"CKA_DERIVE", kindBool},
	CKAModulus:            {"CKA_MODULUS", kindBytes},
	CKAPublicExponent:     {"CKA_PUBLIC_EXPONENT", kindBytes},
	CKAPublicKeyInfo:      {"CKA_PUBLIC_KEY_INFO", kindBytes},
	CKAExtractable:        {"CKA_EXTRACTABLE", kindBool},
	CKALocal:              {"CKA_LOCAL", kindBool},
	CKANeverExtractable:   {"CKA_NEVER_EXTRACTABLE", kindBool},
	CKAAlwaysSensitive:    {"CKA_ALWAYS_SENSITIVE", kindBool},
	CKAECParams:           {"CKA_EC_PARAMS", kindBytes},
	CKAECPoint:            {"CKA_EC_POINT", kindBytes},
	CKAAlwaysAuthenticate: {"CKA_ALWAYS_AUTHENTICATE", kindBool},
	CKAWrapWithTrusted:    {"CKA_WRAP_WITH_TRUSTED", kindBool},
}

// String gives the specification's name, or the number for an attribute that is not read here.
func (a Attribute) String() string {
	if row, ok := attributeTable[a]; ok {
		return row.name
	}
	return fmt.Sprintf("CKA_0x%08X", uint(a))
}

// MarshalText writes the name, so that a JSON object can be keyed by attribute.
func (a Attribute) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Bool is a CK_BBOOL as a token tells it: true, false, or not given. Its zero value is NotGiven.
type Bool uint8

// The three answers.
const (
	NotGiven Bool = iota
	False
	True
)

// Value is nil where the token did not say.
func (b Bool) Value() *bool {
	if b == NotGiven {
		return nil
	}
	value := b == True
	return &value
}

// String is "true", "false" or "not told".
func (b Bool) String() string { return [...]string{"not told", "false", "true"}[b] }
