package softhsmtests

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// redactable is a token on which everything that leads to a person can be found again: long CKA_IDs, keys of every kind, pairs that
// are linked by public key, by signature, by CKA_ID and not at all, and certificates of every age.
const redactable = `token "Personal token"
label="rsa" id=a1b2c3d4e5f60718 key=rsa2048 policy=wrappable certificate=valid
label="locked" id=b1b2c3d4e5f60719 key=rsa2048 policy=locked certificate=expired
label="ec" id=c1b2c3d4e5f6071a key=p256 policy=wrappable certificate=future imported
label="eduard" id=d1b2c3d4e5f6071b key=ed25519 policy=readable certificate=valid
label="brainpool" id=e1b2c3d4e5f6071c certificate=brainpoolP256r1 nokey
label="fresh" id=e1b2c3d4e5f6071e key=p256 policy=locked certificate=recent imported
label="twin" id=a1b2c3d4e5f60718 key=p256 policy=locked certificate=valid
label="alone" id=f1b2c3d4e5f6071d key=p384 policy=locked certificate=valid nokey
`

// TestRedactedSnapshot wants nothing in it that leads to a person, what was equal equal, and the same codes for every identity.
func TestRedactedSnapshot(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*diagnosed{"everything": everything(t), "long CKA_IDs": newPlace(t, redactable).diagnosed()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := d.snapshot(t)
			live := d.fromSnapshot(t)
			redacted := d.snapshot(t, "--redact")
			from := d.fromSnapshot(t)
			names := append(namesIn(t, plain), identifyingIn(t, plain)...)
			if len(names) < 60 {
				t.Fatalf("only %d names are searched for: %q", len(names), names)
			}
			for _, name := range names {
				if nameLeft(redacted, name) {
					t.Errorf("%q is left", name)
				}
			}
			sameDiagnosis(t, live.document.Tokens[0].Identities, from.document.Tokens[0].Identities)
		})
	}
}

// nameLeft reports whether a name is still there. A short one may stand by chance within what is Base64: it counts where no such character is
// beside it.
func nameLeft(text, name string) bool {
	const chance = 8 // letters that hardly ever come together
	if len(name) >= chance {
		return strings.Contains(text, name)
	}
	return regexp.MustCompile(`(^|[^A-Za-z0-9+/])` + regexp.QuoteMeta(name) + `($|[^A-Za-z0-9+/])`).MatchString(text)
}

// sameDiagnosis wants the same verdict for each identity, and what was equal equal.
func sameDiagnosis(t *testing.T, original, after []statedIdentity) {
	t.Helper()
	if len(original) != len(after) {
		t.Fatalf("%d identities have become %d", len(original), len(after))
	}
	labels, ids := map[string]string{}, map[string]string{}
	for i, was := range original {
		is := after[i]
		for _, pair := range []struct {
			names   map[string]string
			was, is string
		}{{labels, was.Label, is.Label}, {ids, was.ID, is.ID}} {
			if known, met := pair.names[pair.was]; met && known != pair.is {
				t.Errorf("%q is called %q and %q", pair.was, known, pair.is)
			}
			pair.names[pair.was] = pair.is
		}
		for _, reason := range slices.Concat(was.Verdict.Reasons, is.Verdict.Reasons) { // stand-ins are what these are
			for _, name := range []string{"CKA_ID", "not_before", "not_after"} {
				delete(reason.Evidence, name)
			}
		}
		if difference := cmp.Diff(was.Verdict, is.Verdict); difference != "" {
			t.Errorf("the verdict on %q is another one:\n%s", was.Label, difference)
		}
		if was.LinkedBy != is.LinkedBy || (was.Certificate == nil) != (is.Certificate == nil) || (was.ID == "") != (is.ID == "") || was.ID != "" && was.ID == is.ID {
			t.Errorf("%q has other links, or the same CKA_ID", was.Label)
		}
	}
	for _, names := range []map[string]string{labels, ids} {
		reverse := map[string]string{}
		for was, is := range names {
			if other, taken := reverse[is]; taken {
				t.Errorf("%q and %q are both called %q", was, other, is)
			}
			reverse[is] = was
		}
	}
}

// octetForms are the forms in which a number or a key can be found in a text; none for what is too short to be known again.
func octetForms(t *testing.T, value []byte) []string {
	t.Helper()
	const distinctive = 8
	if len(value) < distinctive {
		return nil
	}
	part := value[len(value)-min(len(value), 24):] // the end of an SPKI is key, and so is that of every number
	forms := []string{hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part))}
	for shift := range 3 { // wherever it stands in what is base64
		text := base64.StdEncoding.EncodeToString(part[shift : shift+(len(part)-shift)/3*3])
		forms = append(forms, text, strings.NewReplacer("+", "-", "/", "_").Replace(text))
	}
	escaped, err := json.Marshal(string(part))
	if err != nil {
		t.Fatal(err)
	}
	return append(forms, string(escaped))
}

// identifyingIn lists what else leads to a person: parts of public keys, CKA_IDs and dates, in each form that a document could have
// them in.
func identifyingIn(t *testing.T, snapshot string) []string {
	t.Helper()
	var content struct {
		Created string
		Tokens  []struct {
			Objects []struct {
				Attributes  map[string]any
				Certificate struct {
					NotBefore string                `json:"not_before"`
					NotAfter  string                `json:"not_after"`
					PublicKey struct{ SPKI []byte } `json:"public_key"`
				}
				Proven  []byte   `json:"proven_public_key"`
				Refuted [][]byte `json:"refuted_public_keys"`
			}
		}
	}
	if err := json.Unmarshal([]byte(snapshot), &content); err != nil {
		t.Fatal(err)
	}
	var found []string
	octets := func(value []byte) { found = append(found, octetForms(t, value)...) }
	date := func(text string) {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return
		}
		if clock := at.UTC(); clock.Day() != 1 { // a month's first day is what dates are rounded to
			found = append(found, text, clock.Format("060102150405Z"), strconv.FormatInt(clock.Unix(), 10))
			if day := clock.Format(time.DateOnly); !strings.HasPrefix(content.Created, day) {
				found = append(found, day)
			}
		}
	}
	for _, token := range content.Tokens {
		for _, o := range token.Objects {
			for _, name := range []string{"CKA_ID", "CKA_MODULUS", "CKA_EC_POINT", "CKA_PUBLIC_KEY_INFO"} {
				if text, is := o.Attributes[name].(string); is {
					value, err := hex.DecodeString(text)
					if err != nil {
						t.Fatal(err)
					}
					octets(value)
				}
			}
			octets(o.Certificate.PublicKey.SPKI)
			octets(o.Proven)
			for _, refuted := range o.Refuted {
				octets(refuted)
			}
			date(o.Certificate.NotBefore)
			date(o.Certificate.NotAfter)
		}
	}
	return found
}

// namesIn lists all that a redacted snapshot may not hold.
func namesIn(t *testing.T, snapshot string) []string {
	t.Helper()
	var content struct {
		Tokens []struct {
			Token   struct{ Label, Serial string }
			Objects []struct {
				Attributes  map[string]any
				Certificate struct{ Subject, Issuer, Serial, SHA256 string }
			}
		}
	}
	if err := json.Unmarshal([]byte(snapshot), &content); err != nil {
		t.Fatal(err)
	}
	var names []string
	add := func(list ...string) {
		for _, name := range list {
			for _, form := range []string{name, strings.TrimPrefix(name, "CN=")} {
				escaped, err := json.Marshal(form)
				if err != nil {
					t.Fatal(err)
				}
				if form = strings.Trim(string(escaped), `"`); len(form) > 3 && !slices.Contains(names, form) {
					names = append(names, form, hex.EncodeToString([]byte(form)))
				}
			}
		}
	}
	for _, token := range content.Tokens {
		add(`"`+token.Token.Label+`"`, token.Token.Serial)
		for _, o := range token.Objects {
			for _, name := range []string{"CKA_LABEL", "CKA_APPLICATION"} {
				if text, ok := o.Attributes[name].(string); ok {
					add(text)
				}
			}
			add(o.Certificate.Subject, o.Certificate.Issuer, o.Certificate.Serial, o.Certificate.SHA256)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { // names of curves, too
		return slices.Contains([]string{"note", "brainpool", "secp256k1"}, name)
	})
}
