package softhsmtests

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// This file looks at tokens and files without p11bridge's code: by testdata/census.c over the real module, by openssl, and by
// Go's own crypto packages.

// censusObject is one object on a token.
type censusObject struct {
	class, id, label string // id in hexadecimal
	proof            []byte
}

func (o censusObject) String() string { return fmt.Sprintf("%s %q (%s)", o.class, o.label, o.id) }

// censusTaker is the compiled testdata/census.c.
type censusTaker struct{ program, module string }

func newCensusTaker(t *testing.T) censusTaker {
	t.Helper()
	return censusTaker{program: compile(t, "census.c", "census", "-ldl"), module: softHSM(t)}
}

// take lists the objects of the token "test" whose configuration is token/softhsm2.conf below the directory.
func (c censusTaker) take(directory string) ([]censusObject, error) {
	command := exec.Command(c.program, c.module, "test", testPIN)
	command.Dir = directory
	command.Env = append(os.Environ(), "SOFTHSM2_CONF=token/softhsm2.conf")
	var problem strings.Builder
	command.Stderr = &problem
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("census: %w: %s", err, problem.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if lines[len(lines)-1] != "end" {
		return nil, fmt.Errorf("the census breaks off:\n%s", out)
	}
	var objects []censusObject
	for _, line := range lines[:len(lines)-1] {
		fields := strings.Split(line, " ")
		if len(fields) != 4 {
			return nil, fmt.Errorf("the census says %q", line)
		}
		o := censusObject{class: fields[0], id: strings.Trim(fields[1], "-")}
		label, err := hex.DecodeString(strings.Trim(fields[2], "-"))
		if err != nil {
			return nil, err
		}
		o.label = string(label)
		if fields[3] != "fails" {
			if o.proof, err = hex.DecodeString(strings.Trim(fields[3], "-")); err != nil {
				return nil, err
			}
		}
		objects = append(objects, o)
	}
	return objects, nil
}

var censusDigest = sha256.Sum256([]byte("census"))

// isPrivate reports whether a private key on a token has shown that it is the one of the public key.
func (o censusObject) isPrivate(public crypto.PublicKey) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return o.class == "private" && rsa.VerifyPKCS1v15(public, crypto.SHA256, censusDigest[:], o.proof) == nil
	case *ecdsa.PublicKey:
		if o.class != "private" || len(o.proof) != 2*((public.Curve.Params().BitSize+7)/8) {
			return false
		}
		half := len(o.proof) / 2
		return ecdsa.VerifyASN1(public, censusDigest[:], ecdsaSignature(o.proof[:half], o.proof[half:]))
	}
	return false
}

// ecdsaSignature is the DER form of the two numbers that PKCS#11 puts side by side.
func ecdsaSignature(r, s []byte) []byte {
	integer := func(b []byte) []byte {
		b = bytes.TrimLeft(b, "\x00")
		if len(b) == 0 || b[0] >= 0x80 {
			b = append([]byte{0}, b...)
		}
		return append([]byte{2, byte(len(b))}, b...)
	}
	body := append(integer(r), integer(s)...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

// openedPFX is what openssl finds in a PFX.
type openedPFX struct {
	key         crypto.Signer
	certificate *x509.Certificate
}

// openPFX lets openssl open a PFX with the password in a file: there is one private key, and a certificate of it.
func openPFX(path, password string) (openedPFX, error) {
	var o openedPFX
	text, err := openssl("", "pkcs12", "-in", path, "-passin", "file:"+password, "-nodes", "-clcerts")
	if err != nil {
		return o, err
	}
	keys := 0
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return o, err
			}
			o.key, _ = key.(crypto.Signer)
			keys++
		case "CERTIFICATE":
			if o.certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
				return o, err
			}
		}
	}
	if keys != 1 || o.key == nil || o.certificate == nil {
		return o, fmt.Errorf("%s: openssl finds %d keys, and the certificate %v", path, keys, o.certificate != nil)
	}
	if !samePublic(o.key.Public(), o.certificate.PublicKey) {
		return o, fmt.Errorf("%s: the key is not the certificate's", path)
	}
	return o, nil
}

func samePublic(a, b crypto.PublicKey) bool {
	comparable, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && comparable.Equal(b)
}
