package pki

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"testing"
)

func TestVerifyRSA(t *testing.T) {
	std, err := x509.ParsePKCS8PrivateKey(file(t, "rsa.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, ok := std.(*rsa.PrivateKey)
	if !ok {
		t.Fatalf("%T", std)
	}
	message := []byte("a fresh challenge")
	digest := sha256.Sum256(message)
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	k := certificate(t, "rsa.crt").PublicKey
	if err := k.Verify(message, signature, RSAPKCS1SHA256); err != nil {
		t.Error(err)
	}
	if err := k.Verify(message[1:], signature, RSAPKCS1SHA256); err != ErrSignature {
		t.Errorf("another message: %v", err)
	}
	if err := certificate(t, "p256.crt").PublicKey.Verify(message, signature, RSAPKCS1SHA256); !isUnsupported(err) {
		t.Errorf("with an EC key: %v", err)
	}
	if err := k.Verify(message, signature, ""); !isUnsupported(err) {
		t.Errorf("no scheme: %v", err)
	}
	if err := (PublicKey{Algorithm: "RSA"}).Verify(message, signature, RSAPKCS1SHA256); !isMalformed(err) {
		t.Errorf("no SPKI: %v", err)
	}
}

func TestVerifyPSS(t *testing.T) {
	message := []byte("a fresh challenge")
	digest := sha256.Sum256(message)
	keyFile := t.TempDir() + "/key"
	writeFile(t, keyFile, file(t, "rsapss.key"))
	signature := openssl(t, digest[:], "pkeyutl", "-sign", "-inkey", keyFile, "-keyform", "DER",
		"-pkeyopt", "digest:sha256", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:32")
	k := certificate(t, "rsapss.crt").PublicKey
	for _, algorithm := range []string{"RSA-PSS", "RSA"} {
		k.Algorithm = algorithm
		if err := k.Verify(message, signature, RSAPSSSHA256); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if err := k.Verify(message[1:], signature, RSAPSSSHA256); err != ErrSignature {
			t.Errorf("%s, another message: %v", algorithm, err)
		}
		if err := k.Verify(message, signature, RSAPKCS1SHA256); err == nil {
			t.Errorf("%s: a PSS signature passes for PKCS#1 v1.5", algorithm)
		}
	}
	if err := certificate(t, "rsapss.crt").PublicKey.Verify(message, signature, RSAPKCS1SHA256); !isUnsupported(err) {
		t.Errorf("PKCS#1 v1.5 with a key restricted to PSS: %v", err)
	}
}

// TestVerifyUnusualRSA is for the keys that crypto/rsa refuses: short ones, and large exponents.
func TestVerifyUnusualRSA(t *testing.T) {
	message := []byte("a fresh challenge")
	digest := sha256.Sum256(message)
	for _, tt := range []struct {
		bits     int
		exponent string
	}{{512, "3"}, {1001, "10001"}, {1024, "10001"}, {1024, "100000000000000000000000000000001b"}} {
		e, ok := new(big.Int).SetString(tt.exponent, 16)
		if !ok {
			t.Fatal(tt.exponent)
		}
		parts := makeRSA(t, tt.bits, e)
		k, err := RSAPublicKey(parts.n.Bytes(), e.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		size := (tt.bits + 7) / 8
		em, err := encodePKCS1(crypto.SHA256, digest[:], size)
		if err != nil {
			t.Fatal(err)
		}
		sign := func(em []byte) []byte {
			return new(big.Int).Exp(new(big.Int).SetBytes(em), parts.d, parts.n).FillBytes(make([]byte, size))
		}
		signature := sign(em)
		if err := k.Verify(message, signature, RSAPKCS1SHA256); err != nil {
			t.Errorf("%d bits, e = %s: %v", tt.bits, tt.exponent, err)
		}
		forged := append([]byte(nil), em...)
		forged[3] = 0xfe
		grown := new(big.Int).Add(new(big.Int).SetBytes(signature), parts.n)
		for what, bad := range map[string][]byte{
			"padding": sign(forged), "empty": nil, "longer": append([]byte{0}, signature...), "plus the modulus": grown.Bytes(), "zero": make([]byte, size),
		} {
			if err := k.Verify(message, bad, RSAPKCS1SHA256); err != ErrSignature {
				t.Errorf("%d bits, %s: %v", tt.bits, what, err)
			}
		}
	}
}

func TestVerifyEd25519(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := EdwardsPublicKey(oidDER(t, "1.3.101.112"), public)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("a fresh challenge")
	signature := ed25519.Sign(private, message)
	if err := k.Verify(message, signature, Ed25519); err != nil {
		t.Error(err)
	}
	if err := k.Verify(message[1:], signature, Ed25519); err != ErrSignature {
		t.Errorf("another message: %v", err)
	}
	if err := k.Verify(message, signature[1:], Ed25519); err != ErrSignature {
		t.Errorf("a short signature: %v", err)
	}
	if err := certificate(t, "ed448.crt").PublicKey.Verify(message, signature, Ed25519); !isUnsupported(err) {
		t.Errorf("Ed448: %v", err)
	}
}
