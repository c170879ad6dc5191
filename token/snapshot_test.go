package token

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// sameInventory compares all that a snapshot is to keep.
var sameInventory = cmp.Options{
	cmpopts.IgnoreUnexported(Object{}, Inventory{}), cmpopts.EquateEmpty(), cmp.AllowUnexported(Attributes{}),
	cmpopts.IgnoreFields(pki.Certificate{}, "Raw", "RawSubject", "RawIssuer", "SubjectKeyID", "AuthorityKeyID", "RawSAN"),
}

func snapshotOf(inventory *Inventory) *Inventory {
	snapshot := inventory.WithoutObjects()
	for _, o := range inventory.Objects {
		snapshot.Objects = append(snapshot.Objects, o.Snapshot())
	}
	return snapshot
}

func readBack(t interface {
	Helper()
	Fatal(...any)
}, inventory *Inventory) *Inventory {
	t.Helper()
	text, err := json.Marshal(inventory)
	if err != nil {
		t.Fatal(err)
	}
	again := &Inventory{}
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err, string(text))
	}
	second, err := json.Marshal(again)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, second) {
		t.Fatal(fmt.Sprintf("written\n%s\nread back and written again\n%s", text, second))
	}
	return again
}

// TestAttributesAreReadBack has every kind of answer for every attribute: as it should be, too short, too long, refused.
func TestAttributesAreReadBack(t *testing.T) {
	values := [][]byte{nil, {}, {0}, {1}, {2}, {0xFF}, []byte("text"), []byte("é\u202e\x1b\x00x"), []byte("raw\xff"), []byte("zero\x00"), bytes.Repeat([]byte{7}, 4), bytes.Repeat([]byte{7}, 8),
		bytes.Repeat([]byte{0xFF}, 8), binary.NativeEndian.AppendUint64(nil, 1<<63), bytes.Repeat([]byte{1}, 300)}
	codes := []CKR{CKRAttributeTypeInvalid, CKRAttributeSensitive, CKRGeneralError, 0x80000001, 0x2FF, 0x300, 1}
	for a := range attributeTable {
		for _, value := range values {
			checkAnswer(t, a, Answer{Value: value})
		}
		for _, code := range codes {
			checkAnswer(t, a, Answer{Code: code})
		}
	}
}

func checkAnswer(t *testing.T, a Attribute, answer Answer) {
	t.Helper()
	o := &Object{Class: CKOPrivateKey, Attributes: AttributesOf(map[Attribute]Answer{a: answer})}
	again := readBack(t, &Inventory{Objects: []*Object{o}})
	got, _ := again.Objects[0].Attributes.Answer(a)
	if !bytes.Equal(got.Value, answer.Value) || got.Code != answer.Code {
		t.Errorf("%s: %x %s is read back as %x %s", a, answer.Value, answer.Code, got.Value, got.Code)
	}
}

// TestInventoryIsReadBack: whatever a token tells, its snapshot tells the same.
func TestInventoryIsReadBack(t *testing.T) {
	var attributes []Attribute
	for a := range attributeTable {
		attributes = append(attributes, a)
	}
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Uint64()
		inventory := &Inventory{
			Module:   ModuleInfo{Path: rapid.String().Draw(t, "path"), Description: foreign.Text(rapid.String().Draw(t, "description"))},
			Token:    Info{Label: foreign.Text(rapid.String().Draw(t, "label")), Flags: Flags(number.Draw(t, "flags")), MaxSessions: Unknown, MaxPINLen: uint(number.Draw(t, "pin"))},
			LoggedIn: rapid.Bool().Draw(t, "logged in"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "mechanisms") {
			inventory.Mechanisms = append(inventory.Mechanisms, Mechanism{Type: CKM(number.Draw(t, "mechanism")), Wrap: rapid.Bool().Draw(t, "wrap")})
		}
		for range rapid.IntRange(0, 3).Draw(t, "objects") {
			o := &Object{Class: Class(rapid.OneOf(rapid.Uint64Range(0, 10), number).Draw(t, "class")), Attributes: Attributes{}}
			for range rapid.IntRange(0, 5).Draw(t, "attributes") {
				answer := Answer{Value: rapid.SliceOf(rapid.Byte()).Draw(t, "value")}
				if rapid.Bool().Draw(t, "refused") {
					answer = Answer{Code: CKR(rapid.Uint64Range(1, 1<<33).Draw(t, "code"))}
				}
				o.Attributes.Set(attributes[rapid.IntRange(0, len(attributes)-1).Draw(t, "attribute")], answer)
			}
			if o.Class == CKOCertificate {
				o.CertificateProblem = "problem"
			}
			o.Attributes.Set(CKAClass, classAnswer(o.Class))
			inventory.Objects = append(inventory.Objects, o)
		}
		again := readBack(t, inventory)
		if difference := cmp.Diff(inventory, again, sameInventory); difference != "" {
			t.Fatal(difference)
		}
		if !again.Sound() {
			t.Fatal("a snapshot of ours is not sound")
		}
	})
}

// planted are words that no snapshot may hold, in any of the forms that it is written in.
var planted = []byte("Geheimnis-1789")

func holdsPlanted(text []byte) bool {
	return bytes.Contains(text, planted) || bytes.Contains(bytes.ToLower(text), []byte(hex.EncodeToString(planted)))
}

func secretive() *Inventory {
	certificate := func(private bool) *Object {
		o := &Object{Class: CKOCertificate, Attributes: AttributesOf(map[Attribute]Answer{CKALabel: {Value: []byte("c")}, CKAPrivate: {Value: []byte{0}}, CKAValue: {Value: planted}}),
			Certificate: &pki.Certificate{PublicKey: pki.PublicKey{SPKI: []byte{0x30, 0}}, Raw: planted, RawSubject: planted, RawSAN: planted, Subject: "CN=c", NotAfter: time.Unix(0, 0).UTC(), NotBefore: time.Unix(0, 0).UTC()}}
		if private {
			o.Attributes.Set(CKAPrivate, Answer{Value: []byte{1}})
			o.Certificate.Subject, o.Certificate.Serial, o.Certificate.Fingerprint = foreign.Text("CN="+string(planted)), string(planted), string(planted)
		}
		return o
	}
	inventory := &Inventory{Objects: []*Object{
		{Class: CKOPrivateKey, Attributes: AttributesOf(map[Attribute]Answer{CKAValue: {Value: planted}})}, {Class: CKOSecretKey, Attributes: AttributesOf(map[Attribute]Answer{CKAValue: {Value: planted}})},
		{Class: CKOData, Attributes: AttributesOf(map[Attribute]Answer{CKAValue: {Value: planted}, CKAPrivate: {Value: []byte{1}}})}, certificate(false), certificate(true),
	}}
	for _, o := range inventory.Objects {
		o.Attributes.Set(CKAClass, classAnswer(o.Class))
	}
	return inventory
}

// classAnswer is CKA_CLASS as a token tells it: no object is without.
func classAnswer(class Class) Answer { return Answer{Value: ulong(CKAClass, uint(class)).Value} }

func TestSnapshotHoldsNoValue(t *testing.T) {
	inventory := secretive()
	original, err := json.Marshal(inventory)
	if err != nil || !holdsPlanted(original) {
		t.Fatalf("nothing was planted: %v", err)
	}
	snapshot := snapshotOf(inventory)
	text, err := json.Marshal(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if holdsPlanted(text) {
		t.Errorf("the snapshot holds what it must not:\n%s", text)
	}
	if after, err := json.Marshal(inventory); err != nil || !bytes.Equal(original, after) {
		t.Error("the inventory itself was changed")
	}
	if len(snapshot.Objects) != len(inventory.Objects) || !snapshot.Sound() {
		t.Error("an object was dropped")
	}
	if withheld := snapshot.Objects[4]; withheld.Certificate != nil || withheld.CertificateProblem == "" || withheld.Label() != "c" {
		t.Errorf("of a private certificate is kept: %s", text)
	}
}

// redactable is an inventory that has the planted word wherever there can be a name.
func redactable() *Inventory {
	named := func(label, subject, issuer string) *Object {
		o := &Object{Class: CKOCertificate, Attributes: AttributesOf(map[Attribute]Answer{CKALabel: {Value: []byte(label)}, CKAID: {Value: []byte{1}}}),
			Certificate: &pki.Certificate{Subject: foreign.Text(subject), Issuer: foreign.Text(issuer), Serial: string(planted) + issuer, Fingerprint: string(planted), IsCA: true}}
		switch {
		case label == "":
			o.Certificate.Fingerprint = ""
		case strings.HasSuffix(label, "2"):
			o.Attributes.Set(CKAID, Answer{Value: planted})
		}
		return o
	}
	word := string(planted)
	return &Inventory{Module: ModuleInfo{Path: "/home/" + word + "/module.so"}, Token: Info{Label: foreign.Text(word), Serial: foreign.Text(word), Manufacturer: "maker"}, Objects: []*Object{
		named(word, "CN="+word, "CN=ca "+word), named(word, "CN="+word, "CN="+word), named(word+"2", "CN=2 "+word, "CN=ca "+word), named("", "", ""),
		{Class: CKOData, Attributes: AttributesOf(map[Attribute]Answer{CKALabel: {Value: []byte(word)}, CKAApplication: {Value: []byte(word)}})},
		{Class: CKOData, Attributes: AttributesOf(map[Attribute]Answer{CKALabel: {Value: append([]byte{0xFF}, planted...)}, CKAApplication: {Code: CKRAttributeTypeInvalid}})},
		{Class: CKOPrivateKey, Attributes: AttributesOf(map[Attribute]Answer{CKAModulus: {Value: planted}, CKAPublicKeyInfo: {Value: planted}, CKAECPoint: {Value: planted}, CKAECParams: {Value: planted},
			CKASensitive: {Value: planted}, CKAKeyType: {Value: planted}}), ProvenPublicKey: planted, RefutedPublicKeys: [][]byte{planted}},
	}}
}

func TestRedact(t *testing.T) {
	inventory := redactable()
	snapshot := snapshotOf(inventory)
	original, err := json.Marshal(inventory)
	if err != nil {
		t.Fatal(err)
	}
	redaction := redact(t, snapshot)
	text, err := json.Marshal(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if holdsPlanted(text) {
		t.Errorf("a name is left:\n%s", text)
	}
	if after, err := json.Marshal(inventory); err != nil || !bytes.Equal(original, after) {
		t.Error("the inventory itself was changed")
	}
	o := snapshot.Objects
	if o[0].Label() != o[1].Label() || o[0].Label() == o[2].Label() || o[0].Label() == "" || o[3].Label() != "" || o[0].Label() != o[4].Label() {
		t.Errorf("equal labels are not equal any more, or others are: %s", text)
	}
	a, b, c := o[0].Certificate, o[1].Certificate, o[2].Certificate
	if a.Subject != b.Subject || a.Subject == c.Subject || a.Issuer != c.Issuer || a.Issuer == b.Issuer || b.Subject != b.Issuer || a.Subject == "" {
		t.Errorf("equal names are not equal any more, or others are: %s", text)
	}
	if !a.IsCA || snapshot.Token.Manufacturer != "maker" || snapshot.Module.Path != "module.so" {
		t.Errorf("more than what leads to a person is gone, or less: %s", text)
	}
	if string(o[0].ID()) == "\x01" || !bytes.Equal(o[0].ID(), o[1].ID()) || bytes.Equal(o[0].ID(), o[2].ID()) || len(o[4].ID()) != 0 {
		t.Errorf("equal CKA_IDs are not equal any more, or others are: %s", text)
	}
	if a.Serial == b.Serial || a.Fingerprint != b.Fingerprint || len(a.Fingerprint) != 64 || o[3].Certificate.Fingerprint != "" {
		t.Errorf("serial numbers or fingerprints: %s", text)
	}
	second := snapshotOf(inventory)
	if err := redaction.Redact(second); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(second); err != nil || !bytes.Equal(text, again) {
		t.Error("the same token has other stand-ins in the same document")
	}
	third := snapshotOf(inventory)
	redact(t, third)
	if bytes.Equal(third.Objects[0].ID(), o[0].ID()) {
		t.Error("two documents have the same stand-ins")
	}
	if _, known := o[5].Attributes.Lookup(CKAApplication); known {
		t.Error("what was not told has a name now")
	}
}

// redact redacts by a redaction of its own, and gives it.
func redact(t interface {
	Helper()
	Fatal(...any)
}, inventory *Inventory) *Redaction {
	t.Helper()
	redaction, err := NewRedaction(rand.Reader)
	if err == nil {
		err = redaction.Redact(inventory)
	}
	if err != nil {
		t.Fatal(err)
	}
	return redaction
}

// TestRoundedDates: a date is a month's beginning or lies in the middle between two landmarks, and stays on its side of each.
func TestRoundedDates(t *testing.T) {
	now := time.Date(2026, 11, 26, 16, 35, 46, 0, time.UTC)
	redaction, err := NewRedaction(rand.Reader, now.AddDate(0, 0, -30), now)
	if err != nil {
		t.Fatal(err)
	}
	middle := now.AddDate(0, 0, -15)
	rapid.Check(t, func(t *rapid.T) {
		date := now.Add(time.Duration(rapid.Int64Range(-100*24*3600, 100*24*3600).Draw(t, "seconds")) * time.Second)
		rounded := redaction.round(date)
		for _, landmark := range redaction.landmarks {
			if landmark.Before(date) != landmark.Before(rounded) {
				t.Fatalf("%s is rounded to %s, and %s lies between", date, rounded, landmark)
			}
		}
		if !rounded.Equal(middle) && (rounded.Day() != 1 || !rounded.Equal(rounded.Truncate(24*time.Hour)) || rounded.Sub(date).Abs() > 31*24*time.Hour) {
			t.Fatalf("%s is rounded to %s", date, rounded)
		}
	})
}

func TestUnmarshalRefuses(t *testing.T) {
	attribute := func(text string) string { return `{"objects":[{"class":"CKO_DATA","attributes":` + text + `}]}` }
	for name, text := range map[string]string{
		"unknown attribute":        attribute(`{"CKA_COLOUR":true}`),
		"attribute by number":      attribute(`{"CKA_0x00000100":1}`),
		"boolean as text":          attribute(`{"CKA_SENSITIVE":"true"}`),
		"boolean as number":        attribute(`{"CKA_SENSITIVE":1}`),
		"number as text":           attribute(`{"CKA_KEY_TYPE":"0"}`),
		"negative number":          attribute(`{"CKA_KEY_TYPE":-1}`),
		"number with a fraction":   attribute(`{"CKA_KEY_TYPE":1.5}`),
		"number beyond 64 bits":    attribute(`{"CKA_KEY_TYPE":18446744073709551616}`),
		"null boolean":             attribute(`{"CKA_SENSITIVE":null}`),
		"null number":              attribute(`{"CKA_KEY_TYPE":null}`),
		"null text":                attribute(`{"CKA_LABEL":null}`),
		"null bytes":               attribute(`{"CKA_ID":null}`),
		"half a byte":              attribute(`{"CKA_ID":"0"}`),
		"no hexadecimal":           attribute(`{"CKA_ID":"xx"}`),
		"no hexadecimal, by force": attribute(`{"CKA_SENSITIVE":{"hex":"xx"}}`),
		"unknown return value":     attribute(`{"CKA_SENSITIVE":{"ckr":"CKR_COLOUR"}}`),
		"a return value too large": attribute(`{"CKA_SENSITIVE":{"ckr":"CKR_0x10000000000000000"}}`),
		"another object":           attribute(`{"CKA_SENSITIVE":{}}`),
		"a list":                   attribute(`{"CKA_ID":[1]}`),
		"attributes as a list":     attribute(`[]`),
		"unknown class":            `{"objects":[{"class":"CKO_COLOUR"}]}`,
		"class as a number":        `{"objects":[{"class":1}]}`,
		"class too large":          `{"objects":[{"class":"CKO_0x10000000000000000"}]}`,
		"unknown mechanism":        `{"mechanisms":[{"mechanism":"CKM_COLOUR"}]}`,
		"a flag as text":           `{"token":{"flags":"CKF_RNG"}}`,
	} {
		inventory := &Inventory{}
		if err := json.Unmarshal([]byte(text), inventory); err == nil {
			again, _ := json.Marshal(inventory)
			t.Errorf("%s is taken, as\n%s", name, again)
		} else if strings.Contains(name, "attribute") && !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSound(t *testing.T) {
	for name, text := range map[string]string{
		"an object that is null":              `{"objects":[null]}`,
		"no attributes":                       `{"objects":[{"class":"CKO_DATA"}]}`,
		"attributes that are null":            `{"objects":[{"class":"CKO_DATA","attributes":null}]}`,
		"a certificate without any":           `{"objects":[{"class":"CKO_CERTIFICATE","attributes":{}}]}`,
		"a certificate that is null":          `{"objects":[{"class":"CKO_CERTIFICATE","attributes":{},"certificate":null}]}`,
		"an object without a class":           `{"objects":[{"attributes":{}}]}`,
		"a class that is not the attribute's": `{"objects":[{"class":"CKO_DATA","attributes":{"CKA_CLASS":3}}]}`,
	} {
		inventory := &Inventory{}
		if err := json.Unmarshal([]byte(text), inventory); err == nil && inventory.Sound() {
			t.Errorf("%s is called sound", name)
		}
	}
	if !(&Inventory{}).Sound() {
		t.Error("an empty token is not sound")
	}
	if (&Inventory{Objects: make([]*Object, maxSnapshotObjects+1)}).Sound() {
		t.Error("too many objects are sound")
	}
}

// FuzzReadInventory reads whatever may stand in a snapshot. What is taken and sound can be put together, written, and read
// back to the same; nothing panics.
func FuzzReadInventory(f *testing.F) {
	for _, inventory := range []*Inventory{{}, snapshotOf(secretive()), {Mechanisms: []Mechanism{{Type: CKMAESCBCPad, Wrap: true}, {Type: 0x80000001}}}} {
		text, err := json.Marshal(inventory)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"objects":[{"class":"CKO_PRIVATE_KEY","attributes":{"CKA_KEY_TYPE":3,"CKA_ID":"01","CKA_EC_PARAMS":{"ckr":"CKR_GENERAL_ERROR"},"CKA_LABEL":{"hex":"ff00"}},"proven_public_key":"AA=="}]}`))
	f.Add([]byte(`{"objects":[{"class":"CKO_CERTIFICATE","attributes":{},"certificate":{"subject":"CN=x","public_key":{"spki":"MAA="}}},null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		inventory := &Inventory{}
		if json.Unmarshal(text, inventory) != nil || !inventory.Sound() {
			return
		}
		for _, identity := range inventory.Identities() {
			if len(identity.Objects()) == 0 {
				t.Fatal("an identity of nothing")
			}
		}
		readBack(t, inventory)
		snapshot := snapshotOf(inventory)
		if redact(t, snapshot); len(snapshot.Identities()) != len(inventory.Identities()) {
			t.Fatal("a redacted snapshot has other identities")
		}
		readBack(t, snapshot)
	})
}
