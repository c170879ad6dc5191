package pki

import (
	"bytes"
	"crypto/x509"
	"testing"
)

func TestPoint(t *testing.T) {
	for _, name := range []string{"p256.crt", "explicit.crt", "brainpoolP256r1.crt", "ed25519.crt"} {
		k := certificate(t, name).PublicKey
		point, err := k.Point()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := k.SPKI[len(k.SPKI)-len(point):]
		if k.Algorithm == "EC" && (len(point) != 65 || point[0] != 4) || k.Algorithm != "EC" && len(point) != 32 || !bytes.Equal(point, want) {
			t.Errorf("%s: %x", name, point)
		}
	}
	k := certificate(t, "p256.crt").PublicKey
	std, err := x509.ParsePKIXPublicKey(k.SPKI)
	if err != nil {
		t.Fatal(err)
	}
	point, err := k.Point()
	if encoder, ok := std.(interface{ Bytes() ([]byte, error) }); err != nil || !ok {
		t.Fatalf("%T: %v", std, err)
	} else if want, err := encoder.Bytes(); err != nil || !bytes.Equal(point, want) {
		t.Errorf("got %x, want %x: %v", point, want, err)
	}
	for what, none := range map[string]PublicKey{"RSA": certificate(t, "rsa.crt").PublicKey, "no key": {}} {
		if point, err := none.Point(); err == nil {
			t.Errorf("%s has a point: %x", what, point)
		}
	}
}

// TestPointOfUnknownCurve has a private key on a curve that is not in the table (sect283k1), which tells no point: nothing may be taken for
// its public key.
func TestPointOfUnknownCurve(t *testing.T) {
	params := []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x10}
	if k, err := ECPublicKey(params, nil); !isMalformed(err) {
		t.Errorf("no point: %+v, %v", k, err)
	}
	if k, err := ECPublicKey(params, append([]byte{4}, make([]byte, 72)...)); err != nil || k.Curve != "1.3.132.0.16" || len(k.SPKI) == 0 {
		t.Errorf("a point: %+v, %v", k, err)
	}
}
