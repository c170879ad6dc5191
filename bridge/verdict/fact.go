package verdict

import (
	"encoding/hex"
	"fmt"

	"p11bridge/token"
	"p11bridge/token/pki"
)

// attributeFact gives an attribute as evidence: its value, or what the token answered instead.
func attributeFact(o *token.Object, a token.Attribute) Fact {
	if value := o.Attributes.Bool(a).Value(); value != nil {
		return Fact{a.String(), *value}
	}
	if answer, asked := o.Attributes.Answer(a); asked && answer.Code != token.CKROK {
		return Fact{a.String(), answer.Code.String()}
	}
	return Fact{a.String(), nil}
}

func TypeFacts(key *token.Object) []Fact {
	keyType, known := key.KeyType()
	if !known {
		return []Fact{{token.CKAKeyType.String(), nil}}
	}
	return []Fact{{token.CKAKeyType.String(), keyType.String()}}
}

func HexText(b []byte) string { return hex.EncodeToString(b) }

// KeyText names a public key by kind and the end of its SubjectPublicKeyInfo.
func KeyText(key pki.PublicKey) string {
	if len(key.SPKI) < 8 {
		return ""
	}
	return fmt.Sprintf("%s …%x", key.Algorithm, key.SPKI[len(key.SPKI)-8:])
}

// ObjectKeyText names a key object by its public key, else by its type; nil where the token told neither.
func ObjectKeyText(o *token.Object) any {
	if public, known := token.PublicKeyOf(o); known {
		return KeyText(public)
	}
	if keyType, known := o.KeyType(); known {
		return keyType.String()
	}
	return nil
}
