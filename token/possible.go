package token

import "p11bridge/token/pki"

// silent are the private keys of which nobody knows whose they are: they tell no public half, did not answer, and are linked with nothing by
// their CKA_ID. Those that could be the same certificates' stand together.
type silent struct {
	first       *Object
	byID        map[string]*Object     // the first with it
	alone       map[string][]*Identity // without a certificate, by CKA_ID
	certificate *Object                // the first that may be theirs, of those that no other key has
	taken       *Object                // the first that another key has: it may be theirs as well, where they hold that key once more
}

// findPossible tells the identities that are not whole what they may lack: a certificate or a public key the silent private key that may be its
// own, before others the one with its CKA_ID, and a silent private key the certificate, before others one that no other key has. No silent key is
// left without one while a certificate is there that it may have: that is the rule of MayHaveCertificate.
func findPossible(identities []Identity, byID map[*Object]*pki.PublicKey) {
	groups := findSilent(identities, byID)
	if len(groups) == 0 {
		return
	}
	for i := range identities {
		identity := &identities[i]
		if len(identity.Public.SPKI) == 0 || identity.PrivateKey != nil && identity.Certificate == nil {
			continue
		}
		for _, group := range groups {
			switch {
			case group.first.ruledOut(pki.PublicKey{}, identity.Public):
			case identity.PrivateKey == nil:
				group.mayBe(identity)
			case group.taken == nil:
				group.taken = identity.Certificate.Object
			}
		}
	}
	for _, group := range groups {
		certificate := group.certificate
		if certificate == nil {
			certificate = group.taken
		}
		for _, alone := range group.alone {
			for _, identity := range alone {
				if identity.Possible == nil {
					identity.Possible = certificate
				}
			}
		}
	}
}

// findSilent groups the silent keys, in the token's order.
func findSilent(identities []Identity, byID map[*Object]*pki.PublicKey) []*silent {
	groups := map[likeness]*silent{}
	var order []*silent
	for i := range identities {
		key := identities[i].PrivateKey
		if key == nil || key.own().known || key.Answered || byID[key] != nil {
			continue
		}
		like := key.likeness(pki.PublicKey{})
		group := groups[like]
		if group == nil {
			group = &silent{first: key, byID: map[string]*Object{}, alone: map[string][]*Identity{}}
			groups[like], order = group, append(order, group)
		}
		id := string(key.ID())
		if group.byID[id] == nil {
			group.byID[id] = key
		}
		group.alone[id] = append(group.alone[id], &identities[i])
	}
	return order
}

// mayBe notes that one of the keys may be the identity's.
func (s *silent) mayBe(identity *Identity) {
	id := string(identity.Objects()[0].ID())
	key := s.byID[id]
	switch {
	case id != "" && key != nil:
		identity.Possible = key
	case identity.Possible == nil:
		identity.Possible = s.first
	}
	if identity.Certificate == nil {
		return
	}
	if s.certificate == nil {
		s.certificate = identity.Certificate.Object
	}
	for _, alone := range s.alone[id] {
		if id != "" && alone.Possible == nil {
			alone.Possible = identity.Certificate.Object
		}
	}
}
