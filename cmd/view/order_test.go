package view

import (
	"slices"
	"testing"

	"p11bridge/bridge/verdict"
	"p11bridge/token/foreign"
)

// TestSorted: what can leave comes first, and of that what has not expired; issuers' certificates come last.
func TestSorted(t *testing.T) {
	yes, no := true, false
	identity := func(label string, exportable *bool, withKey bool, codes ...verdict.Code) Identity {
		i := Identity{Label: foreign.Text(label), Verdict: Verdict{Exportable: exportable}}
		if withKey {
			i.PrivateKey = &Key{}
		}
		for _, code := range codes {
			i.Verdict.Reasons = append(i.Verdict.Reasons, verdict.Reason{Code: code})
		}
		return i
	}
	identities := []Identity{
		identity("issuer", &no, false, verdict.IssuerCertificate),
		identity("alone", &no, false, verdict.CertificateWithoutKey),
		identity("cannot, expired", &no, true, verdict.KeyNotExtractable, verdict.CertificateExpired),
		identity("cannot", &no, true, verdict.KeyNotExtractable),
		identity("unknown", nil, true, verdict.AttributesNotTold),
		identity("expired", &yes, true, verdict.ExportableByWrap, verdict.CertificateExpired),
		identity("issuer's key", &yes, true, verdict.ExportableByWrap, verdict.CAKey),
		identity("can", &yes, true, verdict.ExportableByWrap),
		identity("can, too", &yes, true, verdict.ExportableByAttributes),
	}
	identities[6].Certificate = &Certificate{IsCA: true}
	want := []string{"can", "can, too", "expired", "issuer's key", "unknown", "cannot, expired", "cannot", "alone", "issuer"}
	var got []string
	for _, i := range Sorted(identities) {
		got = append(got, Name(i))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

// TestNameIsSeen: a label of blanks names nothing that can be seen.
func TestNameIsSeen(t *testing.T) {
	for _, row := range []struct{ label, want string }{{"alice", "alice"}, {"", "01"}, {"   ", "01"}} {
		if got := Name(Identity{Label: foreign.Text(row.label), ID: "01"}); got != row.want {
			t.Errorf("%q: %q", row.label, got)
		}
	}
}
