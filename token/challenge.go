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
	what, err := signingOf(public, message)
	if err != nil {
		return nil, "", err
	}
	signature, err := s.signWith(key, what, nil)
	return signature, what.scheme, err
}

// signing is what C_SignInit and C_Sign are given.
type signing struct {
	mechanism uint
	parameter []byte
	data      []byte
	scheme    pki.Scheme
}

// signingOf chooses the mechanism for a public key.
func signingOf(public pki.PublicKey, message []byte) (signing, error) {
	switch public.Algorithm {
	case "RSA-PSS":
		parameters := pkcs11.NewPSSParams(pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256, sha256.Size)
		return signing{pkcs11.CKM_SHA256_RSA_PKCS_PSS, parameters, message, pki.RSAPSSSHA256}, nil
	case "RSA":
		return signing{pkcs11.CKM_SHA256_RSA_PKCS, nil, message, pki.RSAPKCS1SHA256}, nil
	case "EC":
		digest := sha256.Sum256(message)
		return signing{pkcs11.CKM_ECDSA, nil, digest[:], pki.ECDSASHA256}, nil
	case "Ed25519":
		return signing{ckmEdDSA, nil, message, pki.Ed25519}, nil
	}
	return signing{}, &pki.UnsupportedError{Algorithm: public.Algorithm}
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
