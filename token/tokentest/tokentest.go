// Package tokentest makes plain values of tokens for tests: objects, identities and inventories as a token would tell them.
package tokentest

import (
	"encoding/binary"
	"fmt"
	"time"

	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
	"p11bridge/token/pki/pkitest"
)

// Now is when all certificates here are judged.
var Now = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// Values is what a token answers for an object: bool, uint, string or []byte for a value, token.CKR for a refusal.
type Values map[token.Attribute]any

// Answers gives the attributes of an object that told so.
func Answers(of Values) token.Attributes {
	answers := map[token.Attribute]token.Answer{}
	for a, value := range of {
		var answer token.Answer
		switch value := value.(type) {
		case bool:
			answer.Value = []byte{0}
			if value {
				answer.Value[0] = 1
			}
		case uint:
			answer.Value = binary.NativeEndian.AppendUint64(nil, uint64(value))
		case string:
			answer.Value = []byte(value)
		case []byte:
			answer.Value = value
		case token.CKR:
			answer.Code = value
		default:
			panic(fmt.Sprintf("%s: %T", a, value))
		}
		answers[a] = answer
	}
	return token.AttributesOf(answers)
}

// With gives a copy with some answers changed; nil takes one away.
func (t Values) With(more Values) Values {
	all := Values{}
	for _, some := range []Values{t, more} {
		for a, value := range some {
			if all[a] = value; value == nil {
				delete(all, a)
			}
		}
	}
	return all
}

// PublicKey is the P-256 key of that name, the same at every call.
func PublicKey(name string) pki.PublicKey { return pkitest.PublicKey(name) }

// Locked and the others are the four policies, as a token tells them of a P-256 key of its own.
var (
	Locked = Values{token.CKAKeyType: uint(token.CKKEC), token.CKAID: []byte{1}, token.CKASensitive: true, token.CKAExtractable: false,
		token.CKALocal: true, token.CKANeverExtractable: true}
	Wrappable = Locked.With(Values{token.CKAExtractable: true, token.CKANeverExtractable: false})
	Readable  = Wrappable.With(Values{token.CKASensitive: false})
	Held      = Locked.With(Values{token.CKASensitive: false})
)

// PrivateKey is a P-256 private key that tells its public half; name is the key's, an empty one tells none.
func PrivateKey(name string, policy Values) *token.Object {
	if name != "" {
		policy = policy.With(Values{token.CKAPublicKeyInfo: PublicKey(name).SPKI})
	}
	return &token.Object{Class: token.CKOPrivateKey, Attributes: Answers(policy)}
}

// CertificateOf is a certificate that is a hundred days old and valid for as long, changed by change where that is not nil.
func CertificateOf(name string, change func(*pki.Certificate)) *token.Object {
	c := &pki.Certificate{
		Subject: foreign.Text("CN=" + name), Issuer: "CN=issuer", Serial: "01", NotBefore: Now.AddDate(0, 0, -100), NotAfter: Now.AddDate(0, 0, 100),
		PublicKey: PublicKey(name),
	}
	if change != nil {
		change(c)
	}
	return &token.Object{Class: token.CKOCertificate, Attributes: Answers(Values{token.CKAID: []byte{1}}), Certificate: c}
}

// Wraps lists mechanisms that wrap.
func Wraps(types ...token.CKM) []token.Mechanism {
	var list []token.Mechanism
	for _, t := range types {
		list = append(list, token.Mechanism{Type: t, Wrap: true})
	}
	return list
}

// InventoryOf is of a token of no known make, logged in, with CKM_AES_KEY_WRAP_PAD.
func InventoryOf(objects ...*token.Object) *token.Inventory {
	return &token.Inventory{
		Token:    token.Info{Label: "t", Manufacturer: "Nobody", Model: "None", Flags: token.CKFLoginRequired | token.CKFTokenInitialized | token.CKFUserPINInitialized},
		LoggedIn: true, Mechanisms: Wraps(token.CKMAESKeyWrapPad), Objects: objects,
	}
}
