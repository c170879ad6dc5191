package token

import (
	"slices"

	"p11bridge/token/pki"
)

// linker holds one token's certificates and keys, indexed by public key and by CKA_ID, while they are put together.
type linker struct {
	certificates []*Certificate
	publicKeys   []*Object
	privateKeys  []*Object

	own        map[*Object]pki.PublicKey // what a key object tells of its own public key
	certsOf    map[string][]*Certificate // by SubjectPublicKeyInfo
	publicsOf  map[string][]*Object      // by SubjectPublicKeyInfo
	halvesByID map[string][]pki.PublicKey
	keysByID   map[string][]*Object
}

func newLinker(objects []*Object) *linker {
	l := &linker{
		certificates: certificates(objects), own: map[*Object]pki.PublicKey{}, certsOf: map[string][]*Certificate{},
		publicsOf: map[string][]*Object{}, halvesByID: map[string][]pki.PublicKey{}, keysByID: map[string][]*Object{},
	}
	for _, o := range objects {
		if o.Class != CKOPublicKey && o.Class != CKOPrivateKey {
			continue
		}
		public, told := PublicKeyOf(o)
		if told {
			l.own[o] = public
		}
		if o.Class == CKOPrivateKey {
			l.privateKeys = append(l.privateKeys, o)
			if id := string(o.ID()); id != "" {
				l.keysByID[id] = append(l.keysByID[id], o)
			}
			continue
		}
		l.publicKeys = append(l.publicKeys, o)
		if told {
			l.publicsOf[string(public.SPKI)] = append(l.publicsOf[string(public.SPKI)], o)
			l.addHalf(o.ID(), public)
		}
	}
	for _, c := range l.certificates {
		if c.Parsed != nil && len(c.Parsed.PublicKey.SPKI) > 0 {
			public := c.Parsed.PublicKey
			l.certsOf[string(public.SPKI)] = append(l.certsOf[string(public.SPKI)], c)
			l.addHalf(c.Object.ID(), public)
		}
	}
	return l
}

func (l *linker) addHalf(id []byte, public pki.PublicKey) {
	if len(id) > 0 && !slices.ContainsFunc(l.halvesByID[string(id)], public.Equal) {
		l.halvesByID[string(id)] = append(l.halvesByID[string(id)], public)
	}
}

// candidates lists the different public keys that a private key without one of its own may have, judged by CKA_ID, key
// type and curve.
func (l *linker) candidates(key *Object) []pki.PublicKey {
	var found []pki.PublicKey
	for _, half := range l.halvesByID[string(key.ID())] {
		if couldBe(key, half) {
			found = append(found, half)
		}
	}
	return found
}

// couldBe tells whether a private key's type and curve fit a public key.
func couldBe(key *Object, public pki.PublicKey) bool {
	keyType, told := key.KeyType()
	if !told {
		return true
	}
	switch keyType {
	case CKKRSA:
		return public.Algorithm == "RSA" || public.Algorithm == "RSA-PSS"
	case CKKEC, CKKECEdwards:
		algorithm, curve, _, err := pki.ECParams(key.Attributes.Bytes(CKAECParams))
		return err != nil || algorithm == public.Algorithm && curve == public.Curve
	}
	return true
}

// ambiguity is a private key that CKA_ID alone cannot place.
type ambiguity struct {
	key        *Object
	candidates []pki.PublicKey
}

// ambiguities lists the private keys without a public key of their own that have several candidates, or share a
// candidate with another such key.
func (l *linker) ambiguities() []ambiguity {
	var open []ambiguity
	claims := map[string]int{}
	for _, key := range l.privateKeys {
		if _, told := l.own[key]; told {
			continue
		}
		candidates := l.candidates(key)
		for _, candidate := range candidates {
			claims[string(candidate.SPKI)]++
		}
		open = append(open, ambiguity{key, candidates})
	}
	return slices.DeleteFunc(open, func(a ambiguity) bool {
		return len(a.candidates) == 0 || len(a.candidates) == 1 && claims[string(a.candidates[0].SPKI)] == 1
	})
}

// Identities puts a token's certificates, private keys and public keys together. Every one of them is in the result, in
// the token's order: private keys first, then the certificates and the public keys that no private key was found for.
// A private key that could belong to several certificates, and whose public key nothing proves, stays alone.
func (inventory *Inventory) Identities() []Identity {
	l := newLinker(inventory.Objects)
	unclear := map[*Object]bool{}
	for _, a := range l.ambiguities() {
		unclear[a.key] = true
	}
	var identities []Identity
	linked := map[*Object]bool{}
	for _, key := range l.privateKeys {
		for _, identity := range l.identitiesOf(key, unclear[key]) {
			identities = append(identities, identity)
			for _, o := range identity.Objects() {
				linked[o] = true
			}
			for _, o := range l.publicsOf[string(identity.Public.SPKI)] { // a public key may be there twice
				linked[o] = true
			}
		}
	}
	for _, c := range l.certificates {
		if linked[c.Object] {
			continue
		}
		identity := Identity{Certificate: c, LinkedBy: LinkedByNone}
		if c.Parsed != nil {
			identity.Public = c.Parsed.PublicKey
			if publics := l.publicsOf[string(identity.Public.SPKI)]; len(publics) > 0 {
				identity.PublicKey = publics[0]
				linked[publics[0]] = true
			}
		}
		identity.Stranger = l.stranger(c)
		identities = append(identities, identity)
	}
	for _, o := range l.publicKeys {
		if !linked[o] {
			identities = append(identities, Identity{PublicKey: o, Public: l.own[o], LinkedBy: LinkedByNone})
		}
	}
	return identities
}

// stranger is a private key with the certificate's CKA_ID that is shown to be another certificate's: by its public key, or
// because it is of another type.
func (l *linker) stranger(c *Certificate) *Object {
	if c.Parsed == nil || len(c.Parsed.PublicKey.SPKI) == 0 {
		return nil
	}
	for _, key := range l.keysByID[string(c.Object.ID())] {
		own, told := l.own[key]
		if told && !own.Equal(c.Parsed.PublicKey) || !couldBe(key, c.Parsed.PublicKey) {
			return key
		}
	}
	return nil
}

// identitiesOf gives one identity for each certificate of the key, or one without a certificate.
func (l *linker) identitiesOf(key *Object, unclear bool) []Identity {
	identity := Identity{PrivateKey: key, LinkedBy: LinkedByNone}
	link := LinkedByPublicKey
	public, told := l.own[key]
	if !told && !unclear {
		if candidates := l.candidates(key); len(candidates) == 1 {
			public, link = candidates[0], LinkedByID
		}
	}
	if len(public.SPKI) == 0 {
		return []Identity{identity}
	}
	identity.Public = public
	if publics := l.publicsOf[string(public.SPKI)]; len(publics) > 0 {
		identity.PublicKey, identity.LinkedBy = publics[0], link
	}
	var identities []Identity
	for _, c := range l.certsOf[string(public.SPKI)] {
		pair := identity
		pair.Certificate, pair.LinkedBy = c, link
		identities = append(identities, pair)
	}
	if len(identities) == 0 {
		identities = append(identities, identity)
	}
	return identities
}
