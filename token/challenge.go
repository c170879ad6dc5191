package token

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"p11bridge/token/pki"
)

// challengeSize is the length in bytes of a message that is signed only to prove which key signs.
const challengeSize = 32

// ErrOtherKey means that a private key answered a challenge, and is another one than that of the public key.
var ErrOtherKey = errors.New("the private key is not the one of this public key")

// CannotShowError means that a private key could not be asked whose it is. That says nothing about whose it is.
type CannotShowError struct {
	Answers []string // what the token answered to each way: "C_SignInit with CKM_ECDSA: CKR_MECHANISM_INVALID"
	PIN     bool     // the key wants the PIN for each use (CKA_ALWAYS_AUTHENTICATE), and there is none at hand
	Err     error    // the first answer; nil where the token was not asked
}

// Error gives the first answer, which is to the usual way.
func (e *CannotShowError) Error() string {
	switch {
	case len(e.Answers) > 0:
		return "the key cannot show whose it is: " + e.Answers[0]
	case e.PIN:
		return "the key cannot show whose it is: it wants the PIN for each use"
	}
	return "the key cannot show whose it is: it may neither sign, nor decrypt, nor derive"
}

// Unwrap gives the first answer.
func (e *CannotShowError) Unwrap() error { return e.Err }

// Prove finds out whether a private key is the one of a public key: it signs a fresh challenge, or decrypts one or
// agrees on one where it may not sign. The result is nil where it is; ErrOtherKey where it is another one; a *CannotShowError where the token does no
// such thing with this key. Every other error comes from the token, or is a *LoginError for a key that wants the PIN for each
// use: Session.Authenticate gives it. None of these says that the key is another one.
func (s *Session) Prove(ctx context.Context, key *Object, public pki.PublicKey) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s.wantsPIN(key) && s.Authenticate == nil {
		return &CannotShowError{PIN: true}
	}
	response, err := s.challenge(key, public)
	var unable *CannotShowError
	code, _ := CodeOf(err)
	switch {
	case err == nil:
		return contradicted(key, public, response.verify(public))
	case code == pkcs11.CKR_USER_NOT_LOGGED_IN && key.alwaysAuthenticates() && !s.wantsPIN(key): // it wants a PIN that the token has not
		return &CannotShowError{PIN: true, Err: err}
	case errors.As(err, &unable) && key.Attributes.Bool(CKADecrypt) == True && public.Algorithm == "RSA":
		return s.proveByDecryption(key, public, unable)
	}
	return err
}

// contradicted makes a failure of the token of an answer that speaks against what it told: the key's own public key is this one.
func contradicted(key *Object, public pki.PublicKey, err error) error {
	if own, known := PublicKeyOf(key); known && own.Equal(public) && errors.Is(err, ErrOtherKey) {
		return &AnswerError{Function: "C_Sign", Fault: AnswerSignature, Err: errors.New("a signature that the key's own public key does not verify")}
	}
	return err
}

// wantsPIN is the one rule of which keys want the PIN once more for each use. Where nobody has to log in, and nobody has, there is no PIN to
// give, whatever the key says: an NSS database without a primary password lets every key sign.
func (s *Session) wantsPIN(key *Object) bool {
	return key.alwaysAuthenticates() && (s.LoggedIn || s.Slot.Token.Flags.Has(CKFLoginRequired))
}

func (o *Object) alwaysAuthenticates() bool { return o.Attributes.Bool(CKAAlwaysAuthenticate) == True }

// response is what a private key made of a challenge. It says of every public key whether it is this key's: nil, ErrOtherKey, or a
// *CannotShowError where nobody can tell here.
type response interface {
	verify(public pki.PublicKey) error
}

// challenge has a private key sign something fresh, or agree on a secret where it does not sign. public is one that it may have.
func (s *Session) challenge(key *Object, public pki.PublicKey) (response, error) {
	cannot := &CannotShowError{}
	if key.Attributes.Bool(CKASign) != False {
		signed, err := s.challengeToSign(key, public)
		if err == nil {
			return signed, nil
		}
		if !errors.As(err, &cannot) {
			return nil, err
		}
	}
	if key.derives() && public.Algorithm == "EC" {
		return s.challengeToDerive(key, public, cannot)
	}
	return nil, cannot
}

// derives reports whether the key may agree on a secret.
func (o *Object) derives() bool { return o.Attributes.Bool(CKADerive) == True }

// signedChallenge is what a private key signed.
type signedChallenge struct {
	message, signature []byte
	scheme             pki.Scheme
}

func (s *Session) challengeToSign(key *Object, public pki.PublicKey) (*signedChallenge, error) {
	message := make([]byte, challengeSize)
	if _, err := rand.Read(message); err != nil {
		return nil, fmt.Errorf("make a challenge: %w", err)
	}
	signature, scheme, err := s.Sign(key, public, message)
	if err != nil {
		return nil, err
	}
	return &signedChallenge{message, signature, scheme}, nil
}

// verify implements response. The restriction of a key to RSASSA-PSS says what it may sign, and nothing of which key it is.
func (c *signedChallenge) verify(public pki.PublicKey) error {
	if public.Algorithm == "RSA-PSS" {
		public.Algorithm = "RSA"
	}
	err := public.Verify(c.message, c.signature, c.scheme)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pki.ErrSignature):
		return fmt.Errorf("%w: %w", ErrOtherKey, err)
	}
	return &CannotShowError{Answers: []string{err.Error()}, Err: err}
}

// with adds the answer to one more way.
func (e *CannotShowError) with(mechanism CKM, answer *Error) *CannotShowError {
	e.Answers = append(e.Answers, fmt.Sprintf("%s with %s: %s", answer.Function, mechanism, answer.Code))
	if e.Err == nil {
		e.Err = answer
	}
	return e
}
