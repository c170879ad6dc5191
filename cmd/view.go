package cmd

import (
	"encoding/hex"
	"time"

	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// The views are what --json shows. A field once published keeps its name and its meaning; docs/schema describes them.

type listView struct {
	Schema string      `json:"schema"`
	Tokens []tokenView `json:"tokens"`
}

type tokenView struct {
	URI          string           `json:"uri"`
	Label        string           `json:"label"`
	Serial       string           `json:"serial"`
	Manufacturer string           `json:"manufacturer"`
	Model        string           `json:"model"`
	Module       string           `json:"module"`
	Flags        []string         `json:"flags"`
	LoggedIn     bool             `json:"logged_in"`
	Reasons      []verdict.Reason `json:"reasons"`
	Identities   []identityView   `json:"identities"`
	Objects      []objectView     `json:"other_objects"`
}

type identityView struct {
	URI         string           `json:"uri"`
	Label       string           `json:"label"`
	ID          string           `json:"id"`
	LinkedBy    token.Link       `json:"linked_by"`
	Certificate *certificateView `json:"certificate"`
	PrivateKey  *keyView         `json:"private_key"`
	PublicKey   *publicKeyView   `json:"public_key"`
	Verdict     verdictView      `json:"verdict"`
}

type certificateView struct {
	Subject   string   `json:"subject"`
	Issuer    string   `json:"issuer"`
	Serial    string   `json:"serial"`
	NotBefore string   `json:"not_before"`
	NotAfter  string   `json:"not_after"`
	SHA256    string   `json:"sha256"`
	Purposes  []string `json:"purposes"`
	IsCA      bool     `json:"is_ca"`
}

type keyView struct {
	Type       string           `json:"type"`
	Bits       int              `json:"bits"`
	Curve      string           `json:"curve,omitempty"`
	Attributes map[string]*bool `json:"attributes"`
}

type publicKeyView struct {
	Type  string `json:"type"`
	Bits  int    `json:"bits"`
	Curve string `json:"curve,omitempty"`
}

type verdictView struct {
	Exportable bool             `json:"exportable"`
	Method     *verdict.Method  `json:"method"`
	Mechanism  *string          `json:"mechanism"`
	Reasons    []verdict.Reason `json:"reasons"`
}

type objectView struct {
	Class string `json:"class"`
	Label string `json:"label"`
	ID    string `json:"id"`
	URI   string `json:"uri"`
}

// keyAttributes are the attributes of a private key that are shown.
var keyAttributes = []token.Attribute{
	token.CKASensitive, token.CKAExtractable, token.CKAAlwaysSensitive, token.CKANeverExtractable, token.CKALocal,
	token.CKAWrapWithTrusted, token.CKAAlwaysAuthenticate, token.CKAPrivate, token.CKAToken, token.CKASign, token.CKADecrypt, token.CKADerive,
}

// viewToken shows a token with the identities that are meant, all for a nil selector. Objects that are no part of an
// identity show only among all.
func viewToken(inventory *token.Inventory, selector *token.Selector, now time.Time) tokenView {
	info := inventory.Token
	view := tokenView{
		URI: info.URI().String(), Label: info.Label, Serial: info.Serial, Manufacturer: info.Manufacturer, Model: info.Model,
		Module: inventory.Module.Path, Flags: info.Flags.Names(), LoggedIn: inventory.LoggedIn, Reasons: noNil(verdict.JudgeInventory(inventory)),
		Identities: []identityView{}, Objects: []objectView{},
	}
	identities := inventory.Identities()
	repeated := repeatedURIs(inventory, identities)
	for _, identity := range identities {
		if selector != nil && !selector.Names(identity) {
			continue
		}
		row := viewIdentity(inventory, identity, verdict.Judge(inventory, identity, now))
		if repeated[row.URI] > 1 && identity.PrivateKey != nil && identity.Certificate != nil {
			row.URI = info.URI().With(identity.Certificate.Object).String() // the certificate tells a key's identities apart
		}
		view.Identities = append(view.Identities, row)
	}
	for _, o := range inventory.Objects {
		if selector == nil && o.Class != token.CKOCertificate && o.Class != token.CKOPrivateKey && o.Class != token.CKOPublicKey {
			view.Objects = append(view.Objects, objectView{o.Class.String(), o.Label(), hex.EncodeToString(o.ID()), info.URI().With(o).String()})
		}
	}
	return view
}

func repeatedURIs(inventory *token.Inventory, identities []token.Identity) map[string]int {
	uses := map[string]int{}
	for _, identity := range identities {
		uses[identityURI(inventory, identity)]++
	}
	return uses
}

func viewIdentity(inventory *token.Inventory, identity token.Identity, judged verdict.Verdict) identityView {
	view := identityView{URI: identityURI(inventory, identity), LinkedBy: identity.LinkedBy, Verdict: viewVerdict(judged)}
	for _, o := range identity.Objects() {
		if view.Label == "" {
			view.Label = o.Label()
		}
		if view.ID == "" {
			view.ID = hex.EncodeToString(o.ID())
		}
	}
	if c := identity.Certificate; c != nil && c.Parsed != nil {
		view.Certificate = viewCertificate(c.Parsed)
	}
	if o := identity.PrivateKey; o != nil {
		key := viewKey(o, identity.Public)
		view.PrivateKey = &key
	}
	if identity.PublicKey != nil || len(identity.Public.SPKI) > 0 {
		view.PublicKey = &publicKeyView{identity.Public.Algorithm, identity.Public.Bits, identity.Public.Curve}
	}
	return view
}

func viewCertificate(c *pki.Certificate) *certificateView {
	return &certificateView{
		Subject: c.Subject, Issuer: c.Issuer, Serial: c.Serial, NotBefore: c.NotBefore.UTC().Format(time.RFC3339),
		NotAfter: c.NotAfter.UTC().Format(time.RFC3339), SHA256: c.SHA256(), Purposes: noNil(c.Purposes), IsCA: c.IsCA,
	}
}

// viewKey describes a private key by its public half where that is known, else by what its own attributes tell.
func viewKey(o *token.Object, public pki.PublicKey) keyView {
	view := keyView{Type: public.Algorithm, Bits: public.Bits, Curve: public.Curve, Attributes: map[string]*bool{}}
	if view.Type == "" {
		if algorithm, curve, bits, err := pki.ECParams(o.Attributes.Bytes(token.CKAECParams)); err == nil {
			view.Type, view.Curve, view.Bits = algorithm, curve, bits
		} else if keyType, told := o.KeyType(); told {
			view.Type = keyType.String()
		}
	}
	for _, a := range keyAttributes {
		view.Attributes[a.String()] = o.Attributes.Bool(a).Value()
	}
	return view
}

func viewVerdict(v verdict.Verdict) verdictView {
	view := verdictView{Exportable: v.Exportable, Reasons: noNil(v.Reasons)}
	if v.Method != "" {
		view.Method = &v.Method
	}
	if v.Mechanism != "" {
		view.Mechanism = &v.Mechanism
	}
	return view
}

// noNil makes an absent list an empty one, since JSON tells null from [].
func noNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
