package pfx

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

func TestMatch(t *testing.T) {
	rsa, ec, ed := newIdentity(t, "RSA"), newIdentity(t, "P-256"), newIdentity(t, "Ed25519")
	id := []byte{1}
	key := func(of identity, localKeyID []byte) Key { return Key{PKCS8: of.pkcs8, LocalKeyID: localKeyID} }
	leaf := func(of identity, localKeyID []byte) Certificate {
		return Certificate{DER: of.leaf, LocalKeyID: localKeyID}
	}
	tests := []struct {
		name     string
		contents Contents
		want     []Pair
	}{
		{"nothing", Contents{}, nil},
		{"by public key", Contents{Keys: []Key{key(rsa, nil)}, Certificates: []Certificate{{DER: rsa.authority}, leaf(ec, nil), leaf(rsa, nil)}},
			[]Pair{{Certificate: 2, LinkedBy: LinkedByPublicKey}}},
		{"two keys", Contents{Keys: []Key{key(rsa, id), key(ed, nil)}, Certificates: []Certificate{leaf(ed, nil), leaf(rsa, id)}},
			[]Pair{{Key: 0, Certificate: 1, LinkedBy: LinkedByPublicKey}, {Key: 1, Certificate: 0, LinkedBy: LinkedByPublicKey}}},
		{"renewed", Contents{Keys: []Key{key(ec, id)}, Certificates: []Certificate{leaf(ec, nil), leaf(ec, id), leaf(ec, []byte{2})}},
			[]Pair{{Certificate: 1, LinkedBy: LinkedByPublicKey, Also: []int{0, 2}}}},
		{"public key over id", Contents{Keys: []Key{key(ec, id)}, Certificates: []Certificate{leaf(rsa, id), leaf(ec, nil)}},
			[]Pair{{Certificate: 1, LinkedBy: LinkedByPublicKey}}},
		{"contradiction", Contents{Keys: []Key{key(ec, id)}, Certificates: []Certificate{leaf(rsa, nil), leaf(rsa, id)}},
			[]Pair{{Certificate: 1, LinkedBy: LinkedByLocalKeyID, Err: ErrMismatch}}},
		{"shrouded", Contents{Keys: []Key{{Shrouded: []byte{1}, LocalKeyID: id}}, Certificates: []Certificate{leaf(rsa, nil), leaf(ec, id)}},
			[]Pair{{Certificate: 1, LinkedBy: LinkedByLocalKeyID}}},
		{"key that the caller cannot parse", Contents{Keys: []Key{{PKCS8: []byte{1}, LocalKeyID: id}}, Certificates: []Certificate{leaf(ec, id)}},
			[]Pair{{Certificate: 0, LinkedBy: LinkedByLocalKeyID, Err: errParse}}},
		{"no certificate", Contents{Keys: []Key{key(rsa, nil)}, Certificates: []Certificate{{DER: rsa.authority}, {DER: []byte{0x30, 0}}}},
			[]Pair{{Certificate: -1, LinkedBy: LinkedByNothing}}},
		{"empty ids are no ids", Contents{Keys: []Key{key(rsa, []byte{})}, Certificates: []Certificate{leaf(ec, []byte{})}},
			[]Pair{{Certificate: -1, LinkedBy: LinkedByNothing}}},
	}
	publicKey := func(pkcs8 []byte) ([]byte, error) {
		if len(pkcs8) == 1 {
			return nil, errParse
		}
		return spkiOf(pkcs8)
	}
	for _, test := range tests {
		got := Match(&test.contents, publicKey)
		if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty(), cmpopts.EquateErrors()); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

var errParse = errors.New("no such key")

func TestPublicKey(t *testing.T) {
	for _, kind := range []string{"RSA", "P-256", "P-384", "Ed25519"} {
		id := newIdentity(t, kind)
		spki, err := PublicKey(id.leaf)
		must(t, err)
		if string(spki) != string(id.spki) {
			t.Errorf("%s: %x", kind, spki)
		}
		for length := range len(id.leaf) {
			if _, err := PublicKey(id.leaf[:length]); err == nil {
				t.Fatalf("%s: first %d bytes were accepted", kind, length)
			}
		}
	}
}

// Some writers leave the NULL of an RSA key out.
func TestSamePublicKeyForgivesNULL(t *testing.T) {
	build := func(parameters, bits string) []byte {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addOID(b, "1.2.840.113549.1.1.1")
				b.AddBytes(unhex(t, parameters))
			})
			b.AddASN1BitString([]byte(bits))
		})
		return b.BytesOrPanic()
	}
	for _, test := range []struct {
		one, other []byte
		same       bool
	}{
		{build("0500", "a"), build("", "a"), true},
		{build("0500", "a"), build("0500", "b"), false},
		{build("060101", "a"), build("060102", "a"), false},
		{build("060101", "a"), build("", "a"), false},
		{[]byte(strings.Repeat("x", 9)), []byte(strings.Repeat("x", 9)), false},
	} {
		if got := samePublicKey(test.one, test.other); got != test.same {
			t.Errorf("%x and %x: %v", test.one, test.other, got)
		}
	}
}
