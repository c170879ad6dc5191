// Package view is what text, JSON and pages show of tokens, identities, verdicts and backups, the same for all commands. A field
// of JSON once published keeps its name and its meaning; docs/schema describes them.
package view

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// The views are what --json shows. A field once published keeps its name and its meaning; docs/schema describes them.

type Token struct {
	URI          string           `json:"uri"`
	Label        foreign.Text     `json:"label"`
	Serial       string           `json:"serial"`
	Manufacturer foreign.Text     `json:"manufacturer"`
	Model        foreign.Text     `json:"model"`
	Module       string           `json:"module"`
	Flags        []string         `json:"flags"`
	LoggedIn     bool             `json:"logged_in"`
	KeyTypes     []string         `json:"key_types"` // that it may make
	Reasons      []verdict.Reason `json:"reasons"`
	Identities   []Identity       `json:"identities"`
	Objects      []Object         `json:"other_objects"`
}

type Identity struct {
	URI         string       `json:"uri"`
	Label       foreign.Text `json:"label"`
	ID          string       `json:"id"`
	LinkedBy    token.Link   `json:"linked_by"`
	Certificate *Certificate `json:"certificate"`
	PrivateKey  *Key         `json:"private_key"`
	PublicKey   *PublicKey   `json:"public_key"`
	Copies      []string     `json:"copies"`
	Verdict     Verdict      `json:"verdict"`

	// Typed is the shortest name that means this identity alone on its token. TokenOf fills it.
	Typed string `json:"-"`
}

type Certificate struct {
	Subject   foreign.Text `json:"subject"`
	Issuer    foreign.Text `json:"issuer"`
	Serial    string       `json:"serial"`
	NotBefore string       `json:"not_before"`
	NotAfter  string       `json:"not_after"`
	SHA256    string       `json:"sha256"`
	Purposes  []string     `json:"purposes"`
	IsCA      bool         `json:"is_ca"`
}

type Key struct {
	Type       string     `json:"type"`
	Bits       int        `json:"bits"`
	Curve      string     `json:"curve,omitempty"`
	Attributes KeyAnswers `json:"attributes"`
}

type PublicKey struct {
	Type  string `json:"type"`
	Bits  int    `json:"bits"`
	Curve string `json:"curve,omitempty"`
}

type Verdict struct {
	Exportable *bool            `json:"exportable"` // nil where it is not known
	Method     *verdict.Method  `json:"method"`
	Mechanism  *string          `json:"mechanism"`
	Reasons    []verdict.Reason `json:"reasons"`
}

type Object struct {
	Class string       `json:"class"`
	Label foreign.Text `json:"label"`
	ID    string       `json:"id"`
	URI   string       `json:"uri"`
}

// KeyAttributes are the attributes of a private key that are shown.
var KeyAttributes = []token.Attribute{
	token.CKASensitive, token.CKAExtractable, token.CKAAlwaysSensitive, token.CKANeverExtractable, token.CKALocal,
	token.CKAWrapWithTrusted, token.CKAAlwaysAuthenticate, token.CKAPrivate, token.CKAToken, token.CKASign, token.CKADecrypt, token.CKADerive,
}

// KeyAnswers are what a token told of each of the KeyAttributes, in their order; empty where it was not asked. A token may have a hundred thousand keys.
type KeyAnswers []token.Bool

// MarshalJSON writes an object with true, false or null under the name of each attribute.
func (k KeyAnswers) MarshalJSON() ([]byte, error) {
	plain := map[string]*bool{}
	for i, answer := range k {
		plain[KeyAttributes[i].String()] = answer.Value()
	}
	return json.Marshal(plain)
}

// TokenOf shows a token with the identities that are meant, all for a nil selector. Objects that are no part of an
// identity show only among all.
func TokenOf(inventory *token.Inventory, selector *token.Selector, now time.Time) Token {
	info := inventory.Token
	shown := Token{
		URI: info.URI().String(), Label: info.Label, Serial: string(info.Serial), Manufacturer: info.Manufacturer, Model: info.Model,
		Module: inventory.Module.Path, Flags: info.Flags.Names(), LoggedIn: inventory.LoggedIn, Reasons: frame.NoNil(verdict.JudgeInventory(inventory)),
		KeyTypes: keyTypesOf(inventory.Mechanisms), Identities: []Identity{}, Objects: []Object{},
	}
	all := inventory.Identities()
	uris, names := uriOf(inventory, all), token.NewNameIndex(all)
	identities := all
	if selector != nil {
		identities = selector.Select(all)
	}
	for _, identity := range identities {
		row := IdentityOf(inventory, identity, verdict.Judge(inventory, identity, now))
		row.URI = uris(identity)
		if row.Typed = names.ShortName(identity); row.Typed == "" {
			row.Typed = row.URI
		}
		shown.Identities = append(shown.Identities, row)
	}
	for _, o := range inventory.Objects {
		if selector == nil && o.Class != token.CKOCertificate && o.Class != token.CKOPrivateKey && o.Class != token.CKOPublicKey {
			shown.Objects = append(shown.Objects, Object{o.Class.String(), o.Label(), hex.EncodeToString(o.ID()), info.URI().With(o).String()})
		}
	}
	return shown
}

// keyTypesOf are the kinds of key pairs that a token with such a list of mechanisms may make, as bridge.KeyTypes names them.
func keyTypesOf(mechanisms []token.Mechanism) []string {
	return slices.DeleteFunc(bridge.KeyTypes(), func(name string) bool {
		kind, _ := token.KeyKindOf(name)
		return !token.Generates(mechanisms, kind)
	})
}

// CodeOf is the exit code of what is told of tokens: where an object could not be read, nobody could find out what it is.
func CodeOf(tokens []Token) int {
	for _, t := range tokens {
		if slices.ContainsFunc(t.Reasons, func(r verdict.Reason) bool {
			return r.Code == verdict.ObjectUnreadable || r.Code == verdict.TokenFileUnreadable
		}) {
			return frame.ExitFailed
		}
	}
	return frame.ExitDone
}

// uriOf gives each of a token's identities the URI that names it alone.
func uriOf(inventory *token.Inventory, identities []token.Identity) func(token.Identity) string {
	uris := map[[2]*token.Object]string{}
	key := func(identity token.Identity) [2]*token.Object {
		objects := identity.Objects()
		return [2]*token.Object{objects[0], objects[min(1, len(objects)-1)]} // the private key and its certificate
	}
	for i, uri := range inventory.URIs(identities) {
		uris[key(identities[i])] = uri
	}
	return func(identity token.Identity) string { return uris[key(identity)] }
}

func IdentityOf(inventory *token.Inventory, identity token.Identity, judged verdict.Verdict) Identity {
	shown := Identity{URI: frame.IdentityURI(inventory, identity), LinkedBy: identity.LinkedBy, Label: identity.Label(), Copies: []string{}, Verdict: VerdictOf(judged)}
	for _, o := range identity.Copies {
		shown.Copies = append(shown.Copies, inventory.Token.URI().With(o).String())
	}
	for _, o := range identity.Objects() {
		if shown.ID == "" {
			shown.ID = hex.EncodeToString(o.ID())
		}
	}
	if c := identity.Certificate; c != nil && c.Parsed != nil {
		shown.Certificate = CertificateOf(c.Parsed)
	}
	if o := identity.PrivateKey; o != nil {
		key := KeyOf(o, identity.Public)
		shown.PrivateKey = &key
	}
	if identity.PublicKey != nil || len(identity.Public.SPKI) > 0 {
		shown.PublicKey = &PublicKey{identity.Public.Algorithm, identity.Public.Bits, identity.Public.Curve}
	}
	return shown
}

func CertificateOf(c *pki.Certificate) *Certificate {
	return &Certificate{
		Subject: c.Subject, Issuer: c.Issuer, Serial: c.Serial, NotBefore: c.NotBefore.UTC().Format(time.RFC3339),
		NotAfter: c.NotAfter.UTC().Format(time.RFC3339), SHA256: c.SHA256(), Purposes: frame.NoNil(c.Purposes), IsCA: c.IsCA,
	}
}

// KeyOf describes a private key by its public half where that is known, else by what its own attributes tell.
func KeyOf(o *token.Object, public pki.PublicKey) Key {
	shown := Key{Type: public.Algorithm, Bits: public.Bits, Curve: public.Curve, Attributes: make(KeyAnswers, len(KeyAttributes))}
	if shown.Type == "" {
		if algorithm, curve, bits, err := pki.ECParams(o.Attributes.Bytes(token.CKAECParams)); err == nil {
			shown.Type, shown.Curve, shown.Bits = algorithm, curve, bits
		} else if keyType, known := o.KeyType(); known {
			shown.Type = keyType.String()
		}
	}
	for i, a := range KeyAttributes {
		shown.Attributes[i] = o.Attributes.Bool(a)
	}
	return shown
}

// Has reports whether the code is one of its reasons.
func (v Verdict) Has(code verdict.Code) bool {
	return slices.ContainsFunc(v.Reasons, func(r verdict.Reason) bool { return r.Code == code })
}

// CanLeave reports whether it is known that the key can leave.
func (v Verdict) CanLeave() bool { return v.Exportable != nil && *v.Exportable }

func VerdictOf(v verdict.Verdict) Verdict {
	shown := Verdict{Reasons: frame.NoNil(v.Reasons)}
	if v.Known() {
		shown.Exportable = &v.Exportable
	}
	if v.Method != "" {
		shown.Method = &v.Method
	}
	if v.Mechanism != "" {
		shown.Mechanism = &v.Mechanism
	}
	return shown
}
