package bridge

import (
	"bytes"
	"crypto/x509"
	"fmt"

	"p11bridge/token/pki"
)

// proveRequest reads the request as its receiver will: it asks for what was meant, and the key that we read signed it. What
// crypto/x509 understands it checks as well.
func proveRequest(der []byte, result *CSRResult) error {
	notProven := func(problem string, err error) error {
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrRequestNotProven, problem, err)
		}
		return fmt.Errorf("%w: %s", ErrRequestNotProven, problem)
	}
	request, err := pki.ParseRequest(der)
	switch {
	case err != nil:
		return notProven("it cannot be read", err)
	case !request.PublicKey.Equal(result.Key) || !bytes.Equal(request.PublicKey.Restriction, result.Key.Restriction):
		return notProven("another key is in it", nil)
	case !bytes.Equal(request.RawSubject, result.RawSubject) || !equalAll(request.Extensions, result.Extensions):
		return notProven("the subject or the extensions are not those that were asked for", nil)
	}
	if err := request.SignedBy(result.Key); err != nil {
		return notProven("the signature", err)
	}
	// It refuses curves, names and sizes of RSA keys that are in use, and knows no key that is restricted to RSASSA-PSS.
	if standard, err := x509.ParseCertificateRequest(der); err == nil && standard.PublicKey != nil && request.PublicKey.Standard() {
		if err := standard.CheckSignature(); err != nil {
			return notProven("the signature, to crypto/x509", err)
		}
	}
	return nil
}
