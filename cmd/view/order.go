package view

import (
	"slices"
	"strings"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
)

// IsIssuer reports whether an identity is nothing but the certificate of an issuer, which needs no attention.
func IsIssuer(identity Identity) bool {
	return identity.PrivateKey == nil && len(identity.Verdict.Reasons) > 0 && identity.Verdict.Reasons[0].Code == verdict.IssuerCertificate
}

// Place is where an identity stands for a person: what can leave (expired ones and issuers' own keys after the rest), what is not
// known, what cannot, what has no key, and issuers' certificates last.
func Place(identity Identity) int {
	issuer := identity.Certificate != nil && identity.Certificate.IsCA
	switch {
	case identity.Verdict.CanLeave() && (issuer || identity.Verdict.Has(verdict.CertificateExpired)):
		return 1
	case identity.Verdict.CanLeave():
		return 0
	case identity.Verdict.Exportable == nil:
		return 2
	case identity.PrivateKey != nil:
		return 3
	case IsIssuer(identity):
		return 5
	}
	return 4
}

// Order gives the places of a token's identities in the order in which a person is shown them.
func Order(identities []Identity) []int {
	order := make([]int, len(identities))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return Place(identities[a]) - Place(identities[b]) })
	return order
}

// Sorted gives identities in that order.
func Sorted(identities []Identity) []Identity {
	var sorted []Identity
	for _, i := range Order(identities) {
		sorted = append(sorted, identities[i])
	}
	return sorted
}

// Name is what a person calls an identity: its label, else its id, else whose certificate it is. It is never cut, so that it can be
// given back.
func Name(identity Identity) string {
	switch {
	case strings.TrimSpace(string(identity.Label)) != "": // blanks show nothing
		return identity.Label.String()
	case identity.ID != "":
		return identity.ID
	case identity.Certificate != nil:
		return identity.Certificate.Subject.String()
	}
	return "–"
}

// Shorts are the reasons of a verdict in a few words each: the one that decides, and what is worth knowing beside it.
func Shorts(a *frame.App, shown Verdict) []string {
	var texts []string
	for i, reason := range shown.Reasons {
		if entry, known := verdict.Lookup(reason.Code); i == 0 || known && entry.Kind == verdict.Notices {
			texts = append(texts, a.ReasonText(reason, "short"))
		}
	}
	return texts
}
