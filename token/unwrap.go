package token

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/miekg/pkcs11"

	"p11bridge/token/cryptoki"
	"p11bridge/token/keywrap"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// Unshroud has the token decrypt the ciphertext of a PBES2 EncryptedPrivateKeyInfo, as Shroud makes it, under an AES key with
// CKM_AES_CBC_PAD and the IV (PKCS#11 v3.1 §5.18.4, §6.13.5): the private key is never in this process. The AES key becomes a
// session object and is destroyed right after. So does the private key, which the caller ends with Discard. The error is an
// *Error where the token would not; an object that comes with an error is there all the same.
func (s *Session) Unshroud(kek, iv, ciphertext []byte, t KeyTemplate) (*Object, error) {
	return s.unwrapUnder(kek, cryptoki.Mechanism{Type: uint(CKMAESCBCPad), Parameter: iv}, ciphertext, t, nil)
}

// Unshroud is Session.Unshroud for a key that stays on the token.
func (a *Additions) Unshroud(kek, iv, ciphertext []byte, t KeyTemplate) (*Object, error) {
	return a.session.unwrapUnder(kek, cryptoki.Mechanism{Type: uint(CKMAESCBCPad), Parameter: iv}, ciphertext, t, a)
}

// unwrapUnder makes a session object, or adds to the token where additions are given.
func (s *Session) unwrapUnder(kek []byte, mechanism cryptoki.Mechanism, wrapped []byte, t KeyTemplate, a *Additions) (*Object, error) {
	t.OnToken = a != nil
	templates, err := t.variants()
	if err != nil {
		return nil, err
	}
	if len(wrapped) == 0 {
		return nil, errors.New("unwrap: no ciphertext")
	}
	unwrapping, err := s.makeForSession("C_CreateObject", "one-time unwrapping key", CKOSecretKey, func() (pkcs11.ObjectHandle, error) {
		return s.module.functions.CreateObject(s.handle, []*pkcs11.Attribute{
			ulong(CKAClass, uint(CKOSecretKey)), ulong(CKAKeyType, uint(CKKAES)), boolean(pkcs11.CKA_TOKEN, false),
			boolean(pkcs11.CKA_UNWRAP, true), pkcs11.NewAttribute(pkcs11.CKA_VALUE, kek),
		})
	})
	if err != nil {
		return nil, err
	}
	var refused error // what the token answered to a template before the one that it took
	key, err := enter(templates, func(template []*pkcs11.Attribute) (o *Object, err error) {
		unwrap := func() (pkcs11.ObjectHandle, error) {
			return s.module.functions.UnwrapKey(s.handle, mechanism, unwrapping.handle, wrapped, template)
		}
		if a != nil {
			return a.makeOne("C_UnwrapKey", CKM(mechanism.Type).String(), t.addition(), unwrap)
		}
		if o, err = s.makeForSession("C_UnwrapKey", CKM(mechanism.Type).String(), CKOPrivateKey, unwrap); err != nil && refused == nil {
			refused = err
		}
		return o, err
	})
	if err == nil && refused != nil && t.Extractable {
		key, err = s.extractable(key, refused)
	}
	discarded := s.Discard(unwrapping)
	if err != nil {
		return nil, err
	}
	return key, discarded
}

// extractable is a session object that was to be extractable, and that the token took only from a template which does not say so. Where it
// is not extractable, it is destroyed, and the error is what the token answered to the template that said so.
func (s *Session) extractable(o *Object, refused error) (*Object, error) {
	given, err := s.getGiven(o.handle, []Attribute{CKAExtractable})
	if err != nil {
		return nil, errors.Join(err, s.Discard(o))
	}
	if value, _ := given.value(CKAExtractable); boolOf(value) != False {
		return o, nil
	}
	return nil, errors.Join(refused, s.Discard(o))
}

// Rewrapping is a way of bringing a key that is in clear here onto a token: wrapped under a one-time AES key, in one of the
// dialects that tokens speak.
type Rewrapping struct {
	Mechanism CKM
	wrap      func(kek, iv, key []byte) ([]byte, error)
	iv        bool // the mechanism takes an IV as its parameter
}

// rewrappings in the order in which they are tried. CKM_AES_KEY_WRAP_PAD is RFC 5649 as PKCS#11 v3.1 §6.13.8 reads today, and
// RFC 3394 over PKCS#7 padding as NSS has it; CKM_AES_KEY_WRAP gets zeros up to a whole block behind the key.
var rewrappings = []Rewrapping{
	{Mechanism: CKMAESKeyWrapPad, wrap: func(kek, _, key []byte) ([]byte, error) { return keywrap.WrapRFC5649(kek, key) }},
	{Mechanism: CKMAESKeyWrapPad, wrap: func(kek, _, key []byte) ([]byte, error) {
		return keywrap.WrapPadded(kek, key, keywrap.PadPKCS7(key, 8))
	}},
	{Mechanism: CKMAESKeyWrapKWP, wrap: func(kek, _, key []byte) ([]byte, error) { return keywrap.WrapRFC5649(kek, key) }},
	{Mechanism: CKMAESKeyWrap, wrap: func(kek, _, key []byte) ([]byte, error) { return keywrap.WrapPadded(kek, key, keywrap.PadZero(key)) }},
	{Mechanism: CKMAESCBCPad, wrap: keywrap.EncryptCBC, iv: true},
}

// Rewrappings lists the ways, those whose mechanism the token lists for unwrapping first. The others follow: remoting hides
// mechanisms.
func Rewrappings(listed []Mechanism) []Rewrapping {
	var first, then []Rewrapping
	for _, r := range rewrappings {
		if slices.ContainsFunc(listed, func(m Mechanism) bool { return m.Type == r.Mechanism && m.Unwrap }) {
			first = append(first, r)
		} else {
			then = append(then, r)
		}
	}
	return append(first, then...)
}

// Rewrap brings a key onto the token in this way, as a session object. What the token makes of it is to be proven: a dialect that it
// misunderstands need not be an error. The caller wipes the key; an object that comes with an error is there all the same.
func (s *Session) Rewrap(r Rewrapping, key *pki.PrivateKey, t KeyTemplate, random io.Reader) (*Object, error) {
	return s.rewrap(r, key, t, random, nil)
}

// Rewrap is Session.Rewrap for a key that stays on the token.
func (a *Additions) Rewrap(r Rewrapping, key *pki.PrivateKey, t KeyTemplate, random io.Reader) (*Object, error) {
	return a.session.rewrap(r, key, t, random, a)
}

func (s *Session) rewrap(r Rewrapping, key *pki.PrivateKey, t KeyTemplate, random io.Reader, a *Additions) (*Object, error) {
	fresh := make([]byte, 32+16)
	defer secret.Wipe(fresh)
	if _, err := io.ReadFull(random, fresh); err != nil {
		return nil, fmt.Errorf("make a one-time AES key: %w", err)
	}
	kek, iv := fresh[:32], fresh[32:]
	wrapped, err := r.wrap(kek, iv, key.DER)
	if err != nil {
		return nil, err
	}
	mechanism := cryptoki.Mechanism{Type: uint(r.Mechanism)}
	if r.iv {
		mechanism.Parameter = iv
	}
	return s.unwrapUnder(kek, mechanism, wrapped, t, a)
}
