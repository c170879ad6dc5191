package diagnose

import (
	"slices"
	"strings"
	"testing"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/view"
	"p11bridge/token"
)

// TestNextOnATokenThatGeneratesNothing is about cards that get their keys from the issuer only: no new key is made there.
func TestNextOnATokenThatGeneratesNothing(t *testing.T) {
	refused := view.VerdictOf(verdict.Verdict{Reasons: []verdict.Reason{verdict.Because(verdict.KeyNotExtractable)}})
	withKey := view.Identity{URI: "pkcs11:object=a", ID: "01", Verdict: refused, PrivateKey: &view.Key{}, Certificate: &view.Certificate{}}
	withoutCertificate := view.Identity{URI: "pkcs11:object=a", ID: "01", Verdict: refused, PrivateKey: &view.Key{}}
	withoutKey := view.Identity{URI: "pkcs11:object=a", ID: "01", Verdict: refused, Certificate: &view.Certificate{}}
	curved, plain := withKey, withKey
	curved.PrivateKey, plain.PrivateKey = &view.Key{}, &view.Key{}
	curved.PrivateKey.Type, plain.PrivateKey.Type = "EC", "RSA"
	unknown := view.VerdictOf(verdict.Verdict{Reasons: []verdict.Reason{verdict.Because(verdict.KeyTypeUnsupported)}})
	unsupported := view.Identity{URI: "pkcs11:object=a", ID: "01", Verdict: unknown, PrivateKey: &view.Key{}, Certificate: &view.Certificate{}}
	unread := func(code verdict.Code) view.Identity {
		return view.Identity{URI: "pkcs11:object=a", ID: "01", Verdict: view.VerdictOf(verdict.Verdict{Reasons: []verdict.Reason{verdict.Because(code)}}), Certificate: &view.Certificate{}}
	}
	signs, generates := token.Mechanism{Type: 1, Sign: true}, token.Mechanism{Type: 0}
	for _, row := range []struct {
		name     string
		listed   []token.Mechanism
		identity view.Identity
		want     string
	}{
		{"it generates keys", []token.Mechanism{signs, generates}, withKey, "p11bridge request pkcs11:object=a -o key-01.csr"},
		{"it generates keys of another kind alone", []token.Mechanism{signs, generates}, curved, "p11bridge request pkcs11:object=a -o key-01.csr --key-type rsa2048"},
		{"it generates RSA keys, and the old one is such a key", []token.Mechanism{signs, generates}, plain, "p11bridge request pkcs11:object=a -o key-01.csr"},
		{"it does not tell, of a curve", nil, curved, "p11bridge request pkcs11:object=a -o key-01.csr"},
		{"it does not tell", nil, withKey, "p11bridge request pkcs11:object=a -o key-01.csr"},
		{"it generates none", []token.Mechanism{signs}, withKey, "p11bridge request pkcs11:object=a --same-key -o key-01.csr"},
		{"it generates none, and there is no certificate", []token.Mechanism{signs}, withoutCertificate, ""},
		{"it generates none, and the key is gone", []token.Mechanism{signs}, withoutKey, ""},
		{"it generates keys, and another program may carry this one out", []token.Mechanism{signs, generates}, unsupported, ""},
		{"the key may be in an object that could not be read", []token.Mechanism{signs, generates}, unread(verdict.ObjectUnreadable), ""},
		{"the key may be in a file that could not be read", []token.Mechanism{signs, generates}, unread(verdict.TokenFileUnreadable), ""},
		{"it generates keys, and the key is gone", []token.Mechanism{signs, generates}, withoutKey, "p11bridge request pkcs11:object=a -o key-01.csr"},
	} {
		got := view.NextCommands{Mechanisms: row.listed}.Of(row.identity, row.identity.URI)
		if want := strings.Fields(row.want); !slices.Equal(got, want) {
			t.Errorf("%s: %q", row.name, got)
		}
	}
}
