package token

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"p11bridge/token/cryptoki"
	"p11bridge/token/pki"
)

// KeyKind is what a new key pair is to be. Params is the DER of CKA_EC_PARAMS for EC.
type KeyKind struct {
	Algorithm string // "RSA", "EC" or "Ed25519"
	Bits      int    // for RSA
	Curve     string // for EC, to be shown
	Params    []byte

	Decrypt bool // CKA_DECRYPT, for RSA
	Derive  bool // CKA_DERIVE, for EC
}

// KeyPair is a key pair that was made on the token.
type KeyPair struct {
	Private, Public *Object
	Key             pki.PublicKey
}

// edwardsOID is the other way to name Ed25519 in CKA_EC_PARAMS (RFC 8410 §3).
var edwardsOID = []byte{0x06, 0x03, 0x2B, 0x65, 0x70}

// NewKeyPair makes a key pair on the token (PKCS#11 v3.1 §5.18.2) and reads back what became of it. Its CKA_ID is the SHA-1 of
// the public key where the token lets it be set afterwards, else random. The error is an *Error or an *AnswerError.
func (a *Additions) NewKeyPair(ctx context.Context, kind KeyKind, label string, policy Policy) (*KeyPair, error) {
	id := make([]byte, 20)
	if _, err := rand.Read(id); err != nil {
		return nil, fmt.Errorf("make a CKA_ID: %w", err)
	}
	halves, pair, err := a.generatePair(kind, Name{Label: label, ID: id}, true, policy)
	if err == nil {
		pair, err = halves.rename(a, pair)
	}
	if err == nil {
		err = ctx.Err()
	}
	return pair, err
}

// GenerateKeyPair is NewKeyPair for a name that is given, and stays.
func (a *Additions) GenerateKeyPair(kind KeyKind, name Name, policy Policy) (*KeyPair, error) {
	_, pair, err := a.generatePair(kind, name, false, policy)
	return pair, err
}

// KeyKindOf is the kind that a name stands for: rsa and its bits, p256, p384, p521 or ed25519, and the size of its keys. The kind of
// any other name has no algorithm.
func KeyKindOf(name string) (kind KeyKind, bits int) {
	if n, err := fmt.Sscanf(name, "rsa%d", &bits); n == 1 && err == nil {
		return KeyKind{Algorithm: "RSA", Bits: bits}, bits
	}
	if name == "ed25519" {
		return KeyKind{Algorithm: "Ed25519"}, 256
	}
	curve, bits := map[string]string{"p256": "P-256", "p384": "P-384", "p521": "P-521"}[name], map[string]int{"p256": 256, "p384": 384, "p521": 521}[name]
	params, err := CurveParams(curve)
	if err != nil {
		return KeyKind{}, 0
	}
	return KeyKind{Algorithm: "EC", Curve: curve, Params: params}, bits
}

// generation is the mechanism that makes key pairs of the kind (PKCS#11 v3.1 §6.1.5, §6.3.11, §6.3.14).
func (kind KeyKind) generation() CKM {
	switch kind.Algorithm {
	case "RSA":
		return pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN
	case "Ed25519":
		return 0x1055 // CKM_EC_EDWARDS_KEY_PAIR_GEN, PKCS#11 v3.0
	}
	return pkcs11.CKM_EC_KEY_PAIR_GEN
}

// Generates reports whether a token that lists these mechanisms may make key pairs of the kind. One that lists none at all does not
// tell, and remoting hides the mechanism of Edwards keys.
func Generates(listed []Mechanism, kind KeyKind) bool {
	hidden := kind.Algorithm == "Ed25519" && Generates(listed, KeyKind{Algorithm: "EC"})
	return len(listed) == 0 || hidden || slices.ContainsFunc(listed, func(m Mechanism) bool { return m.Type == kind.generation() })
}

// GeneratesAny is Generates for any kind of key.
func GeneratesAny(listed []Mechanism) bool {
	return slices.ContainsFunc([]string{"RSA", "EC", "Ed25519"}, func(algorithm string) bool { return Generates(listed, KeyKind{Algorithm: algorithm}) })
}

// Planned is the private key of a pair that is still to be made, as far as it is settled.
func Planned(kind KeyKind, policy Policy) *Object {
	keyType := map[string]KeyType{"RSA": CKKRSA, "EC": CKKEC, "Ed25519": CKKECEdwards}[kind.Algorithm]
	planned := &Object{Class: CKOPrivateKey}
	for _, attribute := range append(policy.attributes(), ulong(CKAKeyType, uint(keyType))) {
		planned.Attributes.Set(Attribute(attribute.Type), Answer{Value: attribute.Value})
	}
	return planned
}

// pairHalves are the two objects of a key pair that was asked for.
type pairHalves struct{ public, private *addition }

// generatePair has the token make a key pair. unique says that no other object has the name's CKA_ID.
func (a *Additions) generatePair(kind KeyKind, name Name, unique bool, policy Policy) (*pairHalves, *KeyPair, error) {
	keyType, forms, err := kind.forms()
	if err != nil {
		return nil, nil, err
	}
	for _, form := range forms {
		public, private := kind.templates(keyType, form, name, policy)
		halves := &pairHalves{
			public:  &addition{class: CKOPublicKey, names: []Name{name}, unique: unique},
			private: &addition{class: CKOPrivateKey, names: []Name{name}, unique: unique},
		}
		err = a.make("C_GenerateKeyPair", kind.Algorithm, []*addition{halves.public, halves.private}, func() ([]pkcs11.ObjectHandle, error) {
			s := a.session
			publicKey, privateKey, err := s.module.functions.GenerateKeyPair(s.handle, cryptoki.Mechanism{Type: uint(kind.generation())}, public, private)
			return []pkcs11.ObjectHandle{publicKey, privateKey}, err
		})
		if err == nil {
			pair, err := halves.pair()
			return halves, pair, err
		}
		var answer *AnswerError
		if code, known := CodeOf(err); !known || connectionLost(code) || errors.As(err, &answer) {
			break
		}
	}
	return nil, nil, err
}

// templateForm is one way to ask for a key pair.
type templateForm struct {
	params  []byte // CKA_EC_PARAMS
	implied bool   // what an RSA key may not do is left out
}

// forms are the ways to ask for a key pair of the kind, in the order in which a token is asked. tpm2-pkcs11 1.9 makes no RSA keys
// where CKA_ENCRYPT or CKA_DECRYPT is there and false.
func (kind KeyKind) forms() (KeyType, []templateForm, error) {
	switch kind.Algorithm {
	case "RSA":
		forms := []templateForm{{}}
		if !kind.Decrypt {
			forms = append(forms, templateForm{implied: true})
		}
		return CKKRSA, forms, nil
	case "Ed25519":
		printable, err := CurveParams("Ed25519")
		return CKKECEdwards, []templateForm{{params: printable}, {params: edwardsOID}}, err
	case "EC":
		return CKKEC, []templateForm{{params: kind.Params}}, nil
	}
	return 0, nil, &pki.UnsupportedError{Algorithm: kind.Algorithm}
}

func (kind KeyKind) templates(keyType KeyType, form templateForm, name Name, policy Policy) (public, private []*pkcs11.Attribute) {
	public = append(name.attributes(), ulong(CKAKeyType, uint(keyType)), boolean(pkcs11.CKA_TOKEN, true), boolean(pkcs11.CKA_PRIVATE, false),
		boolean(pkcs11.CKA_VERIFY, true))
	private = append(policy.attributes(), append(name.attributes(), ulong(CKAKeyType, uint(keyType)), boolean(pkcs11.CKA_SIGN, true))...)
	if keyType == CKKRSA {
		public = append(public, pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, kind.Bits), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
		if !form.implied {
			public, private = append(public, boolean(pkcs11.CKA_ENCRYPT, kind.Decrypt)), append(private, boolean(pkcs11.CKA_DECRYPT, kind.Decrypt))
		}
		return public, private
	}
	if kind.Derive {
		private = append(private, boolean(pkcs11.CKA_DERIVE, true))
	}
	return append(public, pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, form.params)), private
}

// read reads both halves anew.
func (h *pairHalves) read(s *Session) (*KeyPair, error) {
	for _, half := range []*addition{h.public, h.private} {
		object, err := s.readObject(half.object.handle)
		if err != nil {
			return nil, err
		}
		half.object = object
	}
	return h.pair()
}

func (h *pairHalves) pair() (*KeyPair, error) {
	key, known := PublicKeyOf(h.public.object)
	if !known {
		return nil, &AnswerError{Function: "C_GenerateKeyPair", Fault: AnswerData, Err: errors.New("the token does not tell the public key that it generated")}
	}
	return &KeyPair{Private: h.private.object, Public: h.public.object, Key: key}, nil
}

// rename gives both halves the CKA_ID that a key customarily has. A token that does not allow it keeps the one they have; both
// must end with the same.
func (h *pairHalves) rename(a *Additions, pair *KeyPair) (*KeyPair, error) {
	s := a.session
	old, err := bytes.Clone(pair.Private.ID()), error(nil)
	for _, id := range [][]byte{pair.Key.KeyID(), old} {
		for _, half := range []*addition{h.private, h.public} {
			half.names = append(half.names, Name{Label: half.names[0].Label, ID: id}) // it may have either now
		}
		a.noteWanted([]*addition{})
		for _, half := range []*addition{h.private, h.public} {
			if err := s.setID(half.object, id); Lost(err) {
				return nil, err
			}
		}
		if pair, err = h.read(s); err != nil {
			return nil, err
		}
		if !bytes.Equal(pair.Private.ID(), pair.Public.ID()) {
			continue // what was read may be none of those that were given: all of them stay its names
		}
		for _, half := range []*addition{h.private, h.public} {
			half.names = []Name{{Label: half.names[0].Label, ID: half.object.ID()}}
		}
		return pair, nil
	}
	return nil, &AnswerError{Function: "C_GenerateKeyPair", Fault: AnswerData, Err: errors.New("the halves of the key pair have different CKA_IDs")}
}

func (s *Session) setID(o *Object, id []byte) error {
	return s.call("C_SetAttributeValue", CKAID.String(), func() error {
		return s.module.functions.SetAttributeValue(s.handle, o.handle, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, id)})
	})
}
