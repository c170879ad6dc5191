package pfx

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// ReadIndependently opens a PFX file with go-pkcs12, an implementation that shares nothing with this package, so that
// a file which Decode and Encode agree on is proved by a third party. It returns the key as Go marshals it to PKCS#8,
// which is not byte for byte what the file holds, and the certificates in the order of the file. The caller wipes the key.
//
// go-pkcs12 knows no iteration limit, so that the file is inspected first and *LimitError is returned above
// MaxIterations. An error that wraps ErrIndependentReaderCannot means that go-pkcs12 has no way to read such a file (BER,
// no MAC or one it does not know, other than one key, no certificate, more than two safes, a curve that crypto/x509 does
// not know), which says nothing about the file. ErrPassword is as in Decode; any other error means that the independent
// reader rejects the file.
func ReadIndependently(file, password []byte) (pkcs8 []byte, chain [][]byte, err error) {
	facts, err := Inspect(file)
	if err != nil {
		return nil, nil, err
	}
	if err := independentlyReadable(facts); err != nil {
		return nil, nil, err
	}
	defer func() {
		if problem := recover(); problem != nil {
			pkcs8, chain, err = nil, nil, fmt.Errorf("pfx: independent reader panicked: %v", problem)
		}
	}()
	key, leaf, authorities, err := pkcs12.DecodeChain(file, string(password))
	if err != nil {
		return nil, nil, explainIndependent(file, password, err)
	}
	pkcs8, err = x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrIndependentReaderCannot, err)
	}
	chain = append(chain, leaf.Raw)
	for _, authority := range authorities {
		chain = append(chain, authority.Raw)
	}
	return pkcs8, chain, nil
}

// independentlyReadable tells what can be told before go-pkcs12 does any work.
func independentlyReadable(facts *Facts) error {
	for _, p := range append(append([]Protection{{facts.MAC, facts.MACIterations}}, facts.Safes...), facts.KeyBags...) {
		if p.Iterations > MaxIterations {
			return &LimitError{What: LimitIterations, Value: int64(p.Iterations), Bound: MaxIterations}
		}
	}
	switch {
	case facts.BER:
		return fmt.Errorf("%w: ber", ErrIndependentReaderCannot)
	case facts.MAC == NoMAC || facts.MAC == "HMAC-SHA-224" || facts.MAC == "HMAC-SHA-384":
		return fmt.Errorf("%w: mac %s", ErrIndependentReaderCannot, facts.MAC)
	case len(facts.Safes) < 1 || len(facts.Safes) > 2:
		return fmt.Errorf("%w: %d safes", ErrIndependentReaderCannot, len(facts.Safes))
	}
	return nil
}

// explainIndependent tells a file that go-pkcs12 cannot read from one that it finds fault with. Its errors for the former
// have no type, so that the contents are looked at.
func explainIndependent(file, password []byte, cause error) error {
	var notImplemented pkcs12.NotImplementedError
	switch {
	case errors.Is(cause, pkcs12.ErrIncorrectPassword):
		return fmt.Errorf("%w: independent reader: %w", ErrPassword, cause)
	case errors.As(cause, &notImplemented):
		return fmt.Errorf("%w: %w", ErrIndependentReaderCannot, cause)
	}
	contents, err := Decode(context.Background(), file, password, DecodeOptions{})
	if err != nil {
		return fmt.Errorf("pfx: independent reader: %w", cause)
	}
	defer contents.Wipe()
	cannot := len(contents.Keys) != 1 || len(contents.Certificates) == 0
	for _, key := range contents.Keys {
		if _, err := x509.ParsePKCS8PrivateKey(key.PKCS8); err != nil {
			cannot = true
		}
	}
	for _, certificate := range contents.Certificates {
		if _, err := x509.ParseCertificate(certificate.DER); err != nil {
			cannot = true
		}
	}
	if cannot {
		return fmt.Errorf("%w: %w", ErrIndependentReaderCannot, cause)
	}
	return fmt.Errorf("pfx: independent reader: %w", cause)
}
