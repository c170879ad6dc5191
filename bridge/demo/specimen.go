package demo

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"

	"p11bridge/token"
	"p11bridge/token/pki"
)

// Specimen is one identity, or a part of one, on a token.
type Specimen struct {
	Label string
	ID    []byte

	// Key is "rsa2048", "rsa3072", "rsa4096", "p256", "p384", "p521" or "ed25519"; empty for none.
	Key      string
	Imported bool // made outside and stored, not generated on the token
	Reused   bool // the key of the specimen before, with another certificate
	Policy   token.Policy

	// Certificate is "valid", "expired", "recent", "future", "ca", "brainpoolP256r1" or "secp256k1"; empty for none.
	Certificate  string
	NoPrivateKey bool // only the certificate, or the public key

	Secret bool // an AES key
	Data   bool // a data object
}

// The four policies of a private key.
var (
	Locked      = token.Policy{Sensitive: true}
	Wrappable   = token.Policy{Sensitive: true, Extractable: true}
	Readable    = token.Policy{Extractable: true}
	OpenButHeld = token.Policy{} // neither sensitive nor extractable
)

// Everything is one specimen of every kind that p11bridge tells apart.
func Everything() []Specimen {
	return []Specimen{
		{Label: "p11bridge demo CA", ID: []byte{0xCA}, Certificate: "ca", NoPrivateKey: true},
		{Label: "alice", ID: []byte{1}, Key: "rsa2048", Policy: Wrappable, Certificate: "valid"},
		{Label: "bob", ID: []byte{2}, Key: "rsa2048", Policy: Locked, Certificate: "valid"},
		{Label: "carol", ID: []byte{3}, Key: "ed25519", Policy: Readable, Certificate: "valid"},
		{Label: "dave", ID: []byte{4}, Key: "p256", Policy: Wrappable, Certificate: "valid"},
		{Label: "erin", ID: []byte{5}, Key: "p256", Imported: true, Policy: Locked, Certificate: "valid"},
		{Label: "frank", ID: []byte{6}, Key: "p384", Policy: Readable, Certificate: "valid"},
		{Label: "grace", ID: []byte{7}, Key: "p521", Policy: Wrappable, Certificate: "valid"},
		{Label: "heidi", ID: []byte{8}, Key: "rsa3072", Policy: Readable, Certificate: "valid"},
		{Label: "ivan", ID: []byte{9}, Key: "rsa4096", Policy: Wrappable, Certificate: "valid"},
		{Label: "judy", ID: []byte{10}, Key: "rsa2048", Policy: OpenButHeld, Certificate: "valid"},
		{Label: "karl", ID: []byte{11}, Key: "ed25519", Policy: Wrappable, Certificate: "valid"},
		{Label: "lena (expired)", ID: []byte{12}, Key: "p256", Policy: Wrappable, Certificate: "expired"},
		{Label: "mike (not yet valid)", ID: []byte{13}, Key: "p256", Policy: Wrappable, Certificate: "future"},
		{Label: "nina", ID: []byte{14}, Key: "p256", Policy: Wrappable, Certificate: "expired"},
		{Label: "nina (renewed)", ID: []byte{14}, Reused: true, Certificate: "valid"},
		{Label: "twins", ID: []byte{15}, Key: "p256", Policy: Wrappable, Certificate: "valid"},
		{Label: "twins", ID: []byte{16}, Key: "p256", Policy: Locked, Certificate: "valid"},
		{Label: "same id", ID: []byte{17}, Key: "p256", Policy: Wrappable, Certificate: "valid"},
		{Label: "same id too", ID: []byte{17}, Key: "p256", Policy: Wrappable, Certificate: "valid"},
		{Label: "Òscar Müller 東京", ID: []byte{18}, Key: "p256", Policy: Wrappable, Certificate: "valid"},
		{Label: "evil\x1b[2J\x07\u202elabel/../x", ID: []byte{19}, Key: "p256", Policy: Wrappable, Certificate: "valid"},
		{Label: "key alone", ID: []byte{20}, Key: "rsa2048", Policy: Wrappable},
		{Label: "certificate alone", ID: []byte{21}, Key: "p256", Certificate: "valid", NoPrivateKey: true},
		{Label: "public key alone", ID: []byte{22}, Key: "p256", NoPrivateKey: true},
		{Label: "brainpool", ID: []byte{23}, Certificate: "brainpoolP256r1", NoPrivateKey: true},
		{Label: "secp256k1", ID: []byte{24}, Certificate: "secp256k1", NoPrivateKey: true},
		{Label: "aes", ID: []byte{25}, Secret: true, Policy: Locked},
		{Label: "note", Data: true},
	}
}

//go:embed brainpoolP256r1.pem
var brainpoolPEM []byte

//go:embed secp256k1.pem
var secp256k1PEM []byte

// populate puts the specimens on the token of a logged-in read-write session.
func populate(ctx context.Context, s *token.Session, specimens []Specimen) error {
	issuer, err := newAuthority()
	if err != nil {
		return err
	}
	return s.Adding(ctx, func(added *token.Additions) error {
		var public pki.PublicKey
		for _, specimen := range specimens {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			if public, err = place(s, added, issuer, specimen, public); err != nil {
				return fmt.Errorf("specimen %q: %w", specimen.Label, err)
			}
		}
		return nil
	})
}

// place puts one specimen on the token and gives its public key.
func place(s *token.Session, added *token.Additions, issuer *authority, specimen Specimen, previous pki.PublicKey) (public pki.PublicKey, err error) {
	name := token.Name{Label: specimen.Label, ID: specimen.ID}
	switch {
	case specimen.Secret:
		return public, s.CreateSecretKey(name, make([]byte, 32), specimen.Policy)
	case specimen.Data:
		return public, s.CreateData(name, []byte("a data object of the demo"))
	case specimen.Reused:
		public = previous
	case specimen.Key != "" && (specimen.Imported || specimen.NoPrivateKey):
		public, err = imported(s, added, name, specimen)
	case specimen.Key != "":
		public, err = generated(added, name, specimen)
	}
	if err != nil || specimen.Certificate == "" {
		return public, err
	}
	certificate, err := issuer.certificate(specimen, public)
	if err != nil {
		return public, err
	}
	_, err = added.StoreCertificate(name, certificate)
	return public, err
}

func generated(added *token.Additions, name token.Name, specimen Specimen) (pki.PublicKey, error) {
	kind, _ := token.KeyKindOf(specimen.Key)
	kind.Decrypt = kind.Algorithm == "RSA"
	pair, err := added.GenerateKeyPair(kind, name, specimen.Policy)
	if err != nil {
		return pki.PublicKey{}, err
	}
	return pair.Key, nil
}

// imported makes a key here and stores it, or only its public half.
func imported(s *token.Session, added *token.Additions, name token.Name, specimen Specimen) (pki.PublicKey, error) {
	key, err := newKey(specimen.Key)
	if err != nil {
		return pki.PublicKey{}, err
	}
	public, err := publicKey(key.Public())
	if err != nil {
		return public, err
	}
	if !specimen.NoPrivateKey {
		private, err := privateKey(key)
		if err != nil {
			return public, err
		}
		defer private.Wipe()
		return public, s.CreatePrivateKey(name, private, specimen.Policy)
	}
	if specimen.Certificate == "" {
		_, err = added.StorePublicKey(name, public, token.Usage{Sign: true})
		return public, err
	}
	return public, nil
}

func privateKey(key crypto.Signer) (*pki.PrivateKey, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return pki.ParsePrivateKey(der)
}

func newKey(kind string) (crypto.Signer, error) {
	var bits int
	if n, err := fmt.Sscanf(kind, "rsa%d", &bits); n == 1 && err == nil {
		return rsa.GenerateKey(rand.Reader, bits)
	}
	switch kind {
	case "p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("unknown kind of key %q", kind)
}

func decodePEM(text []byte) ([]byte, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	return block.Bytes, nil
}
