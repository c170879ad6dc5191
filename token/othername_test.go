package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// personIdentity is a key with a certificate of a person.
func personIdentity(t *testing.T, label, id string, serial int64, subject pkix.Name, emails ...string) Identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: subject, EmailAddresses: emails, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := pki.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	octets, err := hex.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	attributes := AttributesOf(map[Attribute]Answer{CKALabel: {Value: []byte(label)}, CKAID: {Value: octets}})
	return Identity{
		PrivateKey:  &Object{Class: CKOPrivateKey, Attributes: attributes},
		Certificate: &Certificate{Object: &Object{Class: CKOCertificate, Attributes: attributes}, Parsed: parsed},
	}
}

// TestOtherNames types what other programs show of a key. What is as good as a label is taken where it fits one key; what may
// mean another one is offered and never taken; and none of it is a name that Select finds, which a command that destroys goes by.
func TestOtherNames(t *testing.T) {
	t.Parallel()
	jose := pkix.Name{CommonName: "García López José - 12345678Z", Organization: []string{"FNMT"}, Country: []string{"ES"}, SerialNumber: "IDCES-12345678Z"}
	among := []Identity{
		personIdentity(t, "CertFirmaDigital", "01", 0x5f00112233445566, jose, "jose@example.org"),
		personIdentity(t, "anna", "0010", 7, pkix.Name{CommonName: "Anna Puig", Organization: []string{"FNMT"}}, "anna@example.org"),
		personIdentity(t, "old anna", "aa0b", 8, pkix.Name{CommonName: "Anna Puig (old)", Organization: []string{"FNMT"}}),
		personIdentity(t, "bob's key", "c0ffee", 9, pkix.Name{CommonName: "Bob"}),
		personIdentity(t, "bob", "c1", 10, pkix.Name{CommonName: "Bob"}),
		personIdentity(t, "comma", "c2", 11, pkix.Name{CommonName: "Carol", Organization: []string{"Acme, S.A."}}),
	}
	first := among[0].Certificate.Parsed
	colons := func(digits string) string {
		var octets []string
		for i := 0; i < len(digits); i += 2 {
			octets = append(octets, digits[i:i+2])
		}
		return strings.ToUpper(strings.Join(octets, ":"))
	}
	for _, row := range []struct {
		typed          string
		taken, offered string // labels, with commas
	}{
		{"0x01", "CertFirmaDigital", ""}, {"0X01", "CertFirmaDigital", ""}, {"%01", "CertFirmaDigital", ""}, {"id=01", "CertFirmaDigital", ""}, {"ID:0010", "anna", ""},
		{"0xaa0b", "old anna", ""}, {"AA 0B", "old anna", ""}, {"C0-FF-EE", "bob's key", ""},
		{"1", "", "CertFirmaDigital"}, {"10", "", "anna,bob"}, {"0x1", "", "CertFirmaDigital"}, {"7", "", "anna"}, {"12", "", ""},
		{"CN=Anna Puig", "anna", ""}, {"cn = anna puig", "anna", ""}, {"/O=FNMT/CN=Anna Puig", "anna", ""}, {"CN=Anna Puig,O=FNMT", "anna", ""}, {"subject=O = FNMT, CN = Anna Puig", "anna", ""},
		{"Anna Puig", "anna", ""}, {"ANNA PUIG", "anna", ""}, {"García López José - 12345678Z", "CertFirmaDigital", ""},
		{"/O=Acme, S.A./CN=Carol", "comma", ""}, {`subject=O = "Acme, S.A.", CN = Carol`, "comma", ""}, {`CN=Carol,O=Acme\, S.A.`, "comma", ""},
		{"serialNumber=IDCES-12345678Z", "CertFirmaDigital", ""}, {"12345678Z", "", "CertFirmaDigital"}, {"CN=Bob", "", "bob's key,bob"},
		{"CN=Anna Puig,O=Other", "", ""}, {"O=FNMT", "", "CertFirmaDigital,anna,old anna"}, {"C=ES", "", "CertFirmaDigital"}, {"CN=Anna", "", "anna,old anna"}, {"CN=", "", ""},
		{"jose@example.org", "CertFirmaDigital", ""}, {"email:JOSE@example.org", "CertFirmaDigital", ""}, {"example.org", "", "CertFirmaDigital,anna"},
		{"5f00112233445566", "CertFirmaDigital", ""}, {colons("5f00112233445566"), "CertFirmaDigital", ""}, {fmt.Sprint(0x5f00112233445566), "CertFirmaDigital", ""}, {"serial:5F00112233445566", "CertFirmaDigital", ""},
		{first.SHA1(), "CertFirmaDigital", ""}, {colons(first.SHA1()), "CertFirmaDigital", ""}, {"SHA1 Fingerprint=" + colons(first.SHA1()), "CertFirmaDigital", ""}, {"sha1:" + first.SHA1(), "CertFirmaDigital", ""},
		{first.SHA256(), "CertFirmaDigital", ""}, {colons(first.SHA256()), "CertFirmaDigital", ""}, {"sha256 Fingerprint=" + colons(first.SHA256()), "CertFirmaDigital", ""},
		{first.SHA1()[:12], "", "CertFirmaDigital"}, {first.SHA256()[:12], "", "CertFirmaDigital"}, {first.SHA1()[:4], "", ""},
		{"'anna'", "anna", ""}, {"“anna”", "anna", ""}, {" anna ", "anna", ""}, {"label:anna", "anna", ""},
		{"anna.pfx", "", "anna,old anna"}, {"old-anna.p12", "", "old anna"}, {"old_anna", "", "old anna"}, {"bob-s-key.pfx", "", "bob's key"},
		{"nobody", "", ""}, {"", "", ""}, {"-", "", ""}, {"=", "", ""}, {"0x", "", ""},
	} {
		selector, err := ParseSelector(row.typed)
		if err != nil {
			t.Errorf("%q: %v", row.typed, err)
			continue
		}
		if found := selector.Select(among); len(found) > 0 {
			t.Errorf("%q is a name of %s", row.typed, labelsOf(found))
		}
		near := labelsOf(selector.Near(among))
		if strings.Contains(near, ",") { // several are none
			near = ""
		}
		if near != row.taken {
			t.Errorf("%q: %q is taken and not %q", row.typed, near, row.taken)
		}
		if meant := labelsOf(selector.Meant(among)); row.taken == "" && meant != row.offered {
			t.Errorf("%q: %q is offered and not %q", row.typed, meant, row.offered)
		}
	}
}

func labelsOf(identities []Identity) string {
	var labels []string
	for _, identity := range identities {
		labels = append(labels, foreign.Text(identity.Label()).String())
	}
	return strings.Join(labels, ",")
}
