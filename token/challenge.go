package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/miekg/pkcs11"

	"p11bridge/token/pki"
)

// challengeSize is the length in bytes of a message that is signed only to prove which key signs.
const challengeSize = 32

// Sign makes a signature over message with the private key, by the scheme that its public key calls for: RSASSA-PKCS1-v1_5
// or, for a key restricted to it, RSASSA-PSS, both with SHA-256, ECDSA over the SHA-256 digest (r || s), or Ed25519 (PKCS#11 v3.1 §5.13.1, §6.1.6, §6.3.12, §6.3.16). The
// error is an *Error, or a *pki.UnsupportedError for other kinds of key.
func (s *Session) Sign(key *Object, public pki.PublicKey, message []byte) ([]byte, pki.Scheme, error) {
	var mechanism uint
	var parameters any
	var scheme pki.Scheme
	switch public.Algorithm {
	case "RSA-PSS":
		mechanism, scheme = pkcs11.CKM_SHA256_RSA_PKCS_PSS, pki.RSAPSSSHA256
		parameters = pkcs11.NewPSSParams(pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256, sha256.Size)
	case "RSA":
		mechanism, scheme = pkcs11.CKM_SHA256_RSA_PKCS, pki.RSAPKCS1SHA256
	case "EC":
		digest := sha256.Sum256(message)
		mechanism, scheme, message = pkcs11.CKM_ECDSA, pki.ECDSASHA256, digest[:]
	case "Ed25519":
		mechanism, scheme = ckmEdDSA, pki.Ed25519
	default:
		return nil, "", &pki.UnsupportedError{Algorithm: public.Algorithm}
	}
	detail := CKM(mechanism).String()
	err := s.call("C_SignInit", detail, func() error {
		return s.module.ctx.SignInit(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, parameters)}, key.handle)
	})
	if err != nil {
		return nil, "", err
	}
	var signature []byte
	err = s.call("C_Sign", detail, func() (err error) { signature, err = s.module.ctx.Sign(s.handle, message); return err })
	return signature, scheme, err
}

// settle finds out by a signature which public key a private key has, where CKA_ID leaves several. A key that cannot or
// may not sign here stays unsettled; only a lost connection is an error.
func (s *Session) settle(ctx context.Context, objects []*Object) error {
	for _, a := range newLinker(objects).ambiguities() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if a.key.Attributes.Bool(CKASign) != True || a.key.Attributes.Bool(CKAAlwaysAuthenticate) == True {
			continue
		}
		challenge := make([]byte, challengeSize)
		if _, err := rand.Read(challenge); err != nil {
			return fmt.Errorf("make a challenge: %w", err)
		}
		signature, scheme, err := s.Sign(a.key, a.candidates[0], challenge)
		if code, told := CodeOf(err); told && connectionLost(code) {
			return err
		}
		if err != nil {
			continue
		}
		for _, candidate := range a.candidates {
			if candidate.Verify(challenge, signature, scheme) == nil {
				a.key.ProvenPublicKey = candidate.SPKI
			}
		}
	}
	return nil
}
