package pfx

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

func TestReadIndependently(t *testing.T) {
	for _, profile := range knownProfiles {
		for _, kind := range []string{"RSA", "P-256", "P-384", "Ed25519"} {
			id := newIdentity(t, kind)
			file := encode(t, id.contents("näme"), "tést", profile)
			pkcs8, chain, err := ReadIndependently(file, []byte("tést"))
			must(t, err)
			if !bytes.Equal(pkcs8, id.pkcs8) || len(chain) != 2 || !bytes.Equal(chain[0], id.leaf) || !bytes.Equal(chain[1], id.authority) {
				t.Errorf("%s %s: other contents", profile, kind)
			}
			if _, _, err := ReadIndependently(file, []byte("test")); !errors.Is(err, ErrPassword) {
				t.Errorf("%s %s: %v", profile, kind, err)
			}
		}
	}
}

func TestIndependentReaderCannot(t *testing.T) {
	id := newIdentity(t, "P-256")
	twoKeys := id.contents("name")
	twoKeys.Keys = append(twoKeys.Keys, twoKeys.Keys[0])
	files := map[string][]byte{
		"two keys":       encode(t, twoKeys, "test", Modern),
		"no key":         encode(t, Contents{Certificates: twoKeys.Certificates}, "test", Modern),
		"no certificate": encode(t, Contents{Keys: twoKeys.Keys[:1]}, "test", Modern),
	}
	for _, name := range []string{
		"openssl-mac-sha384", "openssl-mac-sha224", "openssl-no-mac", "openssl-brainpoolP256r1", "openssl-secp256k1",
		"certtool-default", "pk12util-default", "openssl-des-ede3-cbc", "openssl-2des",
	} {
		files[name] = foreignFile{name: name}.read(t)
	}
	for name, file := range files {
		if _, _, err := ReadIndependently(file, []byte("test")); !errors.Is(err, ErrIndependentReaderCannot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// go-pkcs12 derives whatever it is asked for.
func TestIndependentReaderIsKeptFromEndlessWork(t *testing.T) {
	shrouded, err := buildShrouded(newPBES2([]byte("salt"), make([]byte, 16), MaxIterations+1), make([]byte, 16))
	must(t, err)
	contents := newIdentity(t, "P-256").contents("name")
	contents.Keys = nil
	m, key := testMAC(t, "test")
	slow := newMAC("SHA-256", []byte("salt"), MaxIterations+1)
	for name, file := range map[string][]byte{
		"key bag": assemble(t, m, key, clearSafe(t, contents), info(t, func(b *cryptobyte.Builder) { addShroudedKeyBag(b, Key{}, shrouded) })),
		"mac":     assemble(t, slow, key, clearSafe(t, contents)),
		"safe":    assemble(t, m, key, sealedWithout(t, MaxIterations+1)),
		"key bag in an encrypted safe": assemble(t, m, key, clearSafe(t, contents),
			sealedSafe(t, testPBE(), "test", info(t, func(b *cryptobyte.Builder) { addShroudedKeyBag(b, Key{}, shrouded) }))),
	} {
		_, _, err := ReadIndependently(file, []byte("test"))
		var limit *LimitError
		if !errors.As(err, &limit) || limit.What != LimitIterations {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sealedWithout is an encryptedData that nobody could afford to open.
func sealedWithout(t *testing.T, iterations int) []byte {
	t.Helper()
	var b cryptobyte.Builder
	addEncryptedData(&b, newPBES2([]byte("salt"), make([]byte, 16), iterations), make([]byte, 16))
	der, err := b.Bytes()
	must(t, err)
	return der
}

func TestIndependentReaderNeedsASoundFile(t *testing.T) {
	id := newIdentity(t, "P-256")
	m, key := testMAC(t, "test")
	file := assemble(t, m, key, sealedSafe(t, testPBE(), "other", clearSafe(t, id.contents("name"))))
	if _, _, err := ReadIndependently(file, []byte("test")); !errors.Is(err, ErrPrivacyPassword) {
		t.Errorf("two passwords: %v", err)
	}
	if _, _, err := ReadIndependently(file[:100], []byte("test")); !errors.As(err, new(*DamagedError)) {
		t.Errorf("truncated: %v", err)
	}
}

// go-pkcs12 does not see beyond the first level, and a PrivateKeyInfo with zero bytes after it is none to it.
func TestIndependentReaderFindsFault(t *testing.T) {
	id := newIdentity(t, "P-256")
	contents := id.contents("name")
	m, key := testMAC(t, "test")
	shrouded, err := buildShrouded(testPBE(), sealWith(t, testPBE(), "test", append(bytes.Clone(id.pkcs8), 0, 0)))
	must(t, err)
	contents.Keys = nil
	file := assemble(t, m, key, clearSafe(t, contents), info(t, func(b *cryptobyte.Builder) { addShroudedKeyBag(b, Key{}, shrouded) }))
	_, _, err = ReadIndependently(file, []byte("test"))
	if err == nil || errors.Is(err, ErrIndependentReaderCannot) || errors.Is(err, ErrPassword) {
		t.Errorf("error is %v", err)
	}
}
