package softhsmtests

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"p11bridge/token"
)

// object describes an object for testdata/plant.c.
type object struct{ line strings.Builder }

func (o *object) bytes(a token.Attribute, value []byte) *object {
	fmt.Fprintf(&o.line, "%x=%x ", uint(a), value)
	return o
}

func (o *object) number(a token.Attribute, value uint) *object {
	fmt.Fprintf(&o.line, "%x=u%d ", uint(a), value)
	return o
}

func (o *object) is(a token.Attribute, value bool) *object {
	return o.bytes(a, []byte{map[bool]byte{true: 1}[value]})
}

// The attributes that only a planted object has.
const (
	ckaPublicExponent  = token.Attribute(0x122)
	ckaPrivateExponent = token.Attribute(0x123)
	ckaPrime1          = token.Attribute(0x124)
)

// plantedKey is a private key object with the key's parts. The other attributes are the caller's.
func plantedKey(t *testing.T, label string, id byte, key crypto.Signer, nss bool) *object {
	t.Helper()
	o := (&object{}).number(token.CKAClass, uint(token.CKOPrivateKey)).is(token.CKAToken, true).is(token.CKAPrivate, true).
		bytes(token.CKALabel, []byte(label)).bytes(token.CKAID, []byte{id})
	switch key := key.(type) {
	case *rsa.PrivateKey:
		o.number(token.CKAKeyType, uint(token.CKKRSA)).bytes(token.CKAModulus, key.N.Bytes()).bytes(ckaPublicExponent, []byte{1, 0, 1}).
			bytes(ckaPrivateExponent, key.D.Bytes())
		for i, part := range [][]byte{key.Primes[0].Bytes(), key.Primes[1].Bytes(), key.Precomputed.Dp.Bytes(), key.Precomputed.Dq.Bytes(), key.Precomputed.Qinv.Bytes()} {
			o.bytes(ckaPrime1+token.Attribute(i), part)
		}
	case *ecdsa.PrivateKey:
		scalar, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		o.number(token.CKAKeyType, uint(token.CKKEC)).bytes(token.CKAECParams, curveOf(t, key)).bytes(token.CKAValue, scalar)
		if nss { // softokn keeps the public half with the private key (CKA_NSS_DB)
			o.bytes(0xD5A0DB00, point)
		}
	case ed25519.PrivateKey:
		params, err := token.CurveParams("Ed25519")
		if err != nil {
			t.Fatal(err)
		}
		o.number(token.CKAKeyType, uint(token.CKKECEdwards)).bytes(token.CKAECParams, params).bytes(token.CKAValue, key.Seed())
	default:
		t.Fatalf("a key of type %T", key)
	}
	return o
}

func curveOf(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	params, err := token.CurveParams(key.Params().Name)
	if err != nil {
		t.Fatal(err)
	}
	return params
}

// plantedCertificate is the certificate object of the key.
func plantedCertificate(t *testing.T, label string, id byte, file string) *object {
	t.Helper()
	block, _ := pem.Decode(mustRead(t, file))
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := asn1.Marshal(certificate.SerialNumber)
	if err != nil {
		t.Fatal(err)
	}
	return (&object{}).number(token.CKAClass, uint(token.CKOCertificate)).is(token.CKAToken, true).number(0x80, 0). // CKC_X_509
															bytes(token.CKALabel, []byte(label)).bytes(token.CKAID, []byte{id}).bytes(token.CKAValue, certificate.Raw).
															bytes(0x101, certificate.RawSubject).bytes(0x81, certificate.RawIssuer).bytes(0x82, serial)
}

// plant puts objects on a token and gives the answers, hexadecimal.
func plant(t *testing.T, environment []string, module, label, pin, reserved string, objects []*object) []string {
	t.Helper()
	args := []string{module, label, pin}
	if reserved != "" {
		args = append(args, reserved)
	}
	command := exec.Command(compile(t, "plant.c", "plant", "-ldl"), args...)
	command.Env = append(os.Environ(), environment...)
	var lines, stderr bytes.Buffer
	for _, o := range objects {
		lines.WriteString(o.line.String() + "\n")
	}
	command.Stdin, command.Stderr = &lines, &stderr
	out, err := command.Output()
	answers := strings.Fields(string(out))
	if err != nil || len(answers) != len(objects) {
		t.Fatalf("plant: %v, %q of %d\n%s", err, answers, len(objects), stderr.String())
	}
	return answers
}

// plant puts objects on the place's token, which has to take them all.
func (p *place) plant(t *testing.T, objects ...*object) {
	t.Helper()
	for i, answer := range plant(t, p.environment, softHSM(t), "matrix", testPIN, "", objects) {
		if answer != "0" {
			t.Fatalf("the token does not take object %d: 0x%s", i, answer)
		}
	}
}
