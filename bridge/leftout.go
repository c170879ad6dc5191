package bridge

import (
	"slices"

	"p11bridge/token"
	"p11bridge/token/pki"
)

// ownership says which keys of a file a certificate is for, by its SHA-256: those whose public key it certifies, and those in whose chain it stands.
type ownership map[string][]*FileKey

// ownershipOf looks at every key that has its certificate.
func ownershipOf(keys []*FileKey, certificates []*pki.Certificate, pool *pki.Pool) ownership {
	owned := ownership{}
	certified := map[string][]string{} // the certificates of one public key
	for _, c := range certificates {
		certified[c.PublicKey.Same()] = append(certified[c.PublicKey.Same()], c.SHA256())
	}
	for _, key := range keys {
		if key.Certificate == nil {
			continue
		}
		chain, _ := pool.Chain(key.Certificate)
		for _, above := range chain {
			owned[above.SHA256()] = append(owned[above.SHA256()], key)
		}
		for _, digest := range certified[key.Certificate.PublicKey.Same()] {
			owned[digest] = append(owned[digest], key)
		}
	}
	return owned
}

// leftOut are the certificates of the file that a restore puts on no token, in their order: neither the key's own, nor in its chain, nor for another
// key of the file alone. A key gets one certificate: of several, many programs would take the first that they find.
func (c *Copy) leftOut() []*pki.Certificate {
	seen := map[string]bool{c.Certificate.SHA256(): true}
	for _, above := range c.Chain {
		seen[above.SHA256()] = true
	}
	var left []*pki.Certificate
	for _, certificate := range c.certificates {
		digest := certificate.SHA256()
		owners := c.owned[digest]
		ofAnother := len(owners) > 0 && !slices.ContainsFunc(owners, func(k *FileKey) bool {
			return k == c.key || k.Certificate.PublicKey.Equal(c.Certificate.PublicKey)
		})
		if !seen[digest] && !ofAnother {
			left = append(left, certificate)
		}
		seen[digest] = true
	}
	return left
}

// notOn leaves those that a token does not have.
func notOn(inventory *token.Inventory, certificates []*pki.Certificate) []*pki.Certificate {
	there := map[string]bool{}
	for _, o := range inventory.Objects {
		if o.Class == token.CKOCertificate && o.Certificate != nil {
			there[o.Certificate.SHA256()] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(certificates), func(c *pki.Certificate) bool { return there[c.SHA256()] })
}
