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

// PairRemainsError means that C_DestroyObject was called for a key pair that still shows on the token.
type PairRemainsError struct {
	ID  []byte
	Err error // what the token answered; nil where it claimed success
}

// Error names the key pair by its CKA_ID.
func (e *PairRemainsError) Error() string {
	return fmt.Sprintf("the new key pair with CKA_ID %x is still on the token", e.ID)
}

// Unwrap gives the token's answer.
func (e *PairRemainsError) Unwrap() error { return e.Err }

// edwardsOID is the other way to name Ed25519 in CKA_EC_PARAMS (RFC 8410 §3).
var edwardsOID = []byte{0x06, 0x03, 0x2B, 0x65, 0x70}

// NewKeyPair makes a key pair on the token of a read-write session (PKCS#11 v3.1 §5.18.2) and reads back what became of it.
// Its CKA_ID is the SHA-1 of the public key where the token lets it be set afterwards, else random. The error is an
// *Error; a pair that was made and cannot be used is removed before.
func (s *Session) NewKeyPair(ctx context.Context, kind KeyKind, label string, policy Policy) (*KeyPair, error) {
	id := make([]byte, 20)
	if _, err := rand.Read(id); err != nil {
		return nil, fmt.Errorf("make a CKA_ID: %w", err)
	}
	pair, err := s.generatePair(kind, Name{Label: label, ID: id}, policy)
	var answer *AnswerError
	if errors.As(err, &answer) { // there may be a pair all the same
		return nil, errors.Join(err, s.destroyNamed(id))
	}
	if err != nil {
		return nil, err
	}
	err = s.readPair(pair)
	if err == nil {
		err = s.renamePair(pair, pair.Key.KeyID())
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		pair.Private.Attributes = Attributes{CKAID: {Value: id}}
		return nil, errors.Join(err, s.DestroyPair(pair))
	}
	return pair, nil
}

func (s *Session) generatePair(kind KeyKind, name Name, policy Policy) (*KeyPair, error) {
	mechanism, keyType, paramsToTry := uint(pkcs11.CKM_EC_KEY_PAIR_GEN), CKKEC, [][]byte{kind.Params}
	switch kind.Algorithm {
	case "RSA":
		mechanism, keyType, paramsToTry = pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, CKKRSA, [][]byte{nil}
	case "Ed25519":
		printable, err := CurveParams("Ed25519")
		if err != nil {
			return nil, err
		}
		mechanism, keyType, paramsToTry = 0x1055, CKKECEdwards, [][]byte{printable, edwardsOID} // CKM_EC_EDWARDS_KEY_PAIR_GEN, PKCS#11 v3.0
	case "EC":
	default:
		return nil, &pki.UnsupportedError{Algorithm: kind.Algorithm}
	}
	var err error
	for _, params := range paramsToTry {
		public, private := kind.templates(keyType, params, name, policy)
		var publicHandle, privateHandle pkcs11.ObjectHandle
		err = s.call("C_GenerateKeyPair", kind.Algorithm, func() (err error) {
			publicHandle, privateHandle, err = s.module.functions.GenerateKeyPair(s.handle, cryptoki.Mechanism{Type: mechanism}, public, private)
			return err
		})
		if err == nil {
			return &KeyPair{
				Private: &Object{Class: CKOPrivateKey, handle: privateHandle}, Public: &Object{Class: CKOPublicKey, handle: publicHandle},
			}, nil
		}
		if code, told := CodeOf(err); !told || connectionLost(code) {
			break
		}
	}
	return nil, err
}

func (kind KeyKind) templates(keyType KeyType, params []byte, name Name, policy Policy) (public, private []*pkcs11.Attribute) {
	public = append(name.attributes(), ulong(CKAKeyType, uint(keyType)), boolean(pkcs11.CKA_TOKEN, true), boolean(pkcs11.CKA_PRIVATE, false),
		boolean(pkcs11.CKA_VERIFY, true))
	private = append(policy.attributes(), append(name.attributes(), ulong(CKAKeyType, uint(keyType)), boolean(pkcs11.CKA_SIGN, true))...)
	if keyType == CKKRSA {
		return append(public, pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, kind.Bits), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
			boolean(pkcs11.CKA_ENCRYPT, kind.Decrypt)), append(private, boolean(pkcs11.CKA_DECRYPT, kind.Decrypt))
	}
	if kind.Derive {
		private = append(private, boolean(pkcs11.CKA_DERIVE, true))
	}
	return append(public, pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params)), private
}

// readPair reads the attributes of both halves and the public key itself.
func (s *Session) readPair(pair *KeyPair) error {
	for _, o := range []**Object{&pair.Public, &pair.Private} {
		object, err := s.readObject((*o).handle)
		if err != nil {
			return err
		}
		*o = object
	}
	key, told := PublicKeyOf(pair.Public)
	if !told {
		return errors.New("the token does not tell the public key that it generated")
	}
	pair.Key = key
	return nil
}

// renamePair gives both halves another CKA_ID. A token that does not allow it keeps the one they have; both must end with
// the same.
func (s *Session) renamePair(pair *KeyPair, id []byte) error {
	old := bytes.Clone(pair.Private.ID())
	set := func(o *Object, id []byte) error {
		err := s.call("C_SetAttributeValue", CKAID.String(), func() error {
			return s.module.functions.SetAttributeValue(s.handle, o.handle, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, id)})
		})
		if code, told := CodeOf(err); told && connectionLost(code) {
			return err
		}
		return nil
	}
	if err := errors.Join(set(pair.Private, id), set(pair.Public, id), s.readPair(pair)); err != nil {
		return err
	}
	if bytes.Equal(pair.Private.ID(), pair.Public.ID()) {
		return nil
	}
	if err := errors.Join(set(pair.Private, old), set(pair.Public, old), s.readPair(pair)); err != nil {
		return err
	}
	if !bytes.Equal(pair.Private.ID(), pair.Public.ID()) {
		return errors.New("the token gives the halves of a key pair different CKA_IDs")
	}
	return nil
}

// destroyNamed removes what a new key pair without usable handles left on the token: nothing else has its CKA_ID. The error
// is a *PairRemainsError.
func (s *Session) destroyNamed(id []byte) error {
	ctx := context.Background() // what is left must be told after an interruption, too
	find := func() ([]pkcs11.ObjectHandle, error) {
		return s.find(ctx, "the CKA_ID of a new key pair", pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	}
	left, err := find()
	for _, handle := range left {
		err = errors.Join(err, s.destroy(handle, "new key"))
	}
	if err == nil {
		left, err = find()
	}
	if err != nil || len(left) > 0 {
		return &PairRemainsError{ID: id, Err: err}
	}
	return nil
}

// DestroyPair removes both halves of a key pair and looks for them again, since C_DestroyObject may answer CKR_OK and do
// nothing. The error is a *PairRemainsError.
func (s *Session) DestroyPair(pair *KeyPair) error {
	err := errors.Join(s.destroy(pair.Private.handle, "new private key"), s.destroy(pair.Public.handle, "new public key"))
	ctx := context.Background() // what is left must be told after an interruption, too
	remaining, findErr := s.find(ctx, "objects that were removed")
	if findErr != nil {
		return &PairRemainsError{ID: pair.Private.ID(), Err: errors.Join(err, findErr)}
	}
	named, findErr := s.find(ctx, "the CKA_ID that was removed", pkcs11.NewAttribute(pkcs11.CKA_ID, pair.Private.ID()))
	if findErr != nil || len(named) > 0 || slices.Contains(remaining, pair.Private.handle) || slices.Contains(remaining, pair.Public.handle) {
		return &PairRemainsError{ID: pair.Private.ID(), Err: errors.Join(err, findErr)}
	}
	return nil
}
