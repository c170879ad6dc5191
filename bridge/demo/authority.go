package demo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"p11bridge/token/pki"
)

// authority is a throw-away CA that issues the specimens' certificates.
type authority struct {
	key *ecdsa.PrivateKey
	own *x509.Certificate
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a CA: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "p11bridge demo CA"}, NotBefore: time.Now().Add(-48 * time.Hour),
		NotAfter: time.Now().AddDate(20, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a CA: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a CA: %w", err)
	}
	return &authority{key, certificate}, nil
}

// certificate issues what the specimen asks for.
func (a *authority) certificate(specimen Specimen, public pki.PublicKey) (*pki.Certificate, error) {
	switch specimen.Certificate {
	case "ca":
		return pki.ParseCertificate(a.own.Raw)
	case "brainpoolP256r1":
		return foreign(brainpoolPEM)
	case "secp256k1":
		return foreign(secp256k1PEM)
	}
	from, until := time.Now().Add(-40*24*time.Hour), time.Now().AddDate(2, 0, 0)
	switch specimen.Certificate {
	case "valid":
	case "expired":
		from, until = time.Now().AddDate(-2, 0, 0), time.Now().AddDate(0, 0, -3)
	case "recent":
		from = time.Now().AddDate(0, 0, -10)
	case "future":
		from = time.Now().AddDate(0, 1, 0)
	default:
		return nil, fmt.Errorf("unknown kind of certificate %q", specimen.Certificate)
	}
	key, err := x509.ParsePKIXPublicKey(public.SPKI)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: specimen.Label}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.own, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	return pki.ParseCertificate(der)
}

func foreign(text []byte) (*pki.Certificate, error) {
	der, err := decodePEM(text)
	if err != nil {
		return nil, err
	}
	return pki.ParseCertificate(der)
}

// publicKey turns a key of the standard library into ours.
func publicKey(key crypto.PublicKey) (pki.PublicKey, error) {
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return pki.PublicKey{}, fmt.Errorf("public key: %w", err)
	}
	return pki.ParsePublicKey(spki)
}
