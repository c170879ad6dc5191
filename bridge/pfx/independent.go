package pfx

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// ReadIndependently opens a PFX file with go-pkcs12, an implementation that shares nothing with this package, so that
// a file which Encode and Decode agree on is proved by a third party. It returns the key as Go marshals it to PKCS#8,
// which is not byte for byte what the file holds, and the certificates in the order of the file. The caller wipes the
// key.
//
// go-pkcs12 knows no iteration limit. So the file is first opened with Decode, its keys left shrouded, and *LimitError
// is returned for any count above MaxIterations; Decode's other errors are returned too. An error that wraps
// ErrIndependentReaderCannot means that go-pkcs12 has no way to read such a file (BER, no MAC or one it does not know,
// other than one key, no certificate, more than two safes, a curve that crypto/x509 does not know), which says nothing
// against the file. Any other error means that the independent reader finds fault with what Decode accepts.
func ReadIndependently(file, password []byte) (pkcs8 []byte, chain [][]byte, err error) {
	facts, err := Inspect(file)
	if err != nil {
		return nil, nil, err
	}
	if err := independentlyReadable(facts); err != nil {
		return nil, nil, err
	}
	// A key bag within an encrypted safe shows its count only now.
	contents, err := Decode(context.Background(), file, password, DecodeOptions{KeepShrouded: true})
	if err != nil {
		return nil, nil, err
	}
	defer contents.Wipe()
	if err := independentlyReadable(&contents.Facts); err != nil {
		return nil, nil, err
	}
	return openIndependently(file, password)
}

// ReadEncoded is ReadIndependently for what Encode has just returned, whose iteration counts are known: it saves the
// derivations of opening the file first. A file that came from anywhere else belongs to ReadIndependently. With what the file was written
// with, it saves one derivation more; derived may be nil.
func ReadEncoded(encoded, password []byte, derived *Derived) (pkcs8 []byte, chain [][]byte, err error) {
	facts, err := Inspect(encoded)
	if err != nil {
		return nil, nil, err
	}
	if err := independentlyReadable(facts); err != nil {
		return nil, nil, err
	}
	if MACApart(encoded) {
		if err := VerifyMAC(encoded, password); err != nil {
			return nil, nil, err
		}
		return ReadVerified(encoded, password, derived)
	}
	return openIndependently(encoded, password)
}

func openIndependently(file, password []byte) (pkcs8 []byte, chain [][]byte, err error) {
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

// independentMACs are those of go-pkcs12, with the derivation of RFC 7292 and with PBMAC1.
var independentMACs = []string{"HMAC-SHA-1", "HMAC-SHA-256", "HMAC-SHA-512"}

// independentlyReadable finds what go-pkcs12 cannot read, before it does any work.
func independentlyReadable(facts *Facts) error {
	all := slices.Concat([]Protection{{facts.MAC, facts.MACIterations}}, facts.Safes, facts.KeyBags)
	for _, p := range all {
		if p.Iterations > MaxIterations {
			return &LimitError{What: LimitIterations, Value: int64(p.Iterations), Bound: MaxIterations}
		}
	}
	switch {
	case facts.BER:
		return fmt.Errorf("%w: ber", ErrIndependentReaderCannot)
	case facts.Trailing > 0:
		return fmt.Errorf("%w: trailing data", ErrIndependentReaderCannot)
	case len(facts.Encodings) > 0:
		return fmt.Errorf("%w: password as %s", ErrIndependentReaderCannot, facts.Encodings[0])
	case !slices.Contains(independentMACs, strings.TrimPrefix(facts.MAC, "PBMAC1-")):
		return fmt.Errorf("%w: mac %s", ErrIndependentReaderCannot, facts.MAC)
	case len(facts.Safes) < 1 || len(facts.Safes) > 2:
		return fmt.Errorf("%w: %d safes", ErrIndependentReaderCannot, len(facts.Safes))
	case facts.Counted && facts.Keys != 1:
		return fmt.Errorf("%w: %d keys", ErrIndependentReaderCannot, facts.Keys)
	case facts.Counted && facts.Certificates < 1:
		return fmt.Errorf("%w: no certificate", ErrIndependentReaderCannot)
	}
	return nil
}

// explainIndependent tells apart a key or a certificate that crypto/x509 cannot parse, for which the errors have no type, and
// a file that go-pkcs12 finds fault with.
func explainIndependent(file, password []byte, cause error) error {
	var notImplemented pkcs12.NotImplementedError
	if errors.As(cause, &notImplemented) {
		return fmt.Errorf("%w: %w", ErrIndependentReaderCannot, cause)
	}
	contents, err := Decode(context.Background(), file, password, DecodeOptions{})
	if err != nil {
		return fmt.Errorf("pfx: independent reader: %w", cause)
	}
	defer contents.Wipe()
	for _, key := range contents.Keys {
		if _, err := x509.ParsePKCS8PrivateKey(key.PKCS8); err != nil {
			return fmt.Errorf("%w: %w", ErrIndependentReaderCannot, err)
		}
	}
	for _, certificate := range contents.Certificates {
		if _, err := x509.ParseCertificate(certificate.DER); err != nil {
			return fmt.Errorf("%w: %w", ErrIndependentReaderCannot, err)
		}
	}
	return fmt.Errorf("pfx: independent reader: %w", cause)
}
