package token

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"p11bridge/token/pki"
)

// TestNameIndex: what is found by an index is what is found by a look at all of them, for names of one, of several and of none.
func TestNameIndex(t *testing.T) {
	var fingerprints []string
	for _, digits := range []string{"aaaaaaaa11", "aaaaaaaa22", "bbbbbbbb11"} {
		fingerprints = append(fingerprints, digits+strings.Repeat("0", 54))
	}
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
				fingerprint := rapid.SampledFrom(fingerprints).Draw(t, "fingerprint")
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
		for i, text := range inventory.ShortNames(among) {
			selector, err := ParseSelector(text)
			if err != nil {
				t.Fatal(err)
			}
			if found := selector.Select(among); len(found) != 1 || !sameIdentity(found[0], among[i]) {
				t.Fatalf("%q means %d identities, or another one", text, len(found))
			}
		}
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

// TestShortName: what is offered to be typed, of several names that would do.
func TestShortName(t *testing.T) {
	digest := strings.Repeat("0123456789abcdef", 4)
	object := func(class Class, label, id string) *Object {
		return &Object{Class: class, Attributes: AttributesOf(map[Attribute]Answer{CKALabel: {Value: []byte(label)}, CKAID: {Value: []byte(id)}})}
	}
	for _, row := range []struct{ name, label, id, want string }{
		{"a label", "alice", "\x01", "alice"},
		{"a label that another has", "twin", "\x01", "01"},
		{"a label and a CKA_ID that another has", "twin", "\x07", "sha256:0123456789abcdef"},
		{"a CKA_ID that is another's label", "", "\xaa", "sha256:0123456789abcdef"},
		{"a long label", strings.Repeat("x", 41), "", "sha256:0123456789abcdef"},
		{"a label of forty wide characters", strings.Repeat("字", 40), "", strings.Repeat("字", 40)},
		{"a long label and a short CKA_ID", strings.Repeat("x", 41), "\x01", "01"},
		{"a label that is read as a flag", "--all", "", "sha256:0123456789abcdef"},
		{"a label that is read as a fingerprint", "sha256:01234567", "", "sha256:0123456789abcdef"},
		{"a label with a blank at its end", "alice ", "", "sha256:0123456789abcdef"},
		{"a label that shows otherwise", "a\u200bb", "", "sha256:0123456789abcdef"},
		{"a label that is not UTF-8", "a\xffb", "", "sha256:0123456789abcdef"},
	} {
		one := Identity{PrivateKey: object(CKOPrivateKey, row.label, row.id), Certificate: &Certificate{Object: object(CKOCertificate, row.label, row.id), Parsed: &pki.Certificate{Fingerprint: digest}}}
		twin, named := Identity{PrivateKey: object(CKOPrivateKey, "twin", "\x07")}, Identity{PrivateKey: object(CKOPrivateKey, "aa", "")}
		if got := (&Inventory{}).ShortNames([]Identity{twin, named, one})[2]; got != row.want {
			t.Errorf("%s: %s and not %s", row.name, got, row.want)
		}
	}
}
