package frame

import (
	"bytes"
	"testing"

	"p11bridge/token"
	"p11bridge/token/foreign"
)

// TestConfirmationOf: what is typed before a key is destroyed means this key and no other.
func TestConfirmationOf(t *testing.T) {
	object := func(label string, id []byte) *token.Object {
		return &token.Object{Attributes: token.AttributesOf(map[token.Attribute]token.Answer{token.CKALabel: {Value: []byte(label)}, token.CKAID: {Value: id}})}
	}
	long := func(first, last byte) []byte { return append(bytes.Repeat([]byte{first}, 16), 1, 2, 3, last) }
	with := func(key *token.Object, certificate string, link token.Link) token.Identity {
		return token.Identity{PrivateKey: key, Certificate: &token.Certificate{Object: object(certificate, nil)}, LinkedBy: link}
	}
	const proven = token.LinkedByPublicKey
	other := func(key *token.Object) []token.Identity { return []token.Identity{{PrivateKey: key}} }
	for _, row := range []struct {
		name         string
		key          token.Identity
		others       []token.Identity
		label, typed foreign.Text
	}{
		{"a label", with(object("key", long(7, 4)), "anna", proven), nil, "key", "key"},
		{"the certificate's label", with(object("", long(7, 4)), "anna", proven), nil, "anna", "anna"},
		{"the certificate's label, which another key has", with(object("", long(7, 4)), "anna", proven), other(object("anna", nil)), "0707070707070707070707070707070701020304", "01020304"},
		{"the certificate is not shown to be the key's", with(object("", long(7, 4)), "anna", token.LinkedByID), nil, "0707070707070707070707070707070701020304", "01020304"},
		{"a CKA_ID that ends as another", token.Identity{PrivateKey: object("", long(7, 4))}, other(object("bob", long(8, 4))), "0707070707070707070707070707070701020304", "0707070707070707070707070707070701020304"},
		{"a CKA_ID that ends otherwise", token.Identity{PrivateKey: object("", long(7, 4))}, other(object("bob", long(7, 5))), "0707070707070707070707070707070701020304", "01020304"},
		{"a short CKA_ID", token.Identity{PrivateKey: object("", []byte{1, 2, 3, 4, 5, 6, 7, 8})}, nil, "0102030405060708", "0102030405060708"},
		{"nothing", token.Identity{PrivateKey: object("", nil)}, nil, "delete", "delete"},
	} {
		if label, typed := confirmationOf(append(row.others, row.key), row.key); label != row.label || typed != row.typed {
			t.Errorf("%s: %q, and %q is typed", row.name, label, typed)
		}
	}
}
