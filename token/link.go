package token

import (
	"bytes"
	"slices"

	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// linker holds one token's certificates and keys, indexed by public key and by CKA_ID, while they are put together.
type linker struct {
	certificates []*Certificate
	publicKeys   []*Object
	privateKeys  []*Object

	faults   map[Class]*Fault                // the first of each class
	private  bool                            // an object has CKA_PRIVATE
	withheld bool                            // a certificate was left out of a snapshot
	holders  map[string]*holders             // by SubjectPublicKeyInfo
	halves   []*pki.PublicKey                // every public key that a certificate or a public key object has, once
	hints    map[string]*hints               // by CKA_ID
	keysByID map[string][]*Object            // private keys of which one may show that a certificate is another one's
	sameAs   map[*Certificate][]*Certificate // of those that are the same more than once, with the first the others
	again    map[*Certificate]bool           // these others
	issuers  map[foreign.Text]bool           // the names that certificates have for their issuers, but for their own
}

// holders are the objects with one public key.
type holders struct {
	certificates      []*Certificate
	publics, privates []*Object
}

// hints are the different public keys with one CKA_ID.
type hints struct {
	halves []*pki.PublicKey
	taken  int // so many, from the first on, are shown to be a private key's: they are tried last for another one
}

func newLinker(objects []*Object) *linker {
	l := &linker{
		certificates: certificates(objects), faults: map[Class]*Fault{}, holders: map[string]*holders{}, hints: map[string]*hints{},
		sameAs: map[*Certificate][]*Certificate{}, again: map[*Certificate]bool{}, issuers: map[foreign.Text]bool{},
	}
	hinted := map[hint]bool{}
	for _, o := range objects {
		if fault := o.Fault(); fault != nil && l.faults[o.Class] == nil {
			l.faults[o.Class] = fault
		}
		l.private = l.private || o.private()
		l.withheld = l.withheld || o.Withheld()
		switch o.Class {
		case CKOPrivateKey:
			l.privateKeys = append(l.privateKeys, o)
		case CKOPublicKey:
			l.publicKeys = append(l.publicKeys, o)
			if own := o.own(); own.known {
				h := l.hold(own.public)
				h.publics = append(h.publics, o)
				l.addHalf(hinted, o.ID(), &own.public, h)
			}
		}
	}
	l.findSame()
	for _, c := range l.certificates {
		if c.Parsed != nil && c.Parsed.Issuer != c.Parsed.Subject {
			l.issuers[c.Parsed.Issuer] = true
		}
		if c.Parsed != nil && len(c.Parsed.PublicKey.SPKI) > 0 {
			h := l.hold(c.Parsed.PublicKey)
			h.certificates = append(h.certificates, c)
			l.addHalf(hinted, c.Object.ID(), &c.Parsed.PublicKey, h)
		}
	}
	l.addPrivateKeys()
	return l
}

// holdersOf are the objects with a public key, none for one that no object has.
func (l *linker) holdersOf(public pki.PublicKey) *holders {
	if h := l.holders[string(public.SPKI)]; h != nil {
		return h
	}
	return &holders{}
}

// hold is holdersOf, to be added to.
func (l *linker) hold(public pki.PublicKey) *holders {
	h := l.holders[string(public.SPKI)]
	if h == nil {
		h = &holders{}
		l.holders[string(public.SPKI)] = h
	}
	return h
}

// addPrivateKeys notes what is known of the private keys: anew after signatures have shown more.
func (l *linker) addPrivateKeys() {
	l.keysByID = map[string][]*Object{}
	for _, h := range l.holders {
		h.privates = nil
	}
	alike := map[likeness]bool{}
	for _, o := range l.privateKeys {
		own := o.own()
		if own.known {
			h := l.hold(own.public)
			h.privates = append(h.privates, o)
		}
		if id := string(o.ID()); id != "" {
			like := o.likeness(own.public)
			if like.id = id; !alike[like] {
				alike[like] = true
				l.keysByID[id] = append(l.keysByID[id], o)
			}
		}
	}
}

// likeness is the same for private keys that say the same of every certificate with their CKA_ID.
type likeness struct{ id, public, keyType, params, refuted string }

func (o *Object) likeness(public pki.PublicKey) likeness {
	if len(public.SPKI) > 0 {
		return likeness{public: string(public.SPKI)}
	}
	return likeness{
		keyType: string(o.Attributes.Bytes(CKAKeyType)), params: string(o.Attributes.Bytes(CKAECParams)), refuted: string(bytes.Join(o.RefutedPublicKeys, nil)),
	}
}

// hint is a public key under a CKA_ID.
type hint struct{ id, key string }

func (l *linker) addHalf(hinted map[hint]bool, id []byte, public *pki.PublicKey, h *holders) {
	if of := (hint{string(id), public.Same()}); !hinted[of] {
		hinted[of] = true
		if l.hints[of.id] == nil {
			l.hints[of.id] = &hints{}
		}
		l.hints[of.id].halves = append(l.hints[of.id].halves, public)
	}
	if len(h.certificates)+len(h.publics) == 1 { // the first of it
		l.halves = append(l.halves, public)
	}
}

// hinted lists the different public keys with a private key's CKA_ID that it may have, judged by key type, by curve, and by
// what it answered.
func (l *linker) hinted(key *Object) []*pki.PublicKey {
	own := key.own()
	return slices.DeleteFunc(slices.Clone(l.hintsFor(key).halves), func(half *pki.PublicKey) bool {
		return key.ruledOut(own.public, *half)
	})
}

// couldBe reports whether a private key's type and curve fit a public key.
func couldBe(key *Object, public pki.PublicKey) bool {
	keyType, known := key.KeyType()
	if !known {
		return true
	}
	switch keyType {
	case CKKRSA:
		return public.Algorithm == "RSA" || public.Algorithm == "RSA-PSS"
	case CKKEC, CKKECEdwards:
		algorithm, curve, _, err := pki.ECParams(key.Attributes.Bytes(CKAECParams))
		return err != nil && public.Algorithm != "RSA" && public.Algorithm != "RSA-PSS" || algorithm == public.Algorithm && curve == public.Curve
	}
	_, ofKnownType := keyTypes[public.Algorithm]
	return keyType >= ckkVendorDefined || !ofKnownType
}

// ckkVendorDefined is from where on a key type is a vendor's, and may be anything.
const ckkVendorDefined KeyType = 0x80000000

// refuted reports whether a signature has shown that the private key is another one's.
func (o *Object) refuted(public pki.PublicKey) bool {
	return slices.ContainsFunc(o.RefutedPublicKeys, func(spki []byte) bool { return bytes.Equal(spki, public.SPKI) })
}

// linkedByID gives the private keys that are linked by CKA_ID alone their public key: those that nothing tells the public half
// of, with one that they may have, which is no other key's and which no other such key may have as well. A public key that is
// shown to be another private key's is not given to a second one.
func (l *linker) linkedByID() map[*Object]*pki.PublicKey {
	alike := map[likeness][]*Object{}
	for _, key := range l.privateKeys {
		if !key.own().known && len(key.ID()) > 0 {
			like := key.likeness(pki.PublicKey{})
			like.id = string(key.ID())
			alike[like] = append(alike[like], key)
		}
	}
	only, claims := map[*Object]*pki.PublicKey{}, map[string]int{}
	for _, keys := range alike {
		hinted := slices.DeleteFunc(l.hinted(keys[0]), func(half *pki.PublicKey) bool { return len(l.holdersOf(*half).privates) > 0 })
		for _, half := range hinted {
			claims[string(half.SPKI)] += len(keys)
		}
		if len(hinted) == 1 {
			only[keys[0]] = hinted[0]
		}
	}
	for key, half := range only {
		if claims[string(half.SPKI)] > 1 {
			delete(only, key)
		}
	}
	return only
}

// Identities puts a token's certificates, private keys and public keys together. Every one of them is in the result: private
// keys first, then the certificates and the public keys that no private key was found for, each in the token's order. Which of
// them belong together does not depend on that order. A private key that could belong to several certificates, and whose
// public key nothing proves, stays alone.
func (inventory *Inventory) Identities() []Identity {
	l := inventory.linker
	if l == nil {
		l = newLinker(inventory.Objects)
	}
	byID := l.linkedByID()
	var identities []Identity
	linked := map[*Object]bool{}
	add := func(found ...Identity) {
		for _, identity := range found {
			identities = append(identities, identity)
			for _, o := range append(identity.Objects(), identity.Copies...) {
				linked[o] = true
			}
		}
	}
	for _, key := range l.privateKeys {
		if linked[key] {
			continue
		}
		identity := Identity{PrivateKey: key, LinkedBy: LinkedByNone}
		hinted := byID[key]
		switch own := key.own(); {
		case own.known:
			identity.Public = own.public
			identity.PrivateKey, identity.Copies = best(l.holdersOf(own.public).privates)
			add(l.withHalves(identity, identity.PrivateKey.linkOfOwn())...)
		case hinted != nil:
			identity.Public = *hinted
			add(l.withHalves(identity, LinkedByID)...)
		default:
			add(identity)
		}
	}
	for _, c := range l.certificates {
		if !linked[c.Object] {
			add(l.withoutKey(c))
		}
	}
	for _, o := range l.publicKeys {
		if linked[o] {
			continue
		}
		identity := Identity{PublicKey: o, Public: o.own().public, LinkedBy: LinkedByNone}
		if same := l.holdersOf(identity.Public).publics; len(same) > 1 {
			identity.PublicKey, identity.Copies = same[0], same[1:]
		}
		add(identity)
	}
	findPossible(identities, byID)
	return identities
}

// best chooses, among objects that hold the same private key, the one that can leave and be used most easily; the first of
// those that are alike.
func best(same []*Object) (chosen *Object, copies []*Object) {
	worth := func(o *Object) int {
		n := 0
		for i, is := range []bool{
			len(o.ProvenPublicKey) == 0, o.Attributes.Bool(CKASign) != False, o.Attributes.Bool(CKAAlwaysAuthenticate) != True,
			o.Attributes.Bool(CKAWrapWithTrusted) != True, o.Attributes.Bool(CKASensitive) == False, o.Attributes.Bool(CKAExtractable) == True,
		} {
			if is {
				n += 1 << i
			}
		}
		return n
	}
	chosen = slices.MaxFunc(same, func(a, b *Object) int { return worth(a) - worth(b) })
	return chosen, slices.DeleteFunc(slices.Clone(same), func(o *Object) bool { return o == chosen })
}

// withHalves adds what has the key's public key: one identity for each different certificate, or one without.
func (l *linker) withHalves(identity Identity, link Link) []Identity {
	if publics := l.holdersOf(identity.Public).publics; len(publics) > 0 {
		identity.PublicKey, identity.LinkedBy = publics[0], link
		identity.Copies = append(identity.Copies, publics[1:]...)
	}
	var identities []Identity
	for _, c := range l.holdersOf(identity.Public).certificates {
		if l.again[c] {
			continue
		}
		pair := identity
		pair.Certificate, pair.LinkedBy = c, link
		pair.Copies = slices.Clone(identity.Copies)
		for _, c := range l.sameAs[c] {
			pair.Copies = append(pair.Copies, c.Object)
		}
		identities = append(identities, pair)
	}
	if len(identities) == 0 {
		return []Identity{identity}
	}
	return identities
}

// withoutKey is the identity of a certificate that no private key was found for.
func (l *linker) withoutKey(c *Certificate) Identity {
	identity := Identity{Certificate: c, LinkedBy: LinkedByNone}
	if c.Parsed == nil {
		return identity
	}
	identity.Public = c.Parsed.PublicKey
	if publics := l.holdersOf(identity.Public).publics; len(publics) > 0 {
		identity.PublicKey, identity.Copies = publics[0], slices.Clone(publics[1:])
	}
	for _, other := range l.sameAs[c] {
		identity.Copies = append(identity.Copies, other.Object)
	}
	identity.Mismatch = l.mismatch(c)
	return identity
}

// findSame notes which certificates are the same byte for byte. One that could not be read is the same as none.
func (l *linker) findSame() {
	firsts := map[string]*Certificate{}
	for _, c := range l.certificates {
		if c.Parsed == nil || c.Parsed.SHA256() == "" {
			continue
		}
		digest := c.Parsed.SHA256()
		if first := firsts[digest]; first != nil {
			l.sameAs[first], l.again[c] = append(l.sameAs[first], c), true
		} else {
			firsts[digest] = c
		}
	}
}

// mismatch is a private key with the certificate's CKA_ID that is shown to be another one's: by its public key, by a
// signature, or because it is of another type.
func (l *linker) mismatch(c *Certificate) *Object {
	public := c.Parsed.PublicKey
	if len(public.SPKI) == 0 {
		return nil
	}
	for _, key := range l.keysByID[string(c.Object.ID())] {
		if key.ruledOut(key.own().public, public) {
			return key
		}
	}
	return nil
}
