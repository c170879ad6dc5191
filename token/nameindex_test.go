package token

import (
	"encoding/hex"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"p11bridge/token/pki"
)

// TestNameIndex: what is found by an index is what is found by a look at all of them, for names of one, of several and of none.
func TestNameIndex(t *testing.T) {
	word := rapid.StringMatching(`[aA1\x00]{0,2}`)
	rapid.Check(t, func(t *rapid.T) {
		var among []Identity
		for range rapid.IntRange(0, 6).Draw(t, "identities") {
			object := func(class Class) *Object {
				return &Object{Class: class, Attributes: AttributesOf(map[Attribute]Answer{
					CKALabel: {Value: []byte(word.Draw(t, "label"))}, CKAID: {Value: []byte(word.Draw(t, "id"))},
				})}
			}
			identity := Identity{PrivateKey: object(CKOPrivateKey)}
			if rapid.Bool().Draw(t, "certificate") {
				fingerprint := rapid.SampledFrom([]string{"aaaaaaaa11", "aaaaaaaa22", "bbbbbbbb11"}).Draw(t, "fingerprint")
				identity.Certificate = &Certificate{Object: object(CKOCertificate), Parsed: &pki.Certificate{Fingerprint: fingerprint}}
			}
			among = append(among, identity)
		}
		index := NewNameIndex(among)
		for _, name := range []string{word.Draw(t, "name"), hex.EncodeToString([]byte(word.Draw(t, "hex"))), "sha256:aaaaaaaa", "sha256:aaaaaaaa22", "sha256:cccccccc", "pkcs11:type=cert"} {
			selector, err := ParseSelector(name)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := index.Select(selector), selector.Select(among); !slices.EqualFunc(got, want, sameIdentity) {
				t.Fatalf("%q: %d and not %d identities", name, len(got), len(want))
			}
		}
		inventory := &Inventory{}
		for i, text := range inventory.URIs(among) {
			uri, err := ParseURI(text)
			if err != nil {
				t.Fatal(err)
			}
			if found := (&Selector{URI: uri}).Select(among); len(found) != 1 || !sameIdentity(found[0], among[i]) {
				t.Fatalf("%s names %d identities, or another one", text, len(found))
			}
		}
	})
}

func sameIdentity(a, b Identity) bool { return slices.Equal(a.Objects(), b.Objects()) }

// TestURIWithoutLabel: a URI leaves out what its object has not, where that is enough.
func TestURIWithoutLabel(t *testing.T) {
	key := &Object{Class: CKOPrivateKey, Attributes: AttributesOf(map[Attribute]Answer{CKAID: {Value: []byte{1}}})}
	if got := (&Inventory{Token: Info{Label: "t"}}).URIs([]Identity{{PrivateKey: key}})[0]; got != "pkcs11:token=t;type=private;id=%01" {
		t.Error(got)
	}
}
