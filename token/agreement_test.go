package token

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"testing"

	"p11bridge/token/pki"
)

// TestAgreement: what a key agreed on tells its own public key from every other one.
func TestAgreement(t *testing.T) {
	half := func(curve ecdh.Curve) (*ecdh.PrivateKey, pki.PublicKey) {
		key, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		spki, err := x509.MarshalPKIXPublicKey(key.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		public, err := pki.ParsePublicKey(spki)
		if err != nil {
			t.Fatal(err)
		}
		return key, public
	}
	ours, _ := half(ecdh.P256())
	key, public := half(ecdh.P256())
	agreed, err := key.ECDH(ours.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	_, other := half(ecdh.P256())
	_, elsewhere := half(ecdh.P384())
	challenge := &agreedChallenge{ours, public.Curve, agreed}
	if err := challenge.verify(public); err != nil {
		t.Errorf("its own public key: %v", err)
	}
	if err := challenge.verify(other); !errors.Is(err, ErrOtherKey) {
		t.Errorf("another key's: %v", err)
	}
	var unable *CannotShowError
	if err := challenge.verify(elsewhere); !errors.As(err, &unable) {
		t.Errorf("one on another curve: %v", err)
	}
}
