package bridge

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"

	"p11bridge/token"
	"p11bridge/token/pki"
)

// requestScheme is a way to sign a request, and what a signer is told of it.
type requestScheme struct {
	pki.Scheme
	options crypto.SignerOpts
}

// schemesOf lists the ways to sign a request with a key, the usual one first: a key may be restricted to another digest by its token. Where its
// certificate restricts it there is no choice. The error is a *pki.UnsupportedError.
func schemesOf(key pki.PublicKey) ([]requestScheme, error) {
	usual, err := key.SignatureHash()
	if err != nil {
		return nil, fmt.Errorf("sign a request: %w", err)
	}
	hashes := []crypto.Hash{usual}
	if usual == crypto.SHA256 && key.Algorithm != "RSA-PSS" {
		hashes = append(hashes, crypto.SHA384, crypto.SHA512)
	}
	schemes := make([]requestScheme, 0, 2*len(hashes))
	for _, hash := range hashes {
		schemes = append(schemes, requestScheme{pki.SchemeOf(key.Algorithm, hash), hash})
	}
	if key.Algorithm == "RSA" { // a token may sign by RSASSA-PSS alone
		for _, hash := range hashes {
			schemes = append(schemes, requestScheme{pki.SchemeOf("RSA-PSS", hash), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}})
		}
	}
	return schemes, nil
}

// sign has the first signer that can sign do it, and believes none of them.
func (r CSRRequest) sign(result *CSRResult) ([]byte, error) {
	info, err := pki.RequestInfo(result.RawSubject, result.Key, result.Extensions)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	schemes, err := schemesOf(result.Key)
	if err != nil {
		return nil, &CannotSignError{err}
	}
	signers := r.Session.Signers(result.PrivateKey, result.Key)
	var usual error // what came of the usual way
	for _, scheme := range schemes {
		for _, signer := range signers {
			der, err := assemble(info, signer, scheme)
			if err == nil {
				err = proveRequest(der, result)
			}
			if err == nil {
				result.SignedBy, result.Algorithm = signer.By, scheme.Scheme
				return der, nil
			}
			if signer.By == token.SignedByOwn && usual == nil {
				usual = err
			}
			if signer.By == token.SignedByOwn && !errors.As(err, new(*token.CannotShowError)) { // another try may cost a PIN
				return nil, cannotSign(err)
			}
		}
	}
	return nil, cannotSign(usual)
}

// assemble has one signer sign the request.
func assemble(info []byte, signer token.Signer, scheme requestScheme) ([]byte, error) {
	signature, err := signer.SignMessage(rand.Reader, info, scheme.options)
	if err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	return pki.AssembleRequest(info, scheme.Scheme, signature)
}

// cannotSign makes a *CannotSignError of a token that does not sign so, and of a signature that nobody can check here. The failure of a
// token stays as it is.
func cannotSign(err error) error {
	if unsupported := (*pki.UnsupportedError)(nil); errors.As(err, &unsupported) {
		return &CannotSignError{unsupported}
	}
	var answer *token.Error
	if errors.As(err, &answer) && answer.Judges() {
		return &CannotSignError{answer}
	}
	return err
}
