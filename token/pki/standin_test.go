package pki

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"
)

// standInsOf derives octets under a key.
func standInsOf(key string) func(string, []byte, int) []byte {
	return func(what string, from []byte, n int) []byte {
		var octets []byte
		for i := uint32(0); len(octets) < n; i++ {
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write(append(binary.BigEndian.AppendUint32([]byte(what), i), from...))
			octets = mac.Sum(octets)
		}
		return octets[:n]
	}
}

// TestStandIn makes one for every key there is: it is read as a key of the same kind, is another key, and is the same for the
// same key in whatever form.
func TestStandIn(t *testing.T) {
	derive := standInsOf("a")
	for _, name := range fixtures(t, "crt", 8) {
		name = strings.TrimPrefix(name, "testdata/")
		t.Run(name, func(t *testing.T) {
			public := certificate(t, name).PublicKey
			standIn, err := public.StandIn(derive)
			if err != nil {
				t.Fatal(err)
			}
			again, err := public.StandIn(derive)
			other, otherErr := public.StandIn(standInsOf("b"))
			if err != nil || otherErr != nil || !bytes.Equal(standIn.SPKI, again.SPKI) || bytes.Equal(standIn.SPKI, other.SPKI) {
				t.Error("it does not depend on the key, or on more than the key", err, otherErr)
			}
			read, err := ParsePublicKey(standIn.SPKI)
			if public.Algorithm != "" && err != nil {
				t.Errorf("it is no key: %v", err)
			}
			if read.Algorithm != strings.TrimSuffix(public.Algorithm, "-PSS") || read.Bits != public.Bits || read.Curve != public.Curve || standIn.Algorithm != public.Algorithm {
				t.Errorf("%s %d %s stands for %s %d %s", read.Algorithm, read.Bits, read.Curve, public.Algorithm, public.Bits, public.Curve)
			}
			if public.Equal(standIn) || !bytes.Equal(public.Restriction, standIn.Restriction) {
				t.Error("it is the same key, or restricted to something else")
			}
			if key, err := public.keyBits(); err == nil && len(key) > 16 && bytes.Contains(standIn.SPKI, key[len(key)-16:]) {
				t.Error("a part of the key is in it")
			}
		})
	}
}

// TestStandInOfEqualKeys: two forms of one key have one stand-in, an exponent that few have is replaced, and what is no key is too.
func TestStandInOfEqualKeys(t *testing.T) {
	derive := standInsOf("a")
	rsa := certificate(t, "rsa.crt").PublicKey
	bits, err := rsa.keyBits()
	if err != nil {
		t.Fatal(err)
	}
	restricted, err := ParsePublicKey(spkiDER(t, bits, oidRSAPSS))
	if err != nil {
		t.Fatal(err)
	}
	one, err := rsa.StandIn(derive)
	two, otherErr := restricted.StandIn(derive)
	if err != nil || otherErr != nil || !one.Equal(two) {
		t.Error("a key for RSASSA-PSS and the same for RSA are two", err, otherErr)
	}
	modulus, exponent, err := one.RSANumbers()
	if err != nil || !bytes.Equal(exponent, []byte{1, 0, 1}) {
		t.Errorf("the exponent that nearly all have is now %x, %v", exponent, err)
	}
	rare, err := RSAPublicKey(modulus, []byte{1, 2, 3, 5})
	if err != nil {
		t.Fatal(err)
	}
	if one, err = rare.StandIn(derive); err != nil {
		t.Fatal(err)
	}
	if _, exponent, err = one.RSANumbers(); err != nil || len(exponent) != 4 || bytes.Equal(exponent, []byte{1, 2, 3, 5}) {
		t.Errorf("a rare exponent is now %x, %v", exponent, err)
	}
	broken, err := PublicKey{SPKI: []byte("no key at all")}.StandIn(derive)
	if err != nil || len(broken.SPKI) != 13 || bytes.Contains(broken.SPKI, []byte("key")) {
		t.Errorf("what is no key is now %q, %v", broken.SPKI, err)
	}
	if _, err := (PublicKey{}).StandIn(derive); err == nil {
		t.Error("no key has a stand-in")
	}
}
