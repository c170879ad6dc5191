package token

import (
	"context"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/big"
	"slices"

	"github.com/miekg/pkcs11"

	"p11bridge/token/cryptoki"
	"p11bridge/token/keywrap"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// WrapMechanisms are the mechanisms under which a key can be carried out by C_WrapKey, in the order in which they are
// tried: an authenticated wrap with padding first, a wrap through an RSA key last.
var WrapMechanisms = []CKM{CKMAESKeyWrapPad, CKMAESKeyWrapKWP, CKMAESKeyWrap, CKMRSAAESKeyWrap}

// Attempt is what a token answered when a key was to be carried out under one mechanism.
type Attempt struct {
	Mechanism CKM    `json:"mechanism"`
	Function  string `json:"function"`
	Code      CKR    `json:"-"`
	Problem   string `json:"problem,omitempty"` // where the token said CKR_OK and the result could not be used
}

// Answer is the return value, or what was wrong with what came out.
func (a Attempt) Answer() string {
	if a.Problem != "" {
		return a.Problem
	}
	return a.Code.String()
}

// OfParts reports whether a part of the key was asked for, and withheld: no mechanism is in that.
func (a Attempt) OfParts() bool { return a.Function == "C_GetAttributeValue" }

// String is the attempt in the words of evidence: "CKM_…: C_…: CKR_…".
func (a Attempt) String() string {
	if a.OfParts() {
		return a.Function + ": " + a.Answer()
	}
	return a.Mechanism.String() + ": " + a.Function + ": " + a.Answer()
}

// WrapError means that no mechanism carried the key out.
type WrapError struct {
	Attempts []Attempt
	// AboutKey means that the last answer refuses the key itself, so that no other mechanism was tried.
	AboutKey bool
}

// Error names the last attempt.
func (e *WrapError) Error() string {
	if len(e.Attempts) == 0 {
		return "the token has no mechanism that wraps a private key"
	}
	last := e.Attempts[len(e.Attempts)-1]
	return fmt.Sprintf("%s with %s: %s", last.Function, last.Mechanism, last.Answer())
}

// Fault is the first answer that is no verdict on a key or a mechanism but a failure of the token: a return value such as
// CKR_GENERAL_ERROR, a one-time key that could not be destroyed, or CKR_OK with something that is no wrapped key. It is nil
// where every answer can be understood.
func (e *WrapError) Fault() error {
	for _, attempt := range e.Attempts {
		if attempt.Problem != "" {
			return &AnswerError{Function: attempt.Function, Fault: AnswerWrapped, Err: fmt.Errorf("CKR_OK with %s, and no wrapped key: %s", attempt.Mechanism, attempt.Problem)}
		}
		if answer := (&Error{Function: attempt.Function, Code: attempt.Code}); attempt.Code != CKROK && !answer.Judges() {
			return answer
		}
	}
	return nil
}

// Wrap carries a private key out under a one-time key that the token is given as a session object and that is destroyed
// right after (PKCS#11 v3.1 §5.18.3). A read-only session is enough. The mechanisms that the token lists are tried first,
// then the AES ones that it does not list, since remoting hides mechanisms; the search ends at an answer that refuses the
// key itself. The caller wipes the key. Without success the error is a *WrapError.
func (s *Session) Wrap(ctx context.Context, key *Object, listed []Mechanism, random io.Reader) (*pki.PrivateKey, CKM, error) {
	failure := &WrapError{}
	for _, mechanism := range wrapOrder(listed) {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		carried, attempt, err := s.wrapUnder(mechanism, key, random)
		if err != nil {
			return nil, 0, err
		}
		if carried != nil {
			return carried, mechanism, nil
		}
		failure.Attempts = append(failure.Attempts, attempt)
		if attempt.RefusesKey() {
			failure.AboutKey = true
			return nil, 0, failure
		}
		if attempt.Function == "C_WrapKey" && attempt.Code == CKRFunctionNotSupported { // for every mechanism
			return nil, 0, failure
		}
	}
	return nil, 0, failure
}

// RefusesKey reports whether the answer refuses the key itself, whatever the mechanism.
func (a Attempt) RefusesKey() bool {
	return a.Function == "C_WrapKey" && a.Problem == "" && a.Code.is(aboutKey)
}

func wrapOrder(listed []Mechanism) []CKM {
	var first, then []CKM
	for _, mechanism := range WrapMechanisms {
		if slices.ContainsFunc(listed, func(m Mechanism) bool { return m.Type == mechanism }) {
			first = append(first, mechanism)
		} else if mechanism != CKMRSAAESKeyWrap { // not worth an RSA key where the token does not list it
			then = append(then, mechanism)
		}
	}
	return append(first, then...)
}

// wrapUnder makes one attempt. The error is for a lost connection, an answer that cannot be used, and a kind of key that is
// unknown here; what the token answered otherwise is in the attempt.
func (s *Session) wrapUnder(mechanism CKM, key *Object, random io.Reader) (*pki.PrivateKey, Attempt, error) {
	attempt := Attempt{Mechanism: mechanism, Function: "C_CreateObject"}
	oneTime, err := newOneTimeKey(mechanism, random)
	if err != nil {
		return nil, attempt, err
	}
	defer oneTime.wipe()
	wrapped, err := s.wrapWith(oneTime.template(), oneTime.mechanisms(), key)
	if err != nil {
		var known bool
		if attempt.Code, known = CodeOf(err); !known || connectionLost(attempt.Code) {
			return nil, attempt, err
		}
		attempt.Function = functionOf(err)
		return nil, attempt, nil
	}
	attempt.Function = "C_WrapKey"
	clear, err := oneTime.unwrap(wrapped)
	if err != nil {
		attempt.Problem = err.Error()
		return nil, attempt, nil
	}
	defer secret.Wipe(clear)
	secret.Lock(clear)
	carried, err := pki.ParsePrivateKey(keywrap.TrimPKCS7(clear))
	var unsupported *pki.UnsupportedError
	if errors.As(err, &unsupported) {
		return nil, attempt, err
	}
	if err != nil {
		attempt.Problem = err.Error()
		return nil, attempt, nil
	}
	return carried, attempt, nil
}

// wrapWith puts a wrapping key on the token as a session object, wraps the key under it and destroys it. A token that does
// not take the mechanism's parameters is offered the next ones.
func (s *Session) wrapWith(template []*pkcs11.Attribute, mechanisms []cryptoki.Mechanism, key *Object) (wrapped []byte, err error) {
	wrapping, err := s.makeForSession("C_CreateObject", "one-time wrapping key", classIn(template), func() (pkcs11.ObjectHandle, error) {
		return s.module.functions.CreateObject(s.handle, template)
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if discarded := s.Discard(wrapping); err == nil {
			err = discarded
		}
	}()
	for _, mechanism := range mechanisms {
		err = s.call("C_WrapKey", CKM(mechanism.Type).String(), func() (err error) {
			wrapped, err = s.module.functions.WrapKey(s.handle, mechanism, wrapping.handle, key.handle)
			return err
		})
		if code, _ := CodeOf(err); code != pkcs11.CKR_MECHANISM_PARAM_INVALID {
			break
		}
	}
	return wrapped, err
}

// oneTimeKey is a wrapping key of which this process knows the half that unwraps.
type oneTimeKey interface {
	template() []*pkcs11.Attribute    // the object that the token gets
	mechanisms() []cryptoki.Mechanism // the mechanism with its parameters, the preferred ones first
	unwrap(wrapped []byte) ([]byte, error)
	wipe()
}

func newOneTimeKey(mechanism CKM, random io.Reader) (oneTimeKey, error) {
	if mechanism == CKMRSAAESKeyWrap {
		private, err := rsa.GenerateKey(random, 3072)
		if err != nil {
			return nil, fmt.Errorf("make a one-time RSA key: %w", err)
		}
		return &oneTimeRSA{private}, nil
	}
	value := make([]byte, 32)
	if _, err := io.ReadFull(random, value); err != nil {
		return nil, fmt.Errorf("make a one-time AES key: %w", err)
	}
	return &oneTimeAES{mechanism, value}, nil
}

type oneTimeAES struct {
	mechanism CKM
	value     []byte
}

// template asks for as little as possible: some tokens refuse what they would do anyway.
func (k *oneTimeAES) template() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		ulong(CKAClass, uint(CKOSecretKey)), ulong(CKAKeyType, uint(CKKAES)),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false), pkcs11.NewAttribute(pkcs11.CKA_WRAP, true),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE, k.value),
	}
}

func (k *oneTimeAES) mechanisms() []cryptoki.Mechanism {
	return []cryptoki.Mechanism{{Type: uint(k.mechanism)}}
}

func (k *oneTimeAES) unwrap(wrapped []byte) ([]byte, error) { return keywrap.Unwrap(k.value, wrapped) }

func (k *oneTimeAES) wipe() { secret.Wipe(k.value) }

type oneTimeRSA struct{ private *rsa.PrivateKey }

func (k *oneTimeRSA) template() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		ulong(CKAClass, uint(CKOPublicKey)), ulong(CKAKeyType, uint(CKKRSA)),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false), pkcs11.NewAttribute(pkcs11.CKA_WRAP, true),
		pkcs11.NewAttribute(pkcs11.CKA_MODULUS, k.private.N.Bytes()),
		pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, big.NewInt(int64(k.private.E)).Bytes()),
	}
}

// mechanisms asks for OAEP with SHA-256, and with SHA-1 where a token knows no other (PKCS#11 v3.1 §6.1.23).
func (k *oneTimeRSA) mechanisms() []cryptoki.Mechanism {
	under := func(hash, mgf uint) cryptoki.Mechanism {
		return cryptoki.Mechanism{Type: uint(CKMRSAAESKeyWrap), RSAAESKeyWrap: &cryptoki.RSAAESKeyWrap{AESKeyBits: 256, Hash: hash, MGF: mgf}}
	}
	return []cryptoki.Mechanism{under(pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256), under(pkcs11.CKM_SHA_1, pkcs11.CKG_MGF1_SHA1)}
}

// unwrap takes the token's temporary AES key out of the first part, and with it the key out of the second.
func (k *oneTimeRSA) unwrap(wrapped []byte) ([]byte, error) {
	size := k.private.Size()
	if len(wrapped) <= size {
		return nil, fmt.Errorf("rsa aes key wrap: %d bytes are no wrapped key", len(wrapped))
	}
	var aesKey []byte
	var err error
	for _, digest := range []func() hash.Hash{sha256.New, sha1.New} {
		if aesKey, err = rsa.DecryptOAEP(digest(), nil, k.private, wrapped[:size], nil); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("rsa aes key wrap: %w", err)
	}
	defer secret.Wipe(aesKey)
	return keywrap.Unwrap(aesKey, wrapped[size:])
}

// wipe lets go of the key; math/big offers no way to overwrite it.
func (k *oneTimeRSA) wipe() { k.private = nil }
