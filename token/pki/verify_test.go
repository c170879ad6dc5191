package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
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

// TestSchemes signs with every digest in every way, and wants each signature to pass for its own scheme alone.
func TestSchemes(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("a fresh challenge")
	hashes := []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512}
	for _, hash := range hashes {
		pkcs1, err := rsa.SignPKCS1v15(rand.Reader, rsaKey, hash, digest(hash, message))
		if err != nil {
			t.Fatal(err)
		}
		pss, err := rsa.SignPSS(rand.Reader, rsaKey, hash, digest(hash, message), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, s, err := ecdsa.Sign(rand.Reader, ecKey, digest(hash, message))
		if err != nil {
			t.Fatal(err)
		}
		raw := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		for _, row := range []struct {
			algorithm string
			key       crypto.PublicKey
			signature []byte
		}{{"RSA", rsaKey.Public(), pkcs1}, {"RSA-PSS", rsaKey.Public(), pss}, {"EC", ecKey.Public(), raw}} {
			spki, err := x509.MarshalPKIXPublicKey(row.key)
			if err != nil {
				t.Fatal(err)
			}
			k, err := ParsePublicKey(spki)
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range hashes {
				err := k.Verify(message, row.signature, SchemeOf(row.algorithm, other))
				if other == hash && err != nil || other != hash && !errors.Is(err, ErrSignature) {
					t.Errorf("%s with %v, verified with %v: %v", row.algorithm, hash, other, err)
				}
			}
		}
	}
	for _, scheme := range []Scheme{SchemeOf("RSA", crypto.MD5), SchemeOf("DSA", crypto.SHA256), SchemeOf("Ed25519", crypto.SHA512)} {
		if scheme != "" {
			t.Errorf("there is a scheme %s", scheme)
		}
	}
}

// TestSignatureHash reads the restrictions that openssl writes into keys.
func TestSignatureHash(t *testing.T) {
	for _, row := range []struct {
		options []string
		want    crypto.Hash // 0: cannot be kept
	}{
		{nil, crypto.SHA256},
		{[]string{"rsa_pss_keygen_md:sha256"}, 0}, // openssl says SHA-1 in the other place
		{[]string{"rsa_pss_keygen_md:sha256", "rsa_pss_keygen_mgf1_md:sha256"}, crypto.SHA256},
		{[]string{"rsa_pss_keygen_md:sha384", "rsa_pss_keygen_mgf1_md:sha384", "rsa_pss_keygen_saltlen:48"}, crypto.SHA384},
		{[]string{"rsa_pss_keygen_md:sha512", "rsa_pss_keygen_mgf1_md:sha512", "rsa_pss_keygen_saltlen:20"}, crypto.SHA512},
		{[]string{"rsa_pss_keygen_md:sha1"}, crypto.SHA1},
		{[]string{"rsa_pss_keygen_md:sha512", "rsa_pss_keygen_mgf1_md:sha256"}, 0},
		{[]string{"rsa_pss_keygen_md:sha256", "rsa_pss_keygen_mgf1_md:sha256", "rsa_pss_keygen_saltlen:64"}, 0},
	} {
		args := []string{"genpkey", "-algorithm", "RSA-PSS", "-outform", "DER", "-pkeyopt", "rsa_keygen_bits:1024"}
		for _, option := range row.options {
			args = append(args, "-pkeyopt", option)
		}
		spki := openssl(t, openssl(t, nil, args...), "pkey", "-inform", "DER", "-pubout", "-outform", "DER")
		k, err := ParsePublicKey(spki)
		if err != nil {
			t.Fatal(err)
		}
		if hash, err := k.SignatureHash(); hash != row.want || (err != nil) != (row.want == 0) {
			t.Errorf("%q: %v, %v", row.options, hash, err)
		}
	}
}
