package bridge

import (
	"p11bridge/token"
	"p11bridge/token/pki"
)

// checkSameKey says why the old key cannot sign the request, as far as it is known without asking it.
func (r CSRRequest) checkSameKey() error {
	key := r.Identity.PrivateKey
	switch {
	case key == nil:
		return ErrNoKeyToSign
	case key.Attributes.Bool(token.CKASign) == token.False:
		return ErrMayNotSign
	case len(r.Identity.Public.SPKI) == 0 && !key.Recoverable():
		return ErrPublicHalfUntold
	}
	return nil
}

// planSameKey finds out what key the request will be of. A private key that does not tell its public half, and has no certificate that does,
// shows it by what it signs, if it is one of an elliptic curve.
func (r CSRRequest) planSameKey(plan *CSRPlan) (err error) {
	if err := r.checkSameKey(); err != nil {
		return err
	}
	if plan.Same = r.sameKey(); len(plan.Same.SPKI) > 0 {
		return nil
	}
	if plan.Same, err = r.Session.RecoverPublicKey(r.Identity.PrivateKey); err != nil {
		return cannotSign(err)
	}
	return nil
}

// sameKey is the key as its certificate has it: a token knows no restriction to RSASSA-PSS, and the new certificate is to keep
// it.
func (r CSRRequest) sameKey() pki.PublicKey {
	if c := r.Identity.Certificate; c != nil && c.Parsed != nil && c.Parsed.PublicKey.Equal(r.Identity.Public) {
		return c.Parsed.PublicKey
	}
	return r.Identity.Public
}
