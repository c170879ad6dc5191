package bridge

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
)

// cannotProve tells, of a key bag that the token would not open or sign with, whether the token does no such thing at all,
// or fails on this bag. Tokens give the same answers to both, so a bag that is sound for certain decides.
func (r ExportRequest) cannotProve(ctx context.Context, unable *methodFailure, public pki.PublicKey) bool {
	return unable.fault == nil && r.control(ctx, public) != nil
}

// control has the token open a key bag that was made here, with a throw-away key of the same type, and sign with it.
func (r ExportRequest) control(ctx context.Context, public pki.PublicKey) error {
	key, err := throwAwayKey(public)
	if err != nil {
		return err
	}
	for _, rewrapping := range token.Rewrappings(nil) {
		if rewrapping.Mechanism != token.CKMAESCBCPad {
			continue
		}
		object, err := r.Session.Rewrap(rewrapping, key, token.KeyTemplate{Public: key.Public, Usage: token.Usage{Sign: true}}, r.Random)
		if err == nil {
			err = r.Session.Prove(ctx, object, key.Public)
		}
		if object != nil {
			err = errors.Join(err, r.Session.Discard(object))
		}
		return err
	}
	return errors.New("no mechanism")
}

// throwAwayKey makes a key of the same type; on the curve P-256 for every curve, since it is the type that a token knows or
// does not.
func throwAwayKey(public pki.PublicKey) (*pki.PrivateKey, error) {
	var key any
	var err error
	switch public.Algorithm {
	case "RSA", "RSA-PSS":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "EC":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = &pki.UnsupportedError{Algorithm: public.Algorithm}
	}
	if err != nil {
		return nil, fmt.Errorf("make a throw-away key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make a throw-away key: %w", err)
	}
	return pki.ParsePrivateKey(der)
}

// tokenProof has the token unwrap the key bag into a session object and sign a fresh challenge with it. A signature needs
// the whole of an EC or Edwards key, but not of an RSA key: what the Chinese remainder theorem uses can be sound while d is
// not, and the reverse. So the token also compares an RSA key with the one that left it. A token that does not unwrap or sign
// is a *methodFailure; a key that is not the certificate's, or not the one on the token, is ErrNotProven.
func (r ExportRequest) tokenProof(ctx context.Context, kek, iv, ciphertext []byte, public pki.PublicKey) (err error) {
	template := token.KeyTemplate{Public: public, Usage: token.Usage{Sign: true}}
	err = r.withUnshrouded(kek, iv, ciphertext, template, func(key *token.Object) error {
		err := r.Session.Prove(ctx, key, public)
		if errors.Is(err, token.ErrOtherKey) {
			return archive.NotProven("the token with the key from the file: %w", err)
		}
		return unableToProve(err)
	})
	if err != nil || public.Algorithm != "RSA" && public.Algorithm != "RSA-PSS" {
		return err
	}
	// The twin is extractable as the original is, and ends with this comparison.
	template.Extractable = true
	return r.withUnshrouded(kek, iv, ciphertext, template, r.compare)
}

// compare has the token wrap the original key and the one from the file under one fresh key and IV. CKM_AES_CBC_PAD is
// deterministic: equal ciphertexts are equal keys, and neither is decrypted here.
func (r ExportRequest) compare(twin *token.Object) error {
	fresh := make([]byte, 32+16)
	if _, err := rand.Read(fresh); err != nil {
		return fmt.Errorf("make a one-time key: %w", err)
	}
	defer clear(fresh)
	var ciphertexts [2][]byte
	for i, key := range []*token.Object{r.Identity.PrivateKey, twin} {
		var err error
		ciphertexts[i], err = r.Session.Shroud(key, fresh[:32], fresh[32:])
		var refused *token.WrapError
		if err != nil && !errors.As(err, &refused) { // the token failed
			return err
		}
		if err != nil {
			failure := &methodFailure{method: verdict.MethodShroud, answers: []string{"proof on the token: " + err.Error()}, carried: true, err: err}
			failure.fault = refused.Fault()
			return failure
		}
	}
	if !bytes.Equal(ciphertexts[0], ciphertexts[1]) {
		return archive.NotProven("the key from the file is not the key on the token")
	}
	return nil
}

// withUnshrouded has the token unwrap the key bag into a session object for the time of work.
func (r ExportRequest) withUnshrouded(kek, iv, ciphertext []byte, template token.KeyTemplate, work func(*token.Object) error) (err error) {
	key, err := r.Session.Unshroud(kek, iv, ciphertext, template)
	if key != nil {
		defer func() {
			if discarded := r.Session.Discard(key); err == nil {
				err = discarded
			}
		}()
	}
	if err != nil {
		return unableToProve(err)
	}
	return work(key)
}

// unableToProve makes a *methodFailure of what a token answered instead of proving.
func unableToProve(err error) error {
	if err == nil {
		return nil
	}
	failure := &methodFailure{method: verdict.MethodShroud, answers: []string{"proof on the token: " + err.Error()}, carried: true, err: err}
	var answer *token.Error
	switch {
	case errors.As(err, new(*token.CannotShowError)), errors.As(err, new(*pki.UnsupportedError)):
		return failure
	case errors.As(err, &answer) && !token.Lost(err):
		if !answer.Judges() {
			failure.fault = err
		}
		return failure
	}
	return err
}
