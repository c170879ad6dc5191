package pki

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"math/big"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// sign makes an ECDSA signature r || s (SEC 1 section 4.1.3), for the curves that the standard library lacks.
func (c *curve) sign(t *testing.T, scalar *big.Int, message []byte) []byte {
	t.Helper()
	digest := sha256.Sum256(message)
	e := new(big.Int).SetBytes(digest[:])
	if extra := 256 - c.n.BitLen(); extra > 0 {
		e.Rsh(e, uint(extra))
	}
	for {
		k, err := rand.Int(rand.Reader, c.n)
		if err != nil {
			t.Fatal(err)
		}
		x, _, ok := c.affine(c.multiply(k, c.base()))
		if !ok {
			continue
		}
		r := x.Mod(x, c.n)
		s := c.modOrder(e.Add(e, new(big.Int).Mul(r, scalar)))
		s = c.modOrder(s.Mul(s, new(big.Int).ModInverse(k, c.n)))
		if r.Sign() == 0 || s.Sign() == 0 {
			continue
		}
		signature := make([]byte, 2*c.scalarSize())
		r.FillBytes(signature[:c.scalarSize()])
		s.FillBytes(signature[c.scalarSize():])
		return signature
	}
}

// TestRecoverECPublicKey finds the public key of every curve from two signatures, and none where they are of two keys or one was altered.
func TestRecoverECPublicKey(t *testing.T) {
	for _, c := range curves() {
		t.Run(c.name, func(t *testing.T) {
			var params cryptobyte.Builder
			addOID(&params, c.oid)
			scalars, publics := [2]*big.Int{}, [2]PublicKey{}
			for i := range scalars {
				k, err := rand.Int(rand.Reader, new(big.Int).Sub(c.n, big.NewInt(1)))
				if err != nil {
					t.Fatal(err)
				}
				scalars[i] = k.Add(k, big.NewInt(1))
				point, err := c.publicPoint(scalars[i].FillBytes(make([]byte, c.scalarSize())))
				if err != nil {
					t.Fatal(err)
				}
				if publics[i], err = c.public(point); err != nil {
					t.Fatal(err)
				}
			}
			messages, schemes := [2][]byte{[]byte("one"), []byte("two")}, [2]Scheme{ECDSASHA256, ECDSASHA256}
			signatures := [2][]byte{c.sign(t, scalars[0], messages[0]), c.sign(t, scalars[0], messages[1])}
			found, err := RecoverECPublicKey(params.BytesOrPanic(), messages, signatures, schemes)
			if err != nil || !found.Equal(publics[0]) {
				t.Fatalf("found %x, %v and not %x", found.SPKI, err, publics[0].SPKI)
			}
			same, twice := [2][]byte{messages[0], messages[0]}, [2][]byte{signatures[0], signatures[0]}
			if _, err := RecoverECPublicKey(params.BytesOrPanic(), same, twice, schemes); !errors.Is(err, ErrSignature) {
				t.Errorf("a signature that is given twice leaves more than one key: %v", err)
			}
			for name, of := range map[string][2][]byte{
				"two keys": {signatures[0], c.sign(t, scalars[1], messages[1])}, "altered": {signatures[1], signatures[1]}, "empty": {nil, signatures[1]},
				"zero": {make([]byte, len(signatures[0])), signatures[1]}, "one byte more": {append([]byte{0}, signatures[0]...), signatures[1]},
			} {
				if found, err := RecoverECPublicKey(params.BytesOrPanic(), messages, of, schemes); !errors.Is(err, ErrSignature) {
					t.Errorf("%s: found %x, %v", name, found.SPKI, err)
				}
			}
		})
	}
}
