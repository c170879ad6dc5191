package frame

import (
	"encoding/pem"
	"errors"
	"fmt"

	"p11bridge/bridge"
	"p11bridge/token/pki"
)

// inputError is a file that could not be read, or that is not what was asked for.
type inputError struct {
	path string
	err  error
}

// Error names the file.
func (e *inputError) Error() string { return fmt.Sprintf("read %s: %v", e.path, e.err) }

// Unwrap gives the cause.
func (e *inputError) Unwrap() error { return e.err }

// ReadInput reads a file as far as any PFX or certificate goes, and one byte more, so that the reader sees that it is too
// large without taking it all in.
func ReadInput(path string) ([]byte, error) { return ReadLimited(path, bridge.MaxFileSize) }

// ReadLimited reads a file, and of one that is longer than limit one byte more.
func ReadLimited(path string, limit int64) ([]byte, error) {
	contents, _, err := readFile(path, limit, pipePatience)
	if err != nil {
		return nil, &inputError{path, withoutPath(err)}
	}
	return contents, nil
}

// ReadCertificates reads the certificates of a file in PEM (any number) or DER (one).
func ReadCertificates(path string) ([]*pki.Certificate, error) {
	contents, err := ReadInput(path)
	if err != nil {
		return nil, err
	}
	var certificates []*pki.Certificate
	rest := contents
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := pki.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &inputError{path, err}
		}
		certificates = append(certificates, certificate)
	}
	if len(certificates) > 0 {
		return certificates, nil
	}
	certificate, err := pki.ParseCertificate(contents)
	if err != nil {
		return nil, &inputError{path, errors.New("no certificate in PEM or DER")}
	}
	return []*pki.Certificate{certificate}, nil
}
