package guide

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

// listing is what the conversation reads of list --json.
type listing struct {
	Tokens []heldToken `json:"tokens"`
}

type heldToken struct {
	URI          string       `json:"uri"`
	Label        foreign.Text `json:"label"`
	Serial       foreign.Text `json:"serial"`
	Manufacturer foreign.Text `json:"manufacturer"`
	Model        foreign.Text `json:"model"`
	Flags        []string     `json:"flags"`
	Reasons      []coded      `json:"reasons"`
	LoggedIn     bool         `json:"logged_in"`
	KeyTypes     []string     `json:"key_types"`
	Identities   []identity   `json:"identities"`

	name string // for --token, empty where none is needed
}

// coded is a reason of which the code alone is read: what its evidence holds depends on the code.
type coded struct {
	Code verdict.Code `json:"code"`
}

type heldCertificate struct {
	Subject  foreign.Text `json:"subject"`
	NotAfter string       `json:"not_after"`
	SHA256   string       `json:"sha256"`
	IsCA     bool         `json:"is_ca"`
}

// publicKey is what kind of key it is, as far as that is told.
type publicKey struct {
	Type string `json:"type"`
}

type identity struct {
	URI         string           `json:"uri"`
	Label       foreign.Text     `json:"label"`
	ID          string           `json:"id"`
	Certificate *heldCertificate `json:"certificate"`
	PrivateKey  *publicKey       `json:"private_key"`
	PublicKey   *publicKey       `json:"public_key"`
	Verdict     struct {
		Exportable *bool `json:"exportable"`
		Reasons    []struct {
			Code     verdict.Code `json:"code"`
			Evidence struct {
				Family string `json:"family"`
			} `json:"evidence"`
		} `json:"reasons"`
	} `json:"verdict"`
}

// list reads what is on the tokens. Whatever keeps it from that was told by the command; ok is then false. A token of which
// not all could be read is listed all the same.
func (c *conversation) list(ctx context.Context, more ...string) (found listing, ok bool, err error) {
	var out bytes.Buffer
	if err := c.quietly(ctx, &out, append([]string{"list", "--json"}, more...)); err != nil {
		return listing{}, false, err
	}
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		return listing{}, false, fmt.Errorf("read what list told: %w", err)
	}
	for i := range found.Tokens {
		found.Tokens[i].name = found.tokenName(i)
	}
	return found, len(found.Tokens) > 0, nil
}

// tokenName is the shortest name for --token that fits one token alone.
func (l listing) tokenName(i int) string {
	if len(l.Tokens) == 1 {
		return ""
	}
	t := l.Tokens[i]
	for _, name := range []foreign.Text{t.Label, t.Serial} {
		fits := 0
		for _, other := range l.Tokens {
			if other.Label == name || other.Serial == name {
				fits++
			}
		}
		if fits == 1 && speakable(string(name)) && !token.IsURI(string(name)) {
			return string(name)
		}
	}
	return t.URI
}

// objectName is the shortest name that fits the identity alone among those of its token.
func (t heldToken) objectName(wanted identity) string {
	for _, name := range []string{string(wanted.Label), wanted.ID} {
		if !speakable(name) || token.IsURI(name) || strings.HasPrefix(strings.ToLower(name), "sha256:") || strings.HasPrefix(name, "-") {
			continue
		}
		id := ""
		if decoded, err := hex.DecodeString(strings.ReplaceAll(name, ":", "")); err == nil {
			id = hex.EncodeToString(decoded)
		}
		fits := 0
		for _, other := range t.Identities {
			if string(other.Label) == name || id != "" && other.ID == id {
				fits++
			}
		}
		if fits == 1 {
			return name
		}
	}
	if name := wanted.fingerprint(); name != "" {
		fits := 0
		for _, other := range t.Identities {
			if other.fingerprint() == name {
				fits++
			}
		}
		if fits == 1 {
			return name
		}
	}
	return wanted.URI
}

// fingerprint names the identity by its certificate, empty where it has none.
func (i identity) fingerprint() string {
	const digits = 16
	if i.Certificate == nil || len(i.Certificate.SHA256) < digits {
		return ""
	}
	return "sha256:" + i.Certificate.SHA256[:digits]
}

// asksForPassword reports whether the token is a browser's database: what it asks for is no PIN, and it does not lock.
func (t heldToken) asksForPassword() bool {
	return verdict.AsksForPassword(&token.Info{Manufacturer: t.Manufacturer})
}

// speakable reports whether a name can be typed: nothing in it needs an escape to be shown.
func speakable(name string) bool { return name != "" && terminal.Printable(name) == name }

// locked reports whether private keys may show after a login only.
func (t heldToken) locked() bool {
	return slices.ContainsFunc(t.Reasons, func(r coded) bool { return r.Code == verdict.KeysHiddenUntilLogin })
}

// title is how the token is called in a question.
func (t heldToken) title(a *frame.App) string {
	if t.asksForPassword() { // model and serial number are the same for all
		return a.TokenName(t.Label).String()
	}
	return a.Text("guide.token.name", messages.Args{"Label": t.Label, "Model": t.Model, "Serial": t.Serial})
}

// reason is the first of the verdict, as far as its words depend on it; without a code where there is none.
func (i identity) reason() verdict.Reason {
	if len(i.Verdict.Reasons) == 0 {
		return verdict.Reason{}
	}
	first := i.Verdict.Reasons[0]
	if first.Evidence.Family == "" {
		return verdict.Reason{Code: first.Code}
	}
	return verdict.Because(first.Code, verdict.Fact{Name: "family", Value: first.Evidence.Family})
}

// because reports whether a reason of the verdict has the code.
func (i identity) because(code verdict.Code) bool {
	for _, reason := range i.Verdict.Reasons {
		if reason.Code == code {
			return true
		}
	}
	return false
}

func (i identity) exportable() bool { return i.Verdict.Exportable != nil && *i.Verdict.Exportable }

// place is where the identity stands in every list.
func (i identity) place() int {
	shown := view.Identity{Verdict: view.Verdict{Exportable: i.Verdict.Exportable}}
	for _, reason := range i.Verdict.Reasons {
		shown.Verdict.Reasons = append(shown.Verdict.Reasons, verdict.Reason{Code: reason.Code})
	}
	if i.PrivateKey != nil {
		shown.PrivateKey = &view.Key{}
	}
	if i.Certificate != nil {
		shown.Certificate = &view.Certificate{IsCA: i.Certificate.IsCA}
	}
	return view.Place(shown)
}

// hidden reports whether a login has to come before the verdict.
func (i identity) hidden() bool { return i.reason().Code == verdict.KeysHiddenUntilLogin }

// name is what the identity is called: its label, else its CKA_ID.
func (i identity) name() string {
	if name := i.Label.String(); name != "" {
		return name
	}
	return i.ID
}

// title is how the identity is called in a question: its name and whether it can be backed up, and whose certificate it is.
func (i identity) title(a *frame.App, name string, withVerdict bool) string {
	if withVerdict {
		can := "guide.key.cannot"
		switch {
		case i.exportable():
			can = "guide.key.can"
		case i.hidden():
			can = "guide.key.unknown"
		case i.Verdict.Exportable == nil:
			can = "guide.key.not-known"
		}
		name += " – " + a.Text(can, nil)
	}
	whose := a.Text("guide.key.no-certificate", nil)
	if certificate := i.Certificate; certificate != nil {
		whose = certificate.whose(a)
	}
	return name + "\n  " + whose
}

// whose says of whom the certificate is, and until when or since when not.
func (c heldCertificate) whose(a *frame.App) string {
	if end, err := time.Parse(time.RFC3339, c.NotAfter); err == nil && end.Before(a.Now()) {
		return a.Text("guide.key.expired", messages.Args{"Subject": c.Subject, "On": messages.Own(a.OnDayOf(c.NotAfter))})
	}
	return a.Text("guide.key.certificate", messages.Args{"Subject": c.Subject, "Until": messages.Own(a.UntilOf(c.NotAfter))})
}
