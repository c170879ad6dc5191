package pfx

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// sharedKey is a file as Encode writes it, whose certificates and whose key bag have one key.
type sharedKey struct {
	key          []byte // the Derived's own
	certificates *safe
	bag          *keyBag
	rest         []byte // of the AuthenticatedSafe, behind the certificates
}

// sharing finds what has the key of derived in a file of two safes: first the certificates, then one key bag. The certificates' algorithm is, byte
// for byte but for the IV, that of the key bag.
func (c *container) sharing(derived *Derived) (s *sharedKey, is bool) {
	if len(c.safes) != 2 || len(c.safes[1].bags.keys) != 1 {
		return nil, false
	}
	s = &sharedKey{certificates: c.safes[0], bag: c.safes[1].bags.keys[0]}
	if !derived.opens(s.bag.pbe) || !derived.opens(s.certificates.pbe) {
		return nil, false
	}
	s.key = derived.key
	bag, err := buildShrouded(s.bag.pbe, s.bag.ciphertext)
	if err != nil || !bytes.Equal(bag, s.bag.shrouded) {
		return nil, false
	}
	certificates, err := encryptedSafe(s.certificates.pbe, s.certificates.ciphertext)
	if err != nil {
		return nil, false
	}
	var infos cryptobyte.String
	if reader := cryptobyte.String(c.content); !reader.ReadASN1(&infos, asn1.SEQUENCE) || !bytes.HasPrefix(infos, certificates) {
		return nil, false
	}
	s.rest = infos[len(certificates):]
	return s, true
}

func encryptedSafe(p *pbe, ciphertext []byte) ([]byte, error) {
	var b cryptobyte.Builder
	addEncryptedData(&b, p, ciphertext)
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("pfx: encode: %w", err)
	}
	return der, nil
}

// errSharedKey means that what stands under one derivation does not open with one key.
var errSharedKey = errors.New("pfx: independent reader: the certificates and the key do not open with one key")

// quick is the AuthenticatedSafe with the certificates under a count of one, derived by the standard library.
func (s *sharedKey) quick(secret *password) ([]byte, error) {
	plaintext, ok := s.certificates.pbe.open(s.key, s.certificates.ciphertext)
	if !ok {
		return nil, errSharedKey
	}
	source := s.certificates.pbe.source.(*pbkdf2Params)
	p := newPBES2(source.salt, s.certificates.pbe.iv, 1)
	key, err := p.source.derive(p.keySize())(context.Background(), secret.standard(p.source.family()).secret)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	ciphertext, err := p.seal(key, plaintext)
	if err != nil {
		return nil, fmt.Errorf("pfx: encrypt: %w", err)
	}
	certificates, err := encryptedSafe(p, ciphertext)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(certificates)
		b.AddBytes(s.rest)
	})
	content, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("pfx: encode: %w", err)
	}
	return content, nil
}

// confirm shows that the key opens the key bag to the private key that go-pkcs12 found in it.
func (s *sharedKey) confirm(pkcs8 []byte) error {
	plaintext, ok := s.bag.pbe.open(s.key, s.bag.ciphertext)
	if !ok {
		return errSharedKey
	}
	defer clear(plaintext)
	private, err := x509.ParsePKCS8PrivateKey(plaintext)
	if err != nil {
		return errSharedKey
	}
	same, err := x509.MarshalPKCS8PrivateKey(private)
	defer clear(same)
	if err != nil || !bytes.Equal(same, pkcs8) {
		return errSharedKey
	}
	return nil
}
