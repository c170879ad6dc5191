package bridge

import (
	"slices"

	"p11bridge/token"
	"p11bridge/token/pki"
)

// issuers are the certificates that may stand in a chain, and what the token calls those that are on it. All exports from one
// token share them.
type issuers struct {
	onToken []*pki.Certificate
	pool    *pki.Pool
	labels  map[string]string // by SHA-256: the CKA_LABEL of the first of its objects
}

func issuersOn(inventory *token.Inventory, pool []*pki.Certificate) *issuers {
	i := &issuers{onToken: TokenCertificates(inventory), labels: map[string]string{}}
	i.pool = pki.NewPool(slices.Concat(i.onToken, pool))
	for _, o := range slices.Backward(inventory.Objects) {
		if o.Class == token.CKOCertificate && o.Certificate != nil {
			i.labels[o.Certificate.SHA256()] = string(o.Label())
		}
	}
	return i
}

// TokenCertificates lists the certificates on a token that could be read.
func TokenCertificates(inventory *token.Inventory) []*pki.Certificate {
	var certificates []*pki.Certificate
	for _, identity := range inventory.Identities() {
		if identity.Certificate != nil && identity.Certificate.Parsed != nil {
			certificates = append(certificates, identity.Certificate.Parsed)
		}
	}
	return certificates
}
