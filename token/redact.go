package token

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// Redaction replaces in snapshots what leads to a person. Whoever has the person's certificate knows its name, serial number,
// dates and public key, so that each of them would find the person in a snapshot. Stand-ins are made by a keyed hash. The key is
// random, for one document, and nobody keeps it. What was equal stays equal all over the document: links and ambiguities are
// judged as before.
type Redaction struct {
	key       []byte
	landmarks []time.Time
	names     map[string]foreign.Text
}

// What a Redaction does, as the document says it of itself.
var (
	redactionReplaced = []string{"token.label", "token.serial", "CKA_LABEL", "CKA_APPLICATION", "CKA_ID", "CKA_MODULUS", "CKA_PUBLIC_EXPONENT above 65537",
		"CKA_EC_POINT", "CKA_PUBLIC_KEY_INFO", "certificate.subject", "certificate.issuer", "certificate.serial", "certificate.sha256", "certificate.public_key.spki",
		"proven_public_key", "refuted_public_keys", "module.path outside of the system's directories"}
	redactionRounded = []string{"certificate.not_before", "certificate.not_after"}
	redactionLeft    = []string{"created", "module", "token.manufacturer", "token.model", "token versions, flags and limits", "mechanisms", "the number of objects and their order",
		"CKA_CLASS", "CKA_KEY_TYPE", "CKA_CERTIFICATE_TYPE", "CKA_EC_PARAMS", "every CK_BBOOL", "the length of keys", "certificate.purposes", "certificate.key_usage",
		"certificate.is_ca", "certificate_problem", "no_challenge", "which of the replaced values are equal"}
)

// RedactionNote is what a redacted document says of itself: which members were replaced by stand-ins, which were rounded to
// months, and what is left.
type RedactionNote struct {
	Replaced []string `json:"replaced"`
	Rounded  []string `json:"rounded"`
	Left     []string `json:"left"`
}

// Note gives a copy of what the document is to say.
func (*Redaction) Note() *RedactionNote {
	return &RedactionNote{slices.Clone(redactionReplaced), slices.Clone(redactionRounded), slices.Clone(redactionLeft)}
}

// NewRedaction readies a redaction of one document. The landmarks are the moments that a rounded date keeps its side of: what is
// judged by them stays as it is. The error is that of random.
func NewRedaction(random io.Reader, landmarks ...time.Time) (*Redaction, error) {
	r := &Redaction{key: make([]byte, sha256.Size), landmarks: landmarks, names: map[string]foreign.Text{}}
	if _, err := io.ReadFull(random, r.key); err != nil {
		return nil, fmt.Errorf("make a key for stand-ins: %w", err)
	}
	slices.SortFunc(r.landmarks, time.Time.Compare)
	return r, nil
}

// derive makes n octets that stand for a value.
func (r *Redaction) derive(what string, from []byte, n int) []byte {
	mac := hmac.New(sha256.New, r.key)
	mac.Write(from)
	// HKDF ends at 255 blocks, which is longer than any key.
	octets, err := hkdf.Expand(sha256.New, mac.Sum(nil), what, min(n, 255*sha256.Size))
	if err != nil {
		return make([]byte, n)
	}
	return append(octets, make([]byte, n-len(octets))...)
}

// name gives a name of ours, easily said on the telephone.
func (r *Redaction) name(kind, name string) foreign.Text {
	if name == "" {
		return ""
	}
	known, met := r.names[kind+name]
	if !met {
		known = foreign.Text(kind + "-" + strconv.Itoa(len(r.names)+1))
		r.names[kind+name] = known
	}
	return known
}

// digits gives hexadecimal digits in place of a number or a digest.
func (r *Redaction) digits(what, text string, octets int) string {
	if text == "" {
		return ""
	}
	return hex.EncodeToString(r.derive(what, []byte(text), octets))
}

// Redact replaces in an inventory whose objects Snapshot gave. The error is that of a public key that is not whole.
func (r *Redaction) Redact(inventory *Inventory) error {
	if path := inventory.Module.Path; !strings.HasPrefix(path, "/usr/") && !strings.HasPrefix(path, "/lib") {
		inventory.Module.Path = filepath.Base(path) // a home directory has a person's name
	}
	inventory.Token.Label, inventory.Token.Serial = r.name("token", string(inventory.Token.Label)), r.name("serial", string(inventory.Token.Serial))
	for _, o := range inventory.Objects {
		if err := r.RedactObject(o); err != nil {
			return err
		}
	}
	return nil
}

// RedactObject is Redact for one object that Snapshot gave. Objects come in their order, behind what their token is called.
func (r *Redaction) RedactObject(o *Object) error {
	if err := r.publicKey(o); err != nil {
		return err
	}
	var replaced gathered
	for a, answer := range o.Attributes.All() {
		if answer.Code == CKROK {
			answer.Value = r.attribute(a, answer.Value)
		}
		replaced = append(replaced, namedAnswer{a, answer})
	}
	o.Attributes = replaced.attributes()
	var err error
	if o.ProvenPublicKey, err = r.spki(o.ProvenPublicKey); err != nil {
		return err
	}
	refuted := o.RefutedPublicKeys
	o.RefutedPublicKeys = nil
	for _, spki := range refuted {
		if spki, err = r.spki(spki); err != nil {
			return err
		}
		o.RefutedPublicKeys = append(o.RefutedPublicKeys, spki)
	}
	if o.Certificate == nil {
		return nil
	}
	c := *o.Certificate
	c.Subject, c.Issuer = r.name("name", string(c.Subject)), r.name("name", string(c.Issuer))
	c.Serial, c.Fingerprint = r.digits("serial number", c.Serial, 8), r.digits("fingerprint", c.Fingerprint, sha256.Size)
	c.NotBefore, c.NotAfter = r.round(c.NotBefore), r.round(c.NotAfter)
	if len(c.PublicKey.SPKI) > 0 {
		if c.PublicKey, err = c.PublicKey.StandIn(r.derive); err != nil {
			return err
		}
	}
	o.Certificate = &c
	return nil
}

// redactedNumbers are the attributes that publicKey has set.
var redactedNumbers = []Attribute{CKAModulus, CKAPublicExponent, CKAECPoint, CKAPublicKeyInfo}

// publicKey replaces what a key object tells of its public key, so that it is the stand-in's. What is no key is replaced by what
// is none.
func (r *Redaction) publicKey(o *Object) error {
	set := func(a Attribute, value []byte) {
		if old, known := o.Attributes.Lookup(a); known && len(old) > 0 {
			o.Attributes.Set(a, Answer{Value: value})
		}
	}
	info := o.Attributes.Bytes(CKAPublicKeyInfo)
	known, readable := numbersOf(o)
	for _, a := range redactedNumbers {
		if value := o.Attributes.Bytes(a); !readable || a == CKAPublicKeyInfo {
			set(a, r.noKey(a, value))
		}
	}
	if key, err := pki.ParsePublicKey(info); err == nil {
		standIn, err := key.StandIn(r.derive)
		if err != nil {
			return err
		}
		set(CKAPublicKeyInfo, standIn.SPKI)
	}
	if !readable {
		return nil
	}
	standIn, err := known.StandIn(r.derive)
	if err != nil {
		return err
	}
	if modulus, exponent, err := standIn.RSANumbers(); err == nil {
		set(CKAModulus, modulus)
		set(CKAPublicExponent, exponent)
		return nil
	}
	point, err := standIn.Point()
	if err == nil {
		point, err = pki.OctetString(point)
	}
	set(CKAECPoint, point)
	return err
}

// numbersOf is the public key that an object's numbers tell.
func numbersOf(o *Object) (pki.PublicKey, bool) {
	only := &Object{Class: o.Class, Attributes: o.Attributes}
	only.Attributes.Delete(CKAPublicKeyInfo)
	return PublicKeyOf(only)
}

// noKey stands for what nobody can read as a key. No key begins so.
func (r *Redaction) noKey(a Attribute, value []byte) []byte {
	standIn := r.derive(a.String(), value, len(value))
	if len(standIn) > 0 {
		standIn[0] = 0xFF
	}
	if a == CKAModulus || a == CKAPublicExponent {
		clear(standIn) // any octets are a number, and zero is no modulus
	}
	return standIn
}

// attribute replaces what names somebody, and what has not the form of its kind: anything may be in it.
func (r *Redaction) attribute(a Attribute, value []byte) []byte {
	switch kind := attributeTable[a].kind; {
	case slices.Contains(redactedNumbers, a):
		return value
	case a == CKAID && len(value) > 0:
		const octets = 8
		return r.derive("CKA_ID", value, octets)
	case a == CKAECParams:
		if _, _, _, err := pki.ECParams(value); err != nil {
			return r.noKey(a, value)
		}
	case kind == kindText:
		return []byte(r.name("label", string(value)))
	case kind == kindBool && len(value) != 1, kind == kindUlong && len(value) != 4 && len(value) != 8:
		return make([]byte, len(value))
	}
	return value
}

func (r *Redaction) spki(spki []byte) ([]byte, error) {
	if len(spki) == 0 {
		return nil, nil
	}
	key, err := pki.ParsePublicKey(spki)
	if err != nil {
		key = pki.PublicKey{SPKI: spki}
	}
	standIn, err := key.StandIn(r.derive)
	return standIn.SPKI, err
}

// round gives the beginning of the month, or of the next one where a landmark lies in between. Where the landmarks are too close
// to each other for both, it gives the middle between them.
func (r *Redaction) round(date time.Time) time.Time {
	month := time.Date(date.Year(), date.Month(), 1, 0, 0, 0, 0, time.UTC)
	for _, rounded := range []time.Time{month, month.AddDate(0, 1, 0)} {
		if r.side(rounded) == r.side(date) {
			return rounded
		}
	}
	i := r.side(date) // between two landmarks, or a month would do
	earlier, later := r.landmarks[i-1], r.landmarks[i]
	return earlier.Add(later.Sub(earlier) / 2).Truncate(time.Second)
}

// side is the number of landmarks that a date comes after.
func (r *Redaction) side(date time.Time) int {
	return len(r.landmarks) - len(slices.DeleteFunc(slices.Clone(r.landmarks), func(l time.Time) bool { return l.Before(date) }))
}
