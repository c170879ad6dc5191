package token

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"p11bridge/token/foreign"
	"p11bridge/token/pki"
	"p11bridge/token/pki/pkitest"
)

// specimen is an object in short: its class, the name by which the test tells it, its CKA_ID, and the key that it tells.
type specimen struct {
	class Class
	name  string
	id    string
	key   string // empty for an object that tells no key
	odd   func(*Object)
}

func (s specimen) object() *Object {
	o := &Object{Class: s.class, Attributes: AttributesOf(map[Attribute]Answer{CKALabel: {Value: []byte(s.name)}})}
	if s.id != "" {
		o.Attributes.Set(CKAID, Answer{Value: []byte(s.id)})
	}
	switch {
	case s.class == CKOCertificate && s.key == "":
		o.CertificateProblem = "unreadable"
	case s.class == CKOCertificate:
		o.Certificate = &pki.Certificate{Subject: foreign.Text(s.name), PublicKey: pkitest.PublicKey(s.key)}
	default:
		o.Attributes.Set(CKAKeyType, Answer{Value: binary.NativeEndian.AppendUint64(nil, uint64(CKKEC))})
		if s.key != "" {
			o.Attributes.Set(CKAPublicKeyInfo, Answer{Value: pkitest.PublicKey(s.key).SPKI})
		}
	}
	if s.odd != nil {
		s.odd(o)
	}
	return o
}

func ofType(keyType KeyType) func(*Object) {
	return func(o *Object) {
		o.Attributes.Set(CKAKeyType, Answer{Value: binary.NativeEndian.AppendUint64(nil, uint64(keyType))})
	}
}

// onP384 has an object tell secp384r1 as its curve.
func onP384(o *Object) {
	o.Attributes.Set(CKAECParams, Answer{Value: []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}})
}

func refuted(key string) func(*Object) {
	return func(o *Object) { o.RefutedPublicKeys = [][]byte{pkitest.PublicKey(key).SPKI} }
}

func hasAnswered(o *Object) { o.Answered = true }

// same makes certificates of one name the same certificate.
func same(o *Object) { o.Certificate.Fingerprint = "the same" }

func extractable(o *Object) { o.Attributes.Set(CKAExtractable, Answer{Value: []byte{1}}) }

func proven(key string) func(*Object) {
	return func(o *Object) { o.ProvenPublicKey = pkitest.PublicKey(key).SPKI }
}

const (
	private = CKOPrivateKey
	public  = CKOPublicKey
	cert    = CKOCertificate
)

// summary is an identity in one line: "private+certificate+public link", with "=name" for a copy, "~name" for a mismatch
// and "?name" for a key that it may be.
func summary(i Identity) string {
	var names []string
	for _, o := range i.Objects() {
		names = append(names, string(o.Label()))
	}
	text := strings.Join(names, "+") + " " + string(i.LinkedBy)
	for _, o := range i.Copies {
		text += " =" + string(o.Label())
	}
	if i.Mismatch != nil {
		text += " ~" + string(i.Mismatch.Label())
	}
	if i.Possible != nil {
		text += " ?" + string(i.Possible.Label())
	}
	return text
}

// identityRows are objects, and the identities that they are taken for.
var identityRows = []struct {
	name      string
	specimens []specimen
	want      []string
}{
	{"nothing", nil, nil},
	{"a key that tells its public half", []specimen{{private, "k", "1", "A", nil}, {cert, "c", "1", "A", nil}, {public, "p", "1", "A", nil}}, []string{"k+c+p public-key"}},
	{"the public key proves, whatever the CKA_ID", []specimen{{private, "k", "1", "A", nil}, {cert, "c", "2", "A", nil}, {public, "p", "", "A", nil}}, []string{"k+c+p public-key"}},
	{"CKA_ID alone", []specimen{{private, "k", "1", "", nil}, {cert, "c", "1", "A", nil}}, []string{"k+c id"}},
	{"CKA_ID and a public key that agrees with the certificate", []specimen{{private, "k", "1", "", nil}, {cert, "c", "1", "A", nil}, {public, "p", "1", "A", nil}}, []string{"k+c+p id"}},
	{"no CKA_ID links nothing", []specimen{{private, "k", "", "", nil}, {cert, "c", "", "A", nil}}, []string{"k none ?c", "c none ?k"}},
	{"missing certificate", []specimen{{private, "k", "1", "A", nil}, {public, "p", "1", "A", nil}}, []string{"k+p public-key"}},
	{"missing certificate, linked by CKA_ID", []specimen{{private, "k", "1", "", nil}, {public, "p", "1", "A", nil}}, []string{"k+p id"}},
	{"missing public key", []specimen{{private, "k", "1", "A", nil}, {cert, "c", "1", "A", nil}}, []string{"k+c public-key"}},
	{"missing private key", []specimen{{public, "p", "1", "A", nil}, {cert, "c", "1", "A", nil}}, []string{"c+p none"}},
	{"a key alone", []specimen{{private, "k", "1", "", nil}}, []string{"k none"}},
	{"a key alone that tells its public half", []specimen{{private, "k", "1", "A", nil}}, []string{"k none"}},
	{"a public key alone", []specimen{{public, "p", "1", "", nil}}, []string{"p none"}},
	{"one key, two certificates", []specimen{{private, "k", "1", "A", nil}, {cert, "old", "1", "A", nil}, {cert, "new", "1", "A", nil}, {public, "p", "1", "A", nil}},
		[]string{"k+old+p public-key", "k+new+p public-key"}},
	{"one key, two certificates, by CKA_ID", []specimen{{private, "k", "1", "", nil}, {cert, "old", "1", "A", nil}, {cert, "new", "1", "A", nil}}, []string{"k+old id", "k+new id"}},
	{"one CKA_ID, two keys that tell", []specimen{{private, "k", "1", "A", nil}, {private, "l", "1", "B", nil}, {cert, "c", "1", "B", nil}, {cert, "d", "1", "A", nil}},
		[]string{"k+d public-key", "l+c public-key"}},
	{"one CKA_ID, two keys that a signature told", []specimen{{private, "k", "1", "", proven("A")}, {private, "l", "1", "", proven("B")}, {cert, "c", "1", "B", nil}, {cert, "d", "1", "A", nil}},
		[]string{"k+d signature", "l+c signature"}},
	{"one CKA_ID, two keys of which nothing is known", []specimen{{private, "k", "1", "", nil}, {private, "l", "1", "", nil}, {cert, "c", "1", "B", nil}, {cert, "d", "1", "A", nil}},
		[]string{"k none ?c", "l none ?c", "c none ?k", "d none ?k"}}, // a mismatch is a key that is known to be another

	{"one CKA_ID, one key, and certificates of two", []specimen{{private, "k", "1", "", nil}, {cert, "c", "1", "A", nil}, {cert, "d", "1", "B", nil}},
		[]string{"k none ?c", "c none ?k", "d none ?k"}},
	{"one CKA_ID and one certificate for two keys", []specimen{{private, "k", "1", "", nil}, {private, "l", "1", "", nil}, {cert, "c", "1", "A", nil}},
		[]string{"k none ?c", "l none ?c", "c none ?k"}},
	{"another CKA_ID, and a key that did not show whose it is", []specimen{{private, "k", "1", "", nil}, {cert, "c", "2", "A", nil}}, []string{"k none ?c", "c none ?k"}},
	{"another CKA_ID, and a key that answered and is none of these", []specimen{{private, "k", "1", "", hasAnswered}, {cert, "c", "2", "A", nil}}, []string{"k none", "c none"}},
	{"another CKA_ID, and a key on another curve", []specimen{{private, "k", "1", "", onP384}, {cert, "c", "2", "A", nil}}, []string{"k none", "c none"}},
	{"another CKA_ID, and a key for another thing", []specimen{{private, "k", "1", "", ofType(2)}, {cert, "c", "2", "A", nil}}, []string{"k none", "c none"}}, // CKK_DH
	{"another CKA_ID, and a key of a vendor's type", []specimen{{private, "k", "1", "", ofType(0x80000001)}, {cert, "c", "2", "A", nil}}, []string{"k none ?c", "c none ?k"}},
	{"another CKA_ID, and a key that is another certificate's by CKA_ID", []specimen{{private, "k", "1", "", nil}, {cert, "c", "2", "A", nil}, {cert, "d", "1", "B", nil}}, []string{"k+d id", "c none"}},
	{"another CKA_ID, and two keys of which one has it", []specimen{{private, "k", "1", "", nil}, {private, "l", "2", "", refuted("B")}, {private, "m", "2", "", nil}, {cert, "c", "2", "A", nil}},
		[]string{"k none ?c", "l none ?c", "m none ?c", "c none ?l"}},
	{"a public key, and a key that did not show whose it is", []specimen{{private, "k", "1", "", nil}, {public, "p", "2", "A", nil}}, []string{"k none", "p none ?k"}},
	{"a signature settles one of two", []specimen{{private, "k", "1", "", proven("A")}, {private, "l", "1", "", nil}, {cert, "c", "1", "A", nil}},
		[]string{"k+c signature", "l none ?c"}}, // the certificate's key is known: l is not linked by its CKA_ID, and may be a copy of k
	{"a signature settles one of two, whatever the order", []specimen{{cert, "c", "1", "A", nil}, {private, "l", "1", "", nil}, {private, "k", "1", "", proven("A")}},
		[]string{"l none ?c", "k+c signature"}},
	{"a copy under another CKA_ID that does not show whose it is", []specimen{{private, "k", "1", "A", nil}, {private, "l", "2", "", nil}, {cert, "c", "1", "A", nil}},
		[]string{"k+c public-key", "l none ?c"}},
	{"a copy of a key that is linked by CKA_ID", []specimen{{private, "k", "1", "", nil}, {private, "l", "2", "", nil}, {cert, "c", "1", "A", nil}}, []string{"k+c id", "l none ?c"}},
	{"a certificate that no other key has comes before another key's", []specimen{{private, "k", "1", "A", nil}, {private, "l", "1", "", nil}, {cert, "c", "1", "A", nil}, {cert, "d", "2", "B", nil}},
		[]string{"k+c public-key", "l none ?d", "d none ?l"}},
	{"another key's certificate, and a key on another curve", []specimen{{private, "k", "1", "A", nil}, {private, "l", "1", "", onP384}, {cert, "c", "1", "A", nil}}, []string{"k+c public-key", "l none"}},
	{"another key's certificate, and a key that answered", []specimen{{private, "k", "1", "A", nil}, {private, "l", "1", "", hasAnswered}, {cert, "c", "1", "A", nil}}, []string{"k+c public-key", "l none"}},
	{"a signature that refutes", []specimen{{private, "k", "1", "", refuted("A")}, {cert, "c", "1", "A", nil}}, []string{"k none", "c none ~k"}},
	{"a refuted key leaves its certificate to the other", []specimen{{private, "k", "1", "", refuted("A")}, {private, "l", "1", "", nil}, {cert, "c", "1", "A", nil}},
		[]string{"k none", "l+c id"}},
	{"one of two certificates refuted", []specimen{{private, "k", "1", "", refuted("A")}, {cert, "c", "1", "A", nil}, {cert, "d", "1", "B", nil}},
		[]string{"k+d id", "c none ~k"}},
	{"a signature, and another CKA_ID", []specimen{{private, "k", "1", "", proven("A")}, {cert, "c", "2", "A", nil}}, []string{"k+c signature"}},
	{"a certificate twice", []specimen{{private, "k", "1", "A", nil}, {cert, "c", "1", "A", same}, {cert, "d", "2", "A", same}}, []string{"k+c public-key =d"}},
	{"a certificate twice, and no private key", []specimen{{cert, "c", "1", "A", same}, {cert, "d", "2", "A", same}}, []string{"c none =d"}},
	{"a key twice, one of them free to leave", []specimen{{private, "k", "1", "A", nil}, {private, "l", "2", "A", extractable}, {cert, "c", "1", "A", nil}},
		[]string{"l+c public-key =k"}},
	{"one CKA_ID, and another key", []specimen{{private, "k", "1", "A", nil}, {cert, "c", "1", "B", nil}}, []string{"k none", "c none ~k"}},
	{"CKA_ID, and another type", []specimen{{private, "k", "1", "", ofType(CKKRSA)}, {cert, "c", "1", "A", nil}}, []string{"k none", "c none ~k"}},
	{"CKA_ID, and another curve", []specimen{{private, "k", "1", "", onP384}, {cert, "c", "1", "A", nil}}, []string{"k none", "c none ~k"}},
	{"CKA_ID, and a type that was not told", []specimen{{private, "k", "1", "", func(o *Object) { o.Attributes.Delete(CKAKeyType) }}, {cert, "c", "1", "A", nil}}, []string{"k+c id"}},
	{"a public key twice", []specimen{{private, "k", "1", "A", nil}, {public, "p", "1", "A", nil}, {public, "q", "2", "A", nil}}, []string{"k+p public-key =q"}},
	{"a public key twice, and no private key", []specimen{{public, "p", "1", "A", nil}, {public, "q", "1", "A", nil}, {cert, "c", "1", "A", nil}}, []string{"c+p none =q"}},
	{"two certificates of one key, and no private key", []specimen{{cert, "c", "1", "A", nil}, {cert, "d", "1", "A", nil}}, []string{"c none", "d none"}},
	{"a private key twice", []specimen{{private, "k", "1", "A", nil}, {private, "l", "2", "A", nil}, {cert, "c", "1", "A", nil}}, []string{"k+c public-key =l"}},
	{"a key whose own public half a signature refuted", []specimen{{private, "k", "1", "A", refuted("A")}, {private, "l", "2", "A", nil}, {cert, "c", "1", "A", nil}},
		[]string{"k none", "l+c public-key"}},
	{"an unreadable certificate", []specimen{{private, "k", "1", "A", nil}, {cert, "c", "1", "", nil}}, []string{"k none", "c none"}},
	{"other objects are no identities", []specimen{{CKOSecretKey, "s", "1", "", nil}, {CKOData, "d", "1", "", nil}, {private, "k", "1", "A", nil}}, []string{"k none"}},
}

func TestIdentities(t *testing.T) {
	for _, row := range identityRows {
		t.Run(row.name, func(t *testing.T) {
			inventory := &Inventory{}
			for _, s := range row.specimens {
				inventory.Objects = append(inventory.Objects, s.object())
			}
			var got []string
			for _, identity := range inventory.Identities() {
				got = append(got, summary(identity))
			}
			if difference := cmp.Diff(row.want, got); difference != "" {
				t.Error(difference)
			}
		})
	}
}

// drawInventory makes a token with whatever may be on one.
func drawInventory(t *rapid.T) *Inventory {
	inventory := &Inventory{Token: Info{Label: "token", Serial: "1"}}
	for i := range rapid.IntRange(0, 12).Draw(t, "objects") {
		s := specimen{
			class: rapid.SampledFrom([]Class{private, public, cert, CKOSecretKey, CKOData, unknownClass}).Draw(t, "class"),
			name:  fmt.Sprint(i), id: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "id"), key: rapid.SampledFrom([]string{"", "A", "B", "C"}).Draw(t, "key"),
		}
		switch rapid.IntRange(0, 8).Draw(t, "odd") {
		case 0:
			s.odd = ofType(CKKRSA)
		case 1:
			s.odd = func(o *Object) { o.Attributes.Delete(CKAKeyType) }
		case 2, 3:
			if s.class == private {
				s.odd, s.key = proven("A"), ""
			}
		case 4:
			if s.class == private {
				s.odd = refuted("A")
			}
		case 5:
			if s.class == cert && s.key != "" {
				s.odd = same
				s.key = "A"
			}
		}
		inventory.Objects = append(inventory.Objects, s.object())
	}
	return inventory
}

// TestNothingIsDropped: whatever a token holds, every certificate, every private key and every public key is in some
// identity. No pair of a private key and a certificate is there twice, what is linked by the public key or a signature has
// the same one, and a key is said to be without a certificate only where an export would look for none.
func TestNothingIsDropped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inventory := drawInventory(t)
		found, pairs := map[*Object]int{}, map[[2]*Object]bool{}
		for _, identity := range inventory.Identities() {
			objects := identity.named()
			if len(objects) == 0 {
				t.Fatal("an identity of nothing")
			}
			for _, o := range objects {
				found[o]++
				if !slices.Contains(inventory.Objects, o) {
					t.Fatal("an identity of an object that is not there")
				}
			}
			if identity.PrivateKey != nil && identity.Certificate != nil {
				pair := [2]*Object{identity.PrivateKey, identity.Certificate.Object}
				if pairs[pair] {
					t.Fatalf("%s is there twice", summary(identity))
				}
				pairs[pair] = true
			}
			checkLink(t, identity)
			if key := identity.PrivateKey; key != nil && len(identity.Public.SPKI) == 0 && (identity.Possible != nil) != inventory.MayHaveCertificate(key) {
				t.Fatalf("%s: an export looks for its certificate: %t", summary(identity), inventory.MayHaveCertificate(key))
			}
		}
		for _, o := range inventory.Objects {
			if is := o.Class == public || o.Class == private || o.Class == cert; is && found[o] == 0 || !is && found[o] > 0 {
				t.Fatalf("%s %s is in %d identities", o.Class, o.Label(), found[o])
			}
		}
	})
}

// TestOrderOfObjects: what belongs together does not depend on the order in which a token lists its objects.
func TestOrderOfObjects(t *testing.T) {
	together := func(inventory *Inventory) []string {
		var all []string
		for _, identity := range inventory.Identities() {
			var names []string
			for _, o := range identity.named() {
				names = append(names, string(o.Label()))
			}
			slices.Sort(names)
			all = append(all, strings.Join(names, "+")+" "+string(identity.LinkedBy))
		}
		slices.Sort(all)
		return all
	}
	rapid.Check(t, func(t *rapid.T) {
		inventory := drawInventory(t)
		other := &Inventory{Objects: rapid.Permutation(inventory.Objects).Draw(t, "order")}
		if difference := cmp.Diff(together(inventory), together(other)); difference != "" {
			t.Fatal(difference)
		}
	})
}

// TestEveryNameNamesOne: the URI that an identity is given selects it, and nothing else, also among objects without a name and
// among those that have the same one.
func TestEveryNameNamesOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inventory := drawInventory(t)
		for _, o := range inventory.Objects {
			label := rapid.SampledFrom([]string{"", "alike", "alike\x00", "\xff", "other", strings.Repeat("long", maxURI)}).Draw(t, "label")
			o.Attributes.Set(CKALabel, Answer{Value: []byte(label)})
			if rapid.IntRange(0, 4).Draw(t, "long id") == 0 {
				o.Attributes.Set(CKAID, Answer{Value: bytes.Repeat([]byte{7}, maxURI)})
			}
		}
		identities := inventory.Identities()
		for i, text := range inventory.URIs(identities) {
			selector, err := ParseSelector(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			selected := selector.Select(identities)
			if len(selected) != 1 || !slices.Equal(selected[0].named(), identities[i].named()) {
				t.Fatalf("%s selects %d identities", text, len(selected))
			}
		}
	})
}

func checkLink(t *rapid.T, identity Identity) {
	if identity.PrivateKey == nil || identity.LinkedBy == LinkedByNone {
		return
	}
	if c := identity.Certificate; c != nil && !c.Parsed.PublicKey.Equal(identity.Public) {
		t.Fatalf("%s: the certificate has another key", summary(identity))
	}
	own, known := PublicKeyOf(identity.PrivateKey)
	switch {
	case identity.Proven() && (!known || !own.Equal(identity.Public)):
		t.Fatalf("%s: nothing proves the link", summary(identity))
	case identity.LinkedBy == LinkedByID && known:
		t.Fatalf("%s: linked by CKA_ID, and the key tells its public half", summary(identity))
	}
}
