package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
)

// parsedKey is a key of the standard library as ParsePrivateKey reads it.
func parsedKey(t *testing.T, key any) *PrivateKey {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParsePrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestParts takes keys apart and puts them together again by the functions that read a token's attributes.
func TestParts(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := parsedKey(t, rsaKey)
	parts, err := key.Parts()
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2][]byte{
		"n": {parts.Modulus, rsaKey.N.Bytes()}, "e": {parts.PublicExponent, big.NewInt(int64(rsaKey.E)).Bytes()},
		"d": {parts.PrivateExponent, rsaKey.D.Bytes()}, "p": {parts.Prime1, rsaKey.Primes[0].Bytes()}, "q": {parts.Prime2, rsaKey.Primes[1].Bytes()},
		"dp": {parts.Exponent1, rsaKey.Precomputed.Dp.Bytes()}, "dq": {parts.Exponent2, rsaKey.Precomputed.Dq.Bytes()},
		"qi": {parts.Coefficient, rsaKey.Precomputed.Qinv.Bytes()},
	} {
		if !bytes.Equal(pair[0], pair[1]) {
			t.Errorf("%s is another number", name)
		}
	}
	n, e, err := key.Public.RSANumbers()
	if again, wrong := RSAPublicKey(n, e); err != nil || wrong != nil || !again.Equal(key.Public) {
		t.Errorf("public numbers: %v, %v", err, wrong)
	}
	parts.Wipe()
	for _, part := range [][]byte{parts.PrivateExponent, parts.Prime1, parts.Prime2, parts.Exponent1, parts.Exponent2, parts.Coefficient} {
		if len(bytes.Trim(part, "\x00")) > 0 {
			t.Error("a part was not wiped")
		}
	}
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		ecKey, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key := parsedKey(t, ecKey)
		sameFromValue(t, key, PrivateKeyFromEC)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sameFromValue(t, parsedKey(t, edKey), PrivateKeyFromEdwards)
}

func sameFromValue(t *testing.T, key *PrivateKey, build func(params, value []byte) (*PrivateKey, error)) {
	t.Helper()
	parts, err := key.Parts()
	if err != nil {
		t.Fatal(err)
	}
	params, err := key.Public.Params()
	if err != nil {
		t.Fatal(err)
	}
	again, err := build(params, parts.Value)
	if err != nil || !again.Public.Equal(key.Public) || !bytes.Equal(again.DER, key.DER) {
		t.Errorf("%s %s: another key comes back: %v", key.Public.Algorithm, key.Public.Curve, err)
	}
}

func TestPartsRefused(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := parsedKey(t, edKey)
	if _, _, err := key.Public.RSANumbers(); !errors.As(err, new(*UnsupportedError)) {
		t.Errorf("RSA numbers of an Ed25519 key: %v", err)
	}
	if _, err := (PublicKey{Algorithm: "DSA"}).Params(); !errors.As(err, new(*UnsupportedError)) {
		t.Errorf("curve of a DSA key: %v", err)
	}
	key.Wipe()
	if _, err := key.Parts(); !errors.As(err, new(*MalformedError)) {
		t.Errorf("parts of a wiped key: %v", err)
	}
	if _, err := (&Certificate{Raw: []byte{0x30, 0}}).SerialNumber(); !errors.As(err, new(*MalformedError)) {
		t.Errorf("serial number of nothing: %v", err)
	}
}
