package pfx

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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
		{"no certificate", Contents{Keys: []Key{key(rsa, nil)}, Certificates: []Certificate{{DER: rsa.authority}}},
			[]Pair{{Certificate: -1, LinkedBy: LinkedByNothing}}},
		{"a certificate that cannot be read", Contents{Keys: []Key{key(rsa, nil)}, Certificates: []Certificate{{DER: rsa.authority}, {DER: []byte{0x30, 0}}}},
			[]Pair{{Certificate: -1, LinkedBy: LinkedByNothing, Err: ErrNotCompared}}},
		{"contradiction, and a certificate that cannot be read", Contents{Keys: []Key{key(ec, id)}, Certificates: []Certificate{{DER: []byte{0x30, 0}}, leaf(rsa, id)}},
			[]Pair{{Certificate: 1, LinkedBy: LinkedByLocalKeyID, Err: ErrNotCompared}}},
		{"empty ids are no ids", Contents{Keys: []Key{key(rsa, []byte{})}, Certificates: []Certificate{leaf(ec, []byte{})}},
			[]Pair{{Certificate: -1, LinkedBy: LinkedByNothing}}},
	}
	for _, test := range tests {
		got := Match(&test.contents, func(pkcs8 []byte) (Comparison, error) {
			if len(pkcs8) == 1 {
				return Comparison{}, errParse
			}
			return comparer(&test.contents)(pkcs8)
		})
		if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty(), cmpopts.EquateErrors()); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

var errParse = errors.New("no such key")
