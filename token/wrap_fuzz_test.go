package token

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"testing"

	"p11bridge/token/keywrap"
)

// FuzzUnwrapRSAAES takes whatever a module may call a key that CKM_RSA_AES_KEY_WRAP wrapped. What was wrapped comes back, with
// either hash; what was not is refused, nothing panics, and the input stays as it was.
func FuzzUnwrapRSAAES(f *testing.F) {
	f.Setenv("GODEBUG", "rsa1024min=0") // a short key, so that the target is executed often
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		f.Fatal(err)
	}
	key := &oneTimeRSA{private: private}
	kek := bytes.Repeat([]byte{7}, 32)
	var firsts [][]byte // the same AES key under either hash
	for _, digest := range []func() hash.Hash{sha256.New, sha1.New} {
		first, err := rsa.EncryptOAEP(digest(), rand.Reader, &private.PublicKey, kek, nil)
		if err != nil {
			f.Fatal(err)
		}
		firsts = append(firsts, first)
	}
	f.Add([]byte("a private key in DER"), byte(0), uint16(0), []byte{})
	f.Add([]byte("a private key in DER"), byte(1), uint16(300), []byte{1})
	f.Add([]byte{0x30}, byte(2), uint16(0), bytes.Repeat([]byte{9}, 256))
	f.Add([]byte{0x30}, byte(2), uint16(0), bytes.Repeat([]byte{9}, 300))
	f.Fuzz(func(t *testing.T, carried []byte, way byte, at uint16, damage []byte) {
		wrapped := damage
		if way%3 != 2 && len(carried) > 0 && len(carried) < 4096 {
			second, err := keywrap.WrapRFC5649(kek, carried)
			if err != nil {
				t.Fatal(err)
			}
			wrapped = append(bytes.Clone(firsts[way%3]), second...)
			for i, b := range damage {
				wrapped[(int(at)+i)%len(wrapped)] ^= b
			}
		}
		original := bytes.Clone(wrapped)
		got, err := key.unwrap(wrapped)
		if !bytes.Equal(original, wrapped) {
			t.Fatal("the input was changed")
		}
		if (err == nil) != (got != nil) {
			t.Fatalf("%d bytes and the error %v", len(got), err)
		}
		undamaged := len(bytes.Trim(damage, "\x00")) == 0
		if way%3 != 2 && len(carried) > 0 && len(carried) < 4096 && undamaged && !bytes.Equal(got, carried) {
			t.Fatalf("%x came back as %x: %v", carried, got, err)
		}
	})
}
