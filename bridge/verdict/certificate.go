package verdict

import (
	"time"

	"p11bridge/token"
	"p11bridge/token/pki"
)

func judgeCertificate(v *Verdict, identity token.Identity, now time.Time) {
	if identity.Certificate == nil || identity.Certificate.Object.Withheld() {
		return
	}
	certificate := identity.Certificate.Parsed
	if certificate == nil {
		if fault := identity.Certificate.Object.Fault(); fault != nil {
			*v = Verdict{}
			v.addFault(fault)
			return
		}
		*v = v.Refuse(Because(CertificateUnreadable, Fact{"problem", identity.Certificate.Problem}))
		return
	}
	v.Reasons = append(v.Reasons, Validity(certificate, now)...)
	if certificate.IsCA && identity.PrivateKey != nil {
		v.add(CAKey, Fact{"is_ca", true})
	}
	if age := now.Sub(certificate.NotBefore); v.importWentWrong(identity) && age >= 0 && age < recent {
		v.add(CertificateRecent, Fact{"not_before", certificate.NotBefore.UTC().Format(time.RFC3339)})
	}
}

// Validity says whether a certificate is expired, or not valid yet (RFC 5280 §4.1.2.5); it is empty where it is valid. A certificate
// whose dates contradict each other is both.
func Validity(certificate *pki.Certificate, now time.Time) []Reason {
	var reasons []Reason
	if now.After(certificate.NotAfter) {
		reasons = append(reasons, Because(CertificateExpired, Fact{"not_after", certificate.NotAfter.UTC().Format(time.RFC3339)}))
	}
	if now.Before(certificate.NotBefore) {
		reasons = append(reasons, Because(CertificateNotYetValid, Fact{"not_before", certificate.NotBefore.UTC().Format(time.RFC3339)}))
	}
	return reasons
}

// importWentWrong reports whether an installation may have failed: the key is missing, or is here and locked, and the token does
// not say that it was made here.
func (v *Verdict) importWentWrong(identity token.Identity) bool {
	return v.Has(CertificateWithoutKey) || v.Has(CertificateDoesNotMatchKey) ||
		v.Has(KeyNotExtractable) && identity.PrivateKey.Attributes.Bool(token.CKALocal) != token.True
}

// recent is the age below which a certificate whose key cannot leave, or is missing, may have been installed wrongly.
const recent = 30 * 24 * time.Hour

// Landmarks are the moments that the dates of certificates are judged by, the earliest first.
func Landmarks(now time.Time) []time.Time { return []time.Time{now.Add(-recent), now} }
