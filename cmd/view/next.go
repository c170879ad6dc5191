package view

import (
	"slices"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

// NextCommands are the commands that come next. They work as they are printed: with the flags that were given, and with names that mean
// one object alone.
type NextCommands struct {
	Given      []string          // flags and their values
	Short      bool              // one token is meant, so that a label is enough
	Mechanisms []token.Mechanism // of the token: they say which keys it can make

	Named map[string]int // how many identities get a file name from their label
}

// Of is the command that comes next: the export where the key can leave, the request for a new certificate where it cannot. An
// issuer's certificate has none.
func (n NextCommands) Of(identity Identity, name string) []string {
	given, generates := n.Given, token.GeneratesAny(n.Mechanisms)
	var words []string
	switch {
	case identity.Verdict.Has(verdict.KeyNotIdentified): // the key may be here, under a name of its own
		return nil
	case identity.PrivateKey == nil && identity.Verdict.Has(verdict.CertificateWithheld): // so it may
		return nil
	case identity.Verdict.Has(verdict.ObjectUnreadable) || identity.Verdict.Has(verdict.TokenFileUnreadable): // so it may
		return nil
	case identity.Verdict.Has(verdict.WrapFailed): // the token has to work again first
		return nil
	case identity.Verdict.CanLeave() && identity.Certificate == nil && !identity.Verdict.Has(verdict.CertificateNotIdentified) && !identity.Verdict.Has(verdict.CertificateWithheld):
		words = []string{"export", name, "--certificate", "CERTIFICATE.cer", "-o", n.backupName(identity)}
	case identity.Verdict.CanLeave():
		words = []string{"export", name, "-o", n.backupName(identity)}
	case len(identity.Verdict.Reasons) > 0 && identity.Verdict.Reasons[0].Code == verdict.KeysHiddenUntilLogin:
		words = []string{"diagnose", name, "--pin-source", "prompt"}
		if i := slices.Index(given, "--pin-source"); i >= 0 {
			given = slices.Delete(slices.Clone(given), i, i+2)
		}
	case identity.Verdict.Exportable == nil && identity.Verdict.Has(verdict.KeyTypeUnsupported): // another program may carry it out; nothing here does
		return nil
	case !generates && identity.PrivateKey == nil: // only the issuer can help
		return nil
	case !generates && identity.Certificate == nil: // whether the key can sign a request for its first one is not known here
		return nil
	case !generates:
		words = []string{"request", name, "--same-key", "-o", FileNameOf(identity) + ".csr"}
	case identity.Certificate == nil && identity.PrivateKey != nil: // nothing tells whose the new certificate is to be
		words = []string{"request", name, "--subject", "CN=" + FileNameOf(identity), "-o", FileNameOf(identity) + ".csr"}
		words = append(words, n.otherKeyType(identity)...)
	case identity.Certificate != nil && !identity.Certificate.IsCA || identity.PrivateKey != nil:
		words = append([]string{"request", name, "-o", FileNameOf(identity) + ".csr"}, n.otherKeyType(identity)...)
	default:
		return nil
	}
	return slices.Concat([]string{"p11bridge"}, words, given)
}

// otherKeyType asks for a kind of key that the token makes, where it makes none like the old one.
func (n NextCommands) otherKeyType(identity Identity) []string {
	if identity.PrivateKey == nil || identity.PrivateKey.Type == "" || token.Generates(n.Mechanisms, token.KeyKind{Algorithm: identity.PrivateKey.Type}) {
		return nil
	}
	for _, name := range bridge.KeyTypes() {
		if kind, _ := token.KeyKindOf(name); token.Generates(n.Mechanisms, kind) {
			return []string{"--key-type", name}
		}
	}
	return nil
}

// backupName is the name of the file for an identity's backup: with the fingerprint, as export --all names it, where the labels of several
// identities give one name.
func (n NextCommands) backupName(identity Identity) string {
	name := FileNameOf(identity)
	if n.Named[name] > 1 && identity.Certificate != nil {
		name = archive.BackupName(string(identity.Label), identity.Certificate.SHA256)
	}
	return name + archive.BackupExtension
}

// FileNameOf is what files about an identity are called.
func FileNameOf(identity Identity) string {
	return FileName(string(identity.Label), identity.ID)
}
