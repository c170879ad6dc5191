package guide

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
)

// TestNames: what is shown to be typed names one object, or one token, and no other.
func TestNames(t *testing.T) {
	const document = `{"tokens": [
		{"uri": "pkcs11:token=one", "label": "one", "serial": "11", "identities": [
			{"uri": "pkcs11:a", "label": "alice", "id": "01"},
			{"uri": "pkcs11:b", "label": "twins", "id": "02"},
			{"uri": "pkcs11:c", "label": "twins", "id": "03"},
			{"uri": "pkcs11:d", "label": "nina", "id": "04", "certificate": {"sha256": "00112233445566778899", "not_after": ""}},
			{"uri": "pkcs11:e", "label": "nina", "id": "04", "certificate": {"sha256": "ff112233445566778899", "not_after": ""}},
			{"uri": "pkcs11:f", "label": "pkcs11:x", "id": ""},
			{"uri": "pkcs11:g", "label": "evil\u001b[2J", "id": "05"},
			{"uri": "pkcs11:h", "label": "06", "id": "07"},
			{"uri": "pkcs11:i", "label": "ivan", "id": "06"},
			{"uri": "pkcs11:j", "label": "-o", "id": ""},
			{"uri": "pkcs11:k", "label": "sha256:00", "id": ""}]},
		{"uri": "pkcs11:token=two;serial=21", "label": "two", "serial": "21"},
		{"uri": "pkcs11:token=two;serial=22", "label": "two", "serial": "22"},
		{"uri": "pkcs11:token=3", "label": "22", "serial": ""}]}`
	var found listing
	if err := json.Unmarshal([]byte(document), &found); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"one", "21", "pkcs11:token=two;serial=22", "pkcs11:token=3"} {
		if name := found.tokenName(i); name != want {
			t.Errorf("token %d is %q, not %q", i, name, want)
		}
	}
	if name := (listing{Tokens: found.Tokens[:1]}).tokenName(0); name != "" {
		t.Errorf("the only token is named %q", name)
	}
	for i, want := range []string{"alice", "02", "03", "sha256:0011223344556677", "sha256:ff11223344556677", "pkcs11:f", "05", "07", "ivan", "pkcs11:j", "pkcs11:k"} {
		if name := found.Tokens[0].objectName(found.Tokens[0].Identities[i]); name != want {
			t.Errorf("identity %d is %q, not %q", i, name, want)
		}
	}
}

// TestDistinctNames tells two keys of one name apart.
func TestDistinctNames(t *testing.T) {
	identities := []identity{{Label: "twins", ID: "0f"}, {Label: "alice", ID: "01"}, {Label: "twins", ID: "10"}, {ID: "11"}, {Label: "no id"}, {Label: "no id"}}
	want := []string{"twins (0f)", "alice", "twins (10)", "11", "no id", "no id"}
	if names := distinctNames(identities); !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}

// TestWhose: of a certificate that has expired it is not said that it is valid.
func TestWhose(t *testing.T) {
	texts, err := messages.Load("es")
	if err != nil {
		t.Fatal(err)
	}
	a := &frame.App{Catalog: texts, Now: func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }}
	for end, want := range map[string]string{
		"2026-11-24T12:00:01Z": "Certificado de CN=dave, válido hasta el 24 de noviembre de 2026",
		"2026-11-24T11:59:59Z": "Certificado de CN=dave, que caducó el 24 de noviembre de 2026",
	} {
		if got := (heldCertificate{Subject: "CN=dave", NotAfter: end}).whose(a); got != want {
			t.Errorf("%s: %q", end, got)
		}
	}
}
