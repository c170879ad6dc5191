package token

import (
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
)

// Link says how a private key was found to belong to its certificate or public key.
type Link string

// The links. Equal public keys and a signature that verifies are proofs; a CKA_ID is a hint that two objects belong together.
const (
	LinkedByPublicKey Link = "public-key"
	LinkedBySignature Link = "signature" // over a fresh challenge, for a key that does not tell its public half
	LinkedByID        Link = "id"        // the key could not be asked, or may not be without a PIN for it
	LinkedByNone      Link = "none"
)

// Identity is a private key with a certificate, or as much of that as the token holds: a key with two certificates is two
// identities, a key, a certificate or a public key alone is one. Objects that hold the same key or certificate once more make
// no identity of their own.
type Identity struct {
	Certificate *Certificate
	PrivateKey  *Object
	PublicKey   *Object
	Public      pki.PublicKey // zero where no object tells it
	LinkedBy    Link

	// Copies hold the same private key, certificate or public key once more.
	Copies []*Object
	// Mismatch is a private key with the certificate's CKA_ID that is shown to be another one's.
	Mismatch *Object
	// Possible is, of a certificate or public key alone, a private key that may be its own: nothing tells that key's public half, it could not be
	// asked, and nothing ties it to another certificate. Of such a private key without a certificate it is a certificate that may be its own: one that
	// nothing ties to another key, else one that another key has, of which this one may be a copy.
	Possible *Object
}

// Proven reports whether it is shown, and not only told by a CKA_ID, whose the private key is.
func (i Identity) Proven() bool {
	return i.LinkedBy == LinkedByPublicKey || i.LinkedBy == LinkedBySignature
}

// Certificate is a certificate object and what is in it.
type Certificate struct {
	Object  *Object
	Parsed  *pki.Certificate // nil where the value is no X.509 certificate
	Problem string           // why it is none
}

// Objects lists the identity's objects, the one that names it first.
func (i Identity) Objects() []*Object {
	var objects []*Object
	if i.PrivateKey != nil {
		objects = append(objects, i.PrivateKey)
	}
	if i.Certificate != nil {
		objects = append(objects, i.Certificate.Object)
	}
	if i.PublicKey != nil {
		objects = append(objects, i.PublicKey)
	}
	return objects
}

// Label is the first CKA_LABEL of the identity's objects that is not empty, as the token told it.
func (i Identity) Label() foreign.Text {
	for _, o := range i.Objects() {
		if label := o.Label(); label != "" {
			return label
		}
	}
	return ""
}

// certificateTypeX509 is CKC_X_509.
const certificateTypeX509 = 0

func certificates(objects []*Object) []*Certificate {
	var found []*Certificate
	for _, o := range objects {
		if o.Class == CKOCertificate {
			found = append(found, &Certificate{Object: o, Parsed: o.Certificate, Problem: o.CertificateProblem})
		}
	}
	return found
}

// PublicKeyOf gives the public key that a key object tells of itself. It is false where the object does not tell enough,
// as EC private keys mostly do, or where a signature has shown that it tells another one's.
func PublicKeyOf(o *Object) (pki.PublicKey, bool) {
	own := o.own()
	return own.public, own.known
}

// readPublicKey reads what is known of the object, for PublicKeyOf.
func readPublicKey(o *Object) (pki.PublicKey, bool) {
	if len(o.ProvenPublicKey) > 0 {
		key, err := pki.ParsePublicKey(o.ProvenPublicKey)
		return key, err == nil
	}
	if stated, known := statedPublicKey(o); known && !o.refuted(stated) {
		return stated, true
	}
	return pki.PublicKey{}, false
}

// statedPublicKey is what the object's attributes say.
func statedPublicKey(o *Object) (pki.PublicKey, bool) {
	if info := o.Attributes.Bytes(CKAPublicKeyInfo); len(info) > 0 {
		if key, err := pki.ParsePublicKey(info); err == nil {
			return key, true
		}
	}
	key, err := pki.PublicKey{}, error(nil)
	switch keyType, _ := o.KeyType(); keyType {
	case CKKRSA:
		key, err = pki.RSAPublicKey(o.Attributes.Bytes(CKAModulus), o.Attributes.Bytes(CKAPublicExponent))
	case CKKEC:
		key, err = pki.ECPublicKey(o.Attributes.Bytes(CKAECParams), o.Attributes.Bytes(CKAECPoint))
	case CKKECEdwards:
		key, err = pki.EdwardsPublicKey(o.Attributes.Bytes(CKAECParams), o.Attributes.Bytes(CKAECPoint))
	default:
		return key, false
	}
	return key, err == nil && len(key.SPKI) > 0
}
